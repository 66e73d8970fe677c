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

/** Opts a number out. An opt-out that stands is not changed; the record is kept all the same. */
export async function optOut(
  db: D1Database,
  number: string,
  origin: ConsentOrigin,
  note: string | null,
  now: number,
): Promise<void> {
  const recordId = newId('con');
  await retryIdempotent(() =>
    db.batch([
      db.prepare(SUPPRESSION_SQL.add).bind(number, origin, note, now),
      db.prepare(SUPPRESSION_SQL.record).bind(recordId, number, 'opt_out', origin, note, now),
    ]),
  );
}

/** A new, explicit opt-in on this number: the only thing that lifts an opt-out. */
export async function optIn(
  db: D1Database,
  number: string,
  origin: ConsentOrigin,
  note: string | null,
  now: number,
): Promise<void> {
  const recordId = newId('con');
  await retryIdempotent(() =>
    db.batch([
      db.prepare(SUPPRESSION_SQL.lift).bind(number),
      db.prepare(SUPPRESSION_SQL.record).bind(recordId, number, 'opt_in', origin, note, now),
    ]),
  );
}
