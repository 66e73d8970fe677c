/**
 * Suppressions: numbers that must not be texted. Each change is written with its consent record in one transaction,
 * before it is answered, so that no later claim for the number can succeed. Carriers deliver twice and out of order: the
 * newest word of a person counts, and each word once.
 */
import type { ConsentScope } from '../domain/consent-scope.ts';
import { newId } from '../platform/ids.ts';
import { retryIdempotent } from '../platform/retry.ts';

export const CONSENT_ORIGINS = ['sms', 'api', 'link', 'mail', 'call', 'web', 'provider', 'review'] as const;
export type ConsentOrigin = (typeof CONSENT_ORIGINS)[number];

/** Carriers date texts in whole seconds. Within one, the word that comes in later counts. */
const WHOLE_SECOND_MS = 999;

/** A person opted in after `?4`. A reviewer's judgement is no word of that person. */
const NEWER_OPT_IN = `SELECT 1 FROM consent_records WHERE number = ?1 AND at > ?4 + ${WHOLE_SECOND_MS}
  AND kind = 'opt_in' AND origin <> 'review'`;

export const SUPPRESSION_SQL = {
  /** Unless the same word was counted before (`?5`), or the person opted in after it. The wider reach stands. */
  add: `INSERT INTO suppressions (number, origin, note, created_at, scope)
    SELECT ?1, ?2, ?3, ?4, ?6 WHERE NOT EXISTS (SELECT 1 FROM consent_records WHERE id = ?5)
      AND NOT EXISTS (${NEWER_OPT_IN})
    ON CONFLICT (number) DO UPDATE SET created_at = max(created_at, excluded.created_at),
      scope = CASE WHEN 'all' IN (scope, excluded.scope) THEN 'all' ELSE 'marketing' END`,
  /** Unless the same word was counted before (`?3`), or the person opted out after it. */
  lift: `DELETE FROM suppressions WHERE number = ?1 AND created_at <= ?2 + ${WHOLE_SECOND_MS}
    AND NOT EXISTS (SELECT 1 FROM consent_records WHERE id = ?3)`,
  record: `INSERT INTO consent_records (id, number, kind, origin, note, at, scope, message_id, source_id, evidence, review)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING`,
} as const;

/** A change of consent: whose number, how it came, and when. */
export interface ConsentChange {
  /** E.164. */
  readonly number: string;
  readonly origin: ConsentOrigin;
  readonly note: string | null;
  /** When it was said, milliseconds since 1970. */
  readonly at: number;
  /** How far it reaches; all of it where left out. */
  readonly scope?: ConsentScope;
  /** The same for every delivery of the same word, so that a repetition has no effect; random where it is left out. */
  readonly recordId?: string;
  /** The message that it answers or came with. */
  readonly messageId?: string | null;
  /** The API key that reported it. */
  readonly sourceId?: string | null;
  /** What proves it: the text as received, the rule that read it. */
  readonly evidence?: Readonly<Record<string, unknown>> | null;
  /** Read in doubt: a person should look. */
  readonly review?: boolean;
}

/** Opts a number out. An opt-out that stands is only widened; the record is kept all the same. */
export async function optOut(db: D1Database, change: ConsentChange): Promise<void> {
  await retryIdempotent(() => db.batch(optOutStatements(db, change, change.recordId ?? newId('con'))));
}

/** A new, explicit opt-in on this number: the only thing that lifts an opt-out. */
export async function optIn(db: D1Database, change: ConsentChange): Promise<void> {
  await retryIdempotent(() => db.batch(optInStatements(db, change, change.recordId ?? newId('con'))));
}

/** For a transaction that does more: the effect, then its record. */
export function optOutStatements(
  db: D1Database,
  change: ConsentChange,
  recordId: string,
): D1PreparedStatement[] {
  const { number, origin, note, at, scope = 'all' } = change;
  const add = db.prepare(SUPPRESSION_SQL.add).bind(number, origin, note, at, recordId, scope);
  return [add, recordOf(db, 'opt_out', recordId, change)];
}

export function optInStatements(
  db: D1Database,
  change: ConsentChange,
  recordId: string,
): D1PreparedStatement[] {
  const lift = db.prepare(SUPPRESSION_SQL.lift).bind(change.number, change.at, recordId);
  return [lift, recordOf(db, 'opt_in', recordId, change)];
}

export function recordOf(
  db: D1Database,
  kind: 'opt_out' | 'opt_in',
  recordId: string,
  change: ConsentChange,
): D1PreparedStatement {
  const {
    number,
    origin,
    note,
    at,
    scope = 'all',
    messageId = null,
    sourceId = null,
    evidence,
    review,
  } = change;
  const proof = evidence ? JSON.stringify(evidence) : null;
  return db
    .prepare(SUPPRESSION_SQL.record)
    .bind(recordId, number, kind, origin, note, at, scope, messageId, sourceId, proof, review ? 1 : 0);
}
