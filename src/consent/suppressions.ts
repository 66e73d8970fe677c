/**
 * Suppressions: numbers that must not be texted. Each change is written with its consent record in one transaction,
 * before it is answered, so that no later claim for the number can succeed.
 */
import { newId } from '../platform/ids.ts';
import { retryIdempotent } from '../platform/retry.ts';
import { iso } from '../platform/sql.ts';

export type ConsentOrigin = 'sms' | 'api';

export interface Suppression {
  readonly number: string;
  readonly origin: ConsentOrigin;
  readonly note: string | null;
  readonly created_at: string;
}

export const SUPPRESSION_SQL = {
  read: 'SELECT number, origin, note, created_at FROM suppressions WHERE number = ?1',
  add: `INSERT INTO suppressions (number, origin, note, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (number) DO NOTHING`,
  lift: 'DELETE FROM suppressions WHERE number = ?1',
  record: `INSERT INTO consent_records (id, number, kind, origin, note, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (id) DO NOTHING`,
} as const;

export async function readSuppression(db: D1Database, number: string): Promise<Suppression | null> {
  const row = await db
    .prepare(SUPPRESSION_SQL.read)
    .bind(number)
    .first<Omit<Suppression, 'created_at'> & { created_at: number }>();
  return row && { ...row, created_at: iso(row.created_at) };
}

/** A change of consent: whose number, how it came, and when. */
export interface ConsentChange {
  /** E.164. */
  readonly number: string;
  readonly origin: ConsentOrigin;
  readonly note: string | null;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Opts a number out. An opt-out that stands is not changed; the record is kept all the same. */
export async function optOut(db: D1Database, change: ConsentChange): Promise<void> {
  const { number, origin, note, at } = change;
  await write(db, db.prepare(SUPPRESSION_SQL.add).bind(number, origin, note, at), 'opt_out', change);
}

/** A new, explicit opt-in on this number: the only thing that lifts an opt-out. */
export async function optIn(db: D1Database, change: ConsentChange): Promise<void> {
  await write(db, db.prepare(SUPPRESSION_SQL.lift).bind(change.number), 'opt_in', change);
}

async function write(
  db: D1Database,
  effect: D1PreparedStatement,
  kind: 'opt_out' | 'opt_in',
  { number, origin, note, at }: ConsentChange,
): Promise<void> {
  const record = db.prepare(SUPPRESSION_SQL.record).bind(newId('con'), number, kind, origin, note, at);
  await retryIdempotent(() => db.batch([effect, record]));
}
