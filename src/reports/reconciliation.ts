/**
 * Reconciliation: what was sent on the event's word alone, beside what the profile says now.
 *
 * Computed when it is asked for, from the grounds that each message carries and the profile as it stands: nothing is
 * written on the way of a message, and a late batch changes the answer by itself. It walks events by their time, which
 * have an index, and finds their messages by id; a page is a number of events.
 */
import { GROUND, GROUNDS_MASK } from '../domain/grounds.ts';
import { iso } from '../platform/sql.ts';

/** The page's events: newest first, after the cursor (`?1`, `?2`), not before `?3`, at most `?4`. */
const PAGE = `FROM events WHERE (received_at, rowid) < (?1, ?2) AND received_at >= ?3
  ORDER BY received_at DESC, rowid DESC`;

export const RECONCILIATION_SQL = {
  messages: `SELECT b.source_id, m.id, m.event_id, m.campaign_id, m.customer_id, m.state, m.number, m.grounds, m.created_at,
      p.e164, p.sms_consent, p.sms_valid, p.updated_at
    FROM (SELECT source_id, answer ${PAGE} LIMIT ?4) b CROSS JOIN json_each(b.answer) a
      CROSS JOIN messages m ON m.id = a.value ->> 'id'
      LEFT JOIN profiles p ON p.customer_id = m.customer_id
    WHERE m.grounds & ${GROUNDS_MASK} AND m.state IN ('sent', 'delivered', 'undelivered')
      AND (?5 IS NULL OR m.campaign_id = ?5) AND (?6 IS NULL OR b.source_id = ?6)`,
  /** The last event of a page that is full. */
  end: `SELECT received_at AS receivedAt, rowid AS row ${PAGE} LIMIT 1 OFFSET ?4 - 1`,
} as const;

export const RECONCILIATION_STATUSES = ['confirmed', 'contradicted', 'unconfirmed', 'open'] as const;
/** `open`: the profile says nothing yet, and the time for it is not over; `unconfirmed`: it is over. */
export type ReconciliationStatus = (typeof RECONCILIATION_STATUSES)[number];

export interface ReconciliationQuery {
  /** Milliseconds since 1970, of the events' receipt; `from` is included, `to` is not. */
  readonly from: number;
  readonly to: number;
  readonly cursor: Cursor | null;
  /** Events of this page, at most. */
  readonly events: number;
  /** How long a batch may take to say something, days. */
  readonly days: number;
  readonly now: number;
  readonly campaign: string | null;
  readonly source: string | null;
  readonly status: ReconciliationStatus | null;
}

/** Where a page ended: the next one begins before this event. */
export interface Cursor {
  readonly receivedAt: number;
  readonly row: number;
}

type Tally = Record<ReconciliationStatus, number>;

interface Ground {
  readonly attribute: 'MOBILE_NUMBER' | 'SMS_CONSENT' | 'SMS_VALID';
  readonly status: ReconciliationStatus;
  readonly text: string;
}

export interface ReconciliationPage {
  /** Of the messages of this page, whatever status is asked for. */
  readonly totals: Tally;
  readonly by_campaign: Record<string, Tally>;
  readonly by_source: Record<string, Tally>;
  readonly messages: Record<string, unknown>[];
  readonly next: Cursor | null;
}

interface Row {
  readonly source_id: string;
  readonly id: string;
  readonly event_id: string;
  readonly campaign_id: string;
  readonly customer_id: string;
  readonly state: string;
  readonly number: string;
  readonly grounds: number;
  readonly created_at: number;
  readonly e164: string | null;
  readonly sms_consent: number | null;
  readonly sms_valid: number | null;
  readonly updated_at: number | null;
}

/** One page of the report, newest events first. */
export async function reconciliation(
  db: D1Database,
  query: ReconciliationQuery,
): Promise<ReconciliationPage> {
  const start = query.cursor ?? { receivedAt: query.to, row: -1 };
  const range = [start.receivedAt, start.row, query.from, query.events] as const;
  const [found, ends] = await db.batch([
    db.prepare(RECONCILIATION_SQL.messages).bind(...range, query.campaign, query.source),
    db.prepare(RECONCILIATION_SQL.end).bind(...range),
  ]);
  const page: ReconciliationPage = {
    totals: emptyTally(),
    by_campaign: {},
    by_source: {},
    messages: [],
    next: (ends?.results[0] as Cursor | undefined) ?? null,
  };
  for (const row of (found?.results ?? []) as Row[]) {
    const late = query.now - row.created_at >= query.days * 86_400_000;
    const grounds = groundsOf(row, late);
    const status = overall(grounds);
    page.totals[status]++;
    tallyOf(page.by_campaign, row.campaign_id)[status]++;
    tallyOf(page.by_source, row.source_id)[status]++;
    if (query.status === null || query.status === status) page.messages.push(json(row, status, grounds));
  }
  return page;
}

function groundsOf(row: Row, late: boolean): Ground[] {
  const silent = late ? 'unconfirmed' : 'open';
  const one = (
    bit: number,
    attribute: Ground['attribute'],
    agrees: boolean | null,
    denial: string,
  ): Ground[] => {
    if ((row.grounds & bit) === 0) return [];
    if (agrees === null) return [{ attribute, status: silent, text: 'The profile says nothing yet.' }];
    return [
      agrees
        ? { attribute, status: 'confirmed', text: 'The profile says the same.' }
        : { attribute, status: 'contradicted', text: denial },
    ];
  };
  const flag = (value: number | null): boolean | null => (value === null ? null : value === 1);
  const sameNumber = row.e164 === null ? null : row.e164 === row.number;
  return [
    ...one(GROUND.number, 'MOBILE_NUMBER', sameNumber, 'Sent to a number that the profile does not name.'),
    ...one(
      GROUND.consent,
      'SMS_CONSENT',
      flag(row.sms_consent),
      'Sent on a consent that the profile denies.',
    ),
    ...one(
      GROUND.validity,
      'SMS_VALID',
      flag(row.sms_valid),
      'Sent to a number that the profile calls not valid.',
    ),
  ];
}

/** One contradiction contradicts the message; only all grounds together confirm it. */
function overall(grounds: readonly Ground[]): ReconciliationStatus {
  const order = ['contradicted', 'unconfirmed', 'open'] as const;
  return order.find((status) => grounds.some((ground) => ground.status === status)) ?? 'confirmed';
}

function json(row: Row, status: ReconciliationStatus, grounds: readonly Ground[]): Record<string, unknown> {
  return {
    id: row.id,
    event_id: row.event_id,
    campaign: row.campaign_id,
    source: row.source_id,
    customer_id: row.customer_id,
    state: row.state,
    status,
    grounds,
    created_at: iso(row.created_at),
    profile_updated_at: row.updated_at === null ? null : iso(row.updated_at),
  };
}

function tallyOf(tallies: Record<string, Tally>, name: string): Tally {
  const known = tallies[name];
  if (known) return known;
  const fresh = emptyTally();
  tallies[name] = fresh;
  return fresh;
}

function emptyTally(): Tally {
  return { confirmed: 0, contradicted: 0, unconfirmed: 0, open: 0 };
}
