/** Reading consent: what stands for a number, what was said about it, and the list of all opt-outs. */
import type { ConsentScope, OptOuts } from '../domain/consent-scope.ts';
import { iso } from '../platform/sql.ts';

const RECORD = 'id, number, kind, scope, origin, note, message_id, source_id, evidence, review, at';

export const CONSENT_HISTORY_SQL = {
  current: 'SELECT number, origin, note, created_at, scope FROM suppressions WHERE number = ?1',
  currentOfMany: 'SELECT number, scope FROM suppressions WHERE number IN (SELECT value FROM json_each(?1))',
  records: `SELECT ${RECORD} FROM consent_records WHERE number = ?1 ORDER BY at DESC, id DESC LIMIT 500`,
  list: `SELECT number, origin, note, created_at, scope FROM suppressions WHERE created_at <= ?1
    ORDER BY created_at DESC, number DESC LIMIT ?2 OFFSET ?3`,
} as const;

export interface Suppression {
  readonly number: string;
  readonly origin: string;
  readonly note: string | null;
  readonly created_at: string;
  readonly scope: ConsentScope;
}

export interface ConsentRecordRow {
  readonly id: string;
  readonly number: string;
  readonly kind: string;
  readonly scope: ConsentScope;
  readonly origin: string;
  readonly note: string | null;
  readonly message_id: string | null;
  readonly source_id: string | null;
  readonly evidence: string | null;
  readonly review: number;
  readonly at: number;
}

type SuppressionRow = Omit<Suppression, 'created_at'> & { readonly created_at: number };

export async function readSuppression(db: D1Database, number: string): Promise<Suppression | null> {
  const row = await db.prepare(CONSENT_HISTORY_SQL.current).bind(number).first<SuppressionRow>();
  return row && suppressionJson(row);
}

/** Which of these numbers have opted out, and how far. */
export async function readOptOuts(db: D1Database, numbers: readonly string[]): Promise<OptOuts> {
  const { results } = await db
    .prepare(CONSENT_HISTORY_SQL.currentOfMany)
    .bind(JSON.stringify(numbers))
    .all<{ number: string; scope: ConsentScope }>();
  return new Map(results.map((row) => [row.number, row.scope]));
}

/** What stands and what was said, newest first (at most 500); `null` where nothing is known of the number. */
export async function readHistory(db: D1Database, number: string): Promise<Record<string, unknown> | null> {
  const [current, records] = await db.batch([
    db.prepare(CONSENT_HISTORY_SQL.current).bind(number),
    db.prepare(CONSENT_HISTORY_SQL.records).bind(number),
  ]);
  const row = current?.results[0] as SuppressionRow | undefined;
  const history = (records?.results ?? []) as ConsentRecordRow[];
  if (!row && history.length === 0) return null;
  const nothing = { number, origin: null, note: null, created_at: null, scope: null };
  return {
    ...(row ? suppressionJson(row) : nothing),
    opted_out: row !== undefined,
    history: history.map(recordJson),
  };
}

/** Newest first. `skip` of those at exactly `before` were on the previous page. */
export async function listSuppressions(
  db: D1Database,
  limit: number,
  before: number,
  skip: number,
): Promise<{ suppressions: Suppression[]; next: string | null }> {
  const { results } = await db
    .prepare(CONSENT_HISTORY_SQL.list)
    .bind(before, limit, skip)
    .all<SuppressionRow>();
  const last = results.at(-1);
  const same = results.filter((row) => row.created_at === last?.created_at).length;
  const seen = last?.created_at === before ? skip + same : same;
  return {
    suppressions: results.map(suppressionJson),
    // No number in a cursor: cursors stand in URLs.
    next: last && results.length === limit ? `${last.created_at}-${seen}` : null,
  };
}

export function recordJson(row: ConsentRecordRow): Record<string, unknown> {
  const { evidence, review, at, ...rest } = row;
  return {
    ...rest,
    evidence: evidence === null ? null : JSON.parse(evidence),
    review: review === 1,
    at: iso(at),
  };
}

function suppressionJson(row: SuppressionRow): Suppression {
  return { ...row, created_at: iso(row.created_at) };
}
