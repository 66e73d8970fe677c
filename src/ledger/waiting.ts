/**
 * Messages that wait for a profile, and messages whose grounds a profile takes away.
 *
 * The statements of `profilesWritten` run in the transaction that writes profiles, so no message can miss its row: a
 * waiting message is only marked (due, and one count further), whoever decides it comes later; a message that rested on
 * the event's word is canceled at once, so that no claim after the batch's “no” succeeds.
 *
 * `due_at` says why a waiting message is looked at: before `wait_until` a row came, from then on the time is over.
 */
import { GROUND } from '../domain/grounds.ts';
import { retryIdempotent } from '../platform/retry.ts';
import { jsonChunks } from '../platform/sql.ts';

const contradicted = (bit: number, condition: string): string =>
  `(messages.grounds & ${bit} AND ${condition})`;

export const WAITING_SQL = {
  /** `?1`: a JSON array of rows that begin with the customer's id, `?2`: now. A row that was brought again unchanged counts too. */
  mark: `UPDATE messages SET due_at = min(due_at, ?2), wait_seq = wait_seq + 1
    WHERE customer_id IN (SELECT value ->> 0 FROM json_each(?1)) AND reason = 'waiting_for_profile'
      AND state = 'held'`,
  /** Only customers whose row was written in this transaction, at `?2`. */
  cancelContradicted: `UPDATE messages SET state = 'canceled', reason = 'grounds_contradicted', detail = NULL, due_at = NULL,
      updated_at = ?2
    FROM json_each(?1) j JOIN profiles p ON p.customer_id = j.value ->> 0 AND p.written_at = ?2
    WHERE messages.customer_id = p.customer_id AND messages.state IN ('queued', 'held')
      AND (${contradicted(GROUND.consent_yields, 'p.sms_consent = 0')}
        OR ${contradicted(GROUND.validity_yields, 'p.sms_valid = 0')}
        OR ${contradicted(GROUND.number_yields, 'p.e164 <> messages.number')})`,
  due: `SELECT m.id, m.campaign_id, m.customer_id, m.created_at, m.expires_at, m.wait_until, m.wait_seq, m.due_at, m.decision,
      e.data, e.inputs
    FROM messages m JOIN events e ON e.id = m.event_id
    WHERE m.due_at <= ?1 AND m.state = 'held' AND m.reason = 'waiting_for_profile' ORDER BY m.due_at LIMIT ?2`,
  /** Only under the count that the decision was taken under: of several that race, one is stored. */
  decide: `UPDATE messages SET
      state = j.value ->> 'state',
      reason = j.value ->> 'reason',
      detail = j.value ->> 'detail',
      channel = j.value ->> 'channel',
      sender = j.value ->> 'sender',
      number = j.value ->> 'number',
      body = j.value ->> 'body',
      media_urls = j.value ->> 'media_urls',
      decision = coalesce(j.value ->> 'decision', decision),
      decided_by = iif(j.value ->> 'decision' IS NULL, decided_by, j.value ->> 'cause'),
      grounds = j.value ->> 'grounds',
      due_at = j.value ->> 'due_at',
      wait_seq = wait_seq + 1,
      updated_at = ?2
    FROM json_each(?1) j
    WHERE messages.id = j.value ->> 'id' AND messages.wait_seq = j.value ->> 'wait_seq'
      AND messages.state = 'held' AND messages.reason = 'waiting_for_profile'
    RETURNING messages.id, messages.state`,
} as const;

/** What a write of profiles means for messages: statements for the same transaction, after the write. */
export function profilesWritten(db: D1Database, customers: string, now: number): D1PreparedStatement[] {
  return [
    db.prepare(WAITING_SQL.mark).bind(customers, now),
    db.prepare(WAITING_SQL.cancelContradicted).bind(customers, now),
  ];
}

/** A waiting message that is to be decided, with the event that it came from. Times in milliseconds since 1970. */
export interface WaitingMessage {
  readonly id: string;
  readonly campaign_id: string;
  readonly customer_id: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly wait_until: number;
  readonly wait_seq: number;
  readonly due_at: number;
  /** JSON texts. */
  readonly decision: string;
  readonly data: string;
  readonly inputs: string;
}

export async function dueWaiting(db: D1Database, now: number, limit: number): Promise<WaitingMessage[]> {
  const { results } = await db.prepare(WAITING_SQL.due).bind(now, limit).all<WaitingMessage>();
  return results;
}

/** What a waiting message becomes. */
export interface NewDecision {
  readonly id: string;
  readonly wait_seq: number;
  readonly cause: 'event' | 'profile' | 'deadline';
  readonly state: 'queued' | 'held' | 'suppressed' | 'canceled';
  readonly reason: string | null;
  readonly detail: string | null;
  readonly channel: string;
  readonly sender: string;
  readonly number: string | null;
  readonly body: string | null;
  /** JSON texts; `null` where the decision is the one that is stored. */
  readonly media_urls: string;
  readonly decision: string | null;
  readonly grounds: number | null;
  readonly due_at: number | null;
}

/**
 * Stores decisions whose messages nothing has happened to since they were read. Idempotent.
 *
 * @returns ids of those that are queued by this call.
 */
export async function storeDecisions(
  db: D1Database,
  decisions: readonly NewDecision[],
  now: number,
): Promise<string[]> {
  if (decisions.length === 0) return [];
  const statements = jsonChunks(decisions).map((chunk) => db.prepare(WAITING_SQL.decide).bind(chunk, now));
  const results = await retryIdempotent(() => db.batch<{ id: string; state: string }>(statements));
  return results.flatMap(({ results: rows }) =>
    rows.filter(({ state }) => state === 'queued').map(({ id }) => id),
  );
}
