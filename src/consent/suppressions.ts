/**
 * Suppressions: numbers that must not be texted. Each change is written with its consent record in one transaction,
 * before it is answered, so that no later claim for the number can succeed. Carriers deliver twice and out of order: the
 * newest word of a person counts, and each word once.
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

/** Carriers date texts in whole seconds. Within one, the word that comes in later counts. */
const WHOLE_SECOND_MS = 999;

export const SUPPRESSION_SQL = {
  read: 'SELECT number, origin, note, created_at FROM suppressions WHERE number = ?1',
  /** Unless the same word was counted before (`?5`), or the person opted in after it. */
  add: `INSERT INTO suppressions (number, origin, note, created_at)
    SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM consent_records WHERE id = ?5)
      AND NOT EXISTS (SELECT 1 FROM consent_records WHERE number = ?1 AND at > ?4 + ${WHOLE_SECOND_MS} AND kind = 'opt_in')
    ON CONFLICT (number) DO UPDATE SET created_at = max(created_at, excluded.created_at)`,
  /** Unless the same word was counted before (`?3`), or the person opted out after it. */
  lift: `DELETE FROM suppressions WHERE number = ?1 AND created_at <= ?2 + ${WHOLE_SECOND_MS}
    AND NOT EXISTS (SELECT 1 FROM consent_records WHERE id = ?3)`,
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
  /** When it was said, milliseconds since 1970. */
  readonly at: number;
  /** The same for every delivery of the same word, so that a repetition has no effect; random where it is left out. */
  readonly recordId?: string;
}

/** Opts a number out. An opt-out that stands is not changed; the record is kept all the same. */
export async function optOut(db: D1Database, change: ConsentChange): Promise<void> {
  const { number, origin, note, at } = change;
  const recordId = change.recordId ?? newId('con');
  await write(
    db,
    db.prepare(SUPPRESSION_SQL.add).bind(number, origin, note, at, recordId),
    'opt_out',
    recordId,
    change,
  );
}

/** A new, explicit opt-in on this number: the only thing that lifts an opt-out. */
export async function optIn(db: D1Database, change: ConsentChange): Promise<void> {
  const recordId = change.recordId ?? newId('con');
  const lift = db.prepare(SUPPRESSION_SQL.lift).bind(change.number, change.at, recordId);
  await write(db, lift, 'opt_in', recordId, change);
}

async function write(
  db: D1Database,
  effect: D1PreparedStatement,
  kind: 'opt_out' | 'opt_in',
  recordId: string,
  { number, origin, note, at }: ConsentChange,
): Promise<void> {
  const record = db.prepare(SUPPRESSION_SQL.record).bind(recordId, number, kind, origin, note, at);
  await retryIdempotent(() => db.batch([effect, record]));
}
