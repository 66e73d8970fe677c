/** The profile store in D1: many upserts in one statement that writes nothing for unchanged rows. */
import type { Flag } from '../domain/attributes.ts';
import { profilesWritten } from '../ledger/waiting.ts';
import { retryIdempotent } from '../platform/retry.ts';
import { jsonChunks } from '../platform/sql.ts';
import type { ProfileRow, ProfileWrite } from './profile.ts';

/** A batch beside what is stored; a member that is absent from the JSON keeps its stored value. */
const BATCH = `(SELECT j.value ->> 'customer_id' AS customer_id,
    iif(json_type(j.value, '$.mobile_number') IS NULL, p.mobile_number, j.value ->> 'mobile_number') AS mobile_number,
    iif(json_type(j.value, '$.mobile_number') IS NULL, p.e164, j.value ->> 'e164') AS e164,
    iif(json_type(j.value, '$.sms_consent') IS NULL, p.sms_consent, j.value ->> 'sms_consent') AS sms_consent,
    iif(json_type(j.value, '$.sms_valid') IS NULL, p.sms_valid, j.value ->> 'sms_valid') AS sms_valid,
    coalesce(j.value ->> 'attributes', p.attributes, '{}') AS attributes,
    j.value ->> 'updated_at' AS updated_at
  FROM json_each(?1) j LEFT JOIN profiles p ON p.customer_id = j.value ->> 'customer_id')`;

/** Whether a row of the batch (`b`) says the same as the stored one (`p`). */
const SAME = `p.mobile_number IS b.mobile_number AND p.e164 IS b.e164 AND p.sms_consent IS b.sms_consent
  AND p.sms_valid IS b.sms_valid AND p.attributes = b.attributes`;

export const PROFILE_SQL = {
  read: `SELECT customer_id, mobile_number, e164, sms_consent, sms_valid, attributes, updated_at
    FROM profiles WHERE customer_id = ?1`,
  /** How many rows of a batch are older than what is stored, and how many say nothing new. */
  compare: `SELECT coalesce(sum(p.updated_at > b.updated_at), 0) AS stale,
      coalesce(sum(p.updated_at <= b.updated_at AND ${SAME}), 0) AS unchanged
    FROM ${BATCH} b JOIN profiles p ON p.customer_id = b.customer_id`,
  upsert: `INSERT INTO profiles (customer_id, mobile_number, e164, sms_consent, sms_valid, attributes, updated_at, written_at)
    SELECT b.*, ?2 FROM ${BATCH} b WHERE true
    ON CONFLICT (customer_id) DO UPDATE SET
      mobile_number = excluded.mobile_number, e164 = excluded.e164, sms_consent = excluded.sms_consent,
      sms_valid = excluded.sms_valid, attributes = excluded.attributes, updated_at = excluded.updated_at,
      written_at = excluded.written_at
    WHERE profiles.updated_at <= excluded.updated_at
      AND (?3 OR profiles.mobile_number IS NOT excluded.mobile_number OR profiles.e164 IS NOT excluded.e164
        OR profiles.sms_consent IS NOT excluded.sms_consent OR profiles.sms_valid IS NOT excluded.sms_valid
        OR profiles.attributes <> excluded.attributes)`,
} as const;

export interface UpsertCounts {
  readonly changed: number;
  readonly unchanged: number;
  /** Rows older than what is stored; they change nothing. */
  readonly stale: number;
}

export async function readProfile(db: D1Database, customerId: string): Promise<ProfileRow | null> {
  return await db.prepare(PROFILE_SQL.read).bind(customerId).first<ProfileRow>();
}

/**
 * Upserts profiles in one transaction. Customer ids must be distinct within the batch.
 *
 * @param confirm also write what is unchanged, with its newer time: somebody said it again. Feeds do not, so that a
 *   nightly batch writes nothing for unchanged rows.
 */
export async function upsertProfiles(
  db: D1Database,
  profiles: readonly ProfileWrite[],
  now: number,
  confirm = false,
): Promise<UpsertCounts> {
  const chunks = jsonChunks(profiles.map(toRow));
  const upserts = chunks.flatMap((chunk) => [
    db.prepare(PROFILE_SQL.compare).bind(chunk),
    db.prepare(PROFILE_SQL.upsert).bind(chunk, now, Number(confirm)),
  ]);
  const statements = [...upserts, ...chunks.flatMap((chunk) => profilesWritten(db, chunk, now))];
  const results = await retryIdempotent(() => db.batch<{ stale: number; unchanged: number }>(statements));
  let stale = 0;
  let unchanged = 0;
  for (let i = 0; i < upserts.length; i += 2) {
    stale += results[i]?.results[0]?.stale ?? 0;
    unchanged += results[i]?.results[0]?.unchanged ?? 0;
  }
  return { changed: profiles.length - stale - unchanged, unchanged, stale };
}

/** `undefined` members are left out of the JSON, which is how the statement knows that they are not spoken of. */
function toRow(profile: ProfileWrite): Record<string, string | number | null | undefined> {
  const { MOBILE_NUMBER: phone } = profile;
  const flag = (value: Flag | undefined): number | null | undefined =>
    value === undefined || value === null ? value : Number(value);
  return {
    customer_id: profile.customer_id,
    mobile_number: phone === undefined ? undefined : (phone?.raw ?? null),
    e164: phone?.e164 ?? null,
    sms_consent: flag(profile.SMS_CONSENT),
    sms_valid: flag(profile.SMS_VALID),
    attributes: profile.attributes && JSON.stringify(profile.attributes),
    updated_at: profile.updated_at,
  };
}
