/**
 * Accept: events, decisions and messages of a whole batch in one transaction. After it has committed, the events
 * survive the death of any process.
 *
 * Once: of many requests that race for one event id, one wins the row; messages are inserted only for events that this
 * request won, so a loser cannot add any. The transaction ends by reading what now stands under the ids, so a loser
 * knows the first answer without another round trip, and repeating the transaction after a lost response is harmless.
 */
import { retryIdempotent } from '../platform/retry.ts';
import { jsonChunks } from '../platform/sql.ts';
import {
  STORED_SQL,
  type StoredAnswer,
  type StoredEventRow,
  type StoredMessageRow,
  storedAnswers,
} from './stored.ts';

export interface NewEvent {
  readonly id: string;
  readonly source_id: string;
  readonly type: string;
  readonly customer_id: string;
  readonly occurred_at: number;
  readonly received_at: number;
  readonly body_hash: string;
  /** JSON texts. */
  readonly data: string;
  readonly inputs: string;
  readonly answer: string;
}

export interface NewMessage {
  readonly id: string;
  readonly event_id: string;
  readonly campaign_id: string;
  readonly customer_id: string;
  readonly channel: string;
  readonly sender: string;
  readonly number: string | null;
  readonly body: string | null;
  readonly media_urls: string;
  readonly decision: string;
  readonly state: string;
  readonly reason: string | null;
  readonly detail: string | null;
  readonly due_at: number | null;
  readonly expires_at: number;
  readonly created_at: number;
  /** Until when it waits for the profile, where it does; milliseconds since 1970. */
  readonly wait_until?: number | null;
  /** What rests on the event's word alone, where anything does; see domain/grounds.ts. */
  readonly grounds?: number | null;
}

/** A yes that came with an event, for the consent record. It lifts no opt-out. */
export interface NewConsent {
  readonly id: string;
  readonly event_id: string;
  readonly number: string;
  readonly source_id: string;
  /** JSON: what was shown to the person, and where the yes stood. */
  readonly evidence: string;
  readonly at: number;
}

const EVENT_COLUMNS = [
  'id',
  'source_id',
  'type',
  'customer_id',
  'occurred_at',
  'received_at',
  'body_hash',
  'data',
  'inputs',
  'answer',
] as const satisfies readonly (keyof NewEvent)[];

const MESSAGE_COLUMNS = [
  'id',
  'event_id',
  'campaign_id',
  'customer_id',
  'channel',
  'sender',
  'number',
  'body',
  'media_urls',
  'decision',
  'state',
  'reason',
  'detail',
  'due_at',
  'expires_at',
  'created_at',
  'wait_until',
  'grounds',
] as const satisfies readonly (keyof NewMessage)[];

const fields = (columns: readonly string[]): string =>
  columns.map((name) => `j.value ->> '${name}'`).join(', ');

export const ACCEPT_SQL = {
  insertEvents: `INSERT INTO events (${EVENT_COLUMNS.join(', ')}, accept_id)
    SELECT ${fields(EVENT_COLUMNS)}, ?2 FROM json_each(?1) j WHERE true ON CONFLICT (id) DO NOTHING`,
  insertMessages: `INSERT INTO messages (${MESSAGE_COLUMNS.join(', ')}, updated_at)
    SELECT ${fields(MESSAGE_COLUMNS)}, j.value ->> 'created_at'
    FROM json_each(?1) j JOIN events e ON e.id = j.value ->> 'event_id' AND e.accept_id = ?2
    WHERE true ON CONFLICT (id) DO NOTHING`,
  insertConsents: `INSERT INTO consent_records (id, number, kind, origin, source_id, evidence, at)
    SELECT j.value ->> 'id', j.value ->> 'number', 'consent_given', 'event', j.value ->> 'source_id', j.value ->> 'evidence', j.value ->> 'at'
    FROM json_each(?1) j JOIN events e ON e.id = j.value ->> 'event_id' AND e.accept_id = ?2
    WHERE true ON CONFLICT (id) DO NOTHING`,
} as const;

/**
 * Writes a batch and returns what now stands under each event id. An event whose stored `acceptId` is another one was
 * accepted before, by another request.
 */
export async function accept(
  db: D1Database,
  acceptId: string,
  events: readonly NewEvent[],
  messages: readonly NewMessage[],
  consents: readonly NewConsent[] = [],
): Promise<ReadonlyMap<string, StoredAnswer>> {
  if (events.length === 0) return new Map();
  const ids = JSON.stringify(events.map((event) => event.id));
  const statements = [
    ...jsonChunks(events).map((chunk) => db.prepare(ACCEPT_SQL.insertEvents).bind(chunk, acceptId)),
    ...jsonChunks(messages).map((chunk) => db.prepare(ACCEPT_SQL.insertMessages).bind(chunk, acceptId)),
    ...jsonChunks(consents).map((chunk) => db.prepare(ACCEPT_SQL.insertConsents).bind(chunk, acceptId)),
    db.prepare(ACCEPT_LOSERS_SQL.events).bind(ids, acceptId),
    db.prepare(ACCEPT_LOSERS_SQL.messages).bind(ids, acceptId),
  ];
  const results = await retryIdempotent(() => db.batch(statements));
  const stored = (results.at(-2)?.results ?? []) as StoredEventRow[];
  const decisions = (results.at(-1)?.results ?? []) as StoredMessageRow[];
  return storedAnswers(stored, decisions);
}

/** As `STORED_SQL`, but only events that another request won. `?2` is this request. */
export const ACCEPT_LOSERS_SQL = {
  events: `${STORED_SQL.events} AND accept_id <> ?2`,
  messages: `${STORED_SQL.messages} AND e.accept_id <> ?2`,
} as const;
