/**
 * The profile store in D1. Every write of a profile goes through the statements of this file: whole batches that write
 * nothing for unchanged rows and change nothing where something newer is stored.
 */
import type { Flag } from '../domain/attributes.ts';
import { profilesWritten } from '../ledger/waiting.ts';
import { retryIdempotent } from '../platform/retry.ts';
import { jsonChunks } from '../platform/sql.ts';
import type { ProfileRow, ProfileWrite } from './profile.ts';

/**
 * A profile to be written, as the statements take it: customer id, mask, number as given, E.164, consent, validity,
 * attributes, time. The mask says of what the row speaks; what it does not speak of keeps its stored value.
 */
export type WriteRow = readonly [
  customer_id: string,
  mask: number,
  mobile_number: string | null,
  e164: string | null,
  sms_consent: 0 | 1 | null,
  sms_valid: 0 | 1 | null,
  attributes: Readonly<Record<string, unknown>> | null,
  updated_at: number,
];

/** Bits of a row's mask. */
export const SPEAKS_OF = {
  number: 1,
  consent: 2,
  valid: 4,
  /** Attributes are merged into the stored ones; null removes one (RFC 7396). */
  attributes: 8,
  /** Attributes take the place of all stored ones. */
  allAttributes: 16,
  /** The time is the row's own: it is written even where it brings nothing else, so that nothing older can win. */
  ownTime: 32,
} as const;

const GIVEN = `given AS MATERIALIZED (SELECT value ->> 0 AS customer_id, value ->> 1 AS mask, value ->> 2 AS mobile_number,
    value ->> 3 AS e164, value ->> 4 AS sms_consent, value ->> 5 AS sms_valid, value -> 6 AS attributes, value ->> 7 AS updated_at
  FROM json_each(?1))`;

/** The batch beside what is stored, without rows that are older. */
const MERGED = `merged AS MATERIALIZED (SELECT b.customer_id, p.customer_id IS NULL AS is_new, b.updated_at,
    iif(b.mask & 1, b.mobile_number, p.mobile_number) AS mobile_number, iif(b.mask & 1, b.e164, p.e164) AS e164,
    iif(b.mask & 2, b.sms_consent, p.sms_consent) AS sms_consent, iif(b.mask & 4, b.sms_valid, p.sms_valid) AS sms_valid,
    CASE WHEN b.mask & 16 THEN json(b.attributes) WHEN b.mask & 8 THEN json_patch(coalesce(p.attributes, '{}'), b.attributes)
      ELSE coalesce(p.attributes, '{}') END AS attributes,
    b.mask & 32 AND p.updated_at < b.updated_at AS is_newer
  FROM given b LEFT JOIN profiles p ON p.customer_id = b.customer_id WHERE p.customer_id IS NULL OR p.updated_at <= b.updated_at)`;

/** Of the merged rows those that bring something. */
const NEWS = `FROM merged v LEFT JOIN profiles p ON p.customer_id = v.customer_id
  WHERE (v.is_new OR v.is_newer OR p.mobile_number IS NOT v.mobile_number OR p.e164 IS NOT v.e164
    OR p.sms_consent IS NOT v.sms_consent OR p.sms_valid IS NOT v.sms_valid OR p.attributes <> v.attributes)`;

const upsert = (condition: string): string => `WITH ${GIVEN}, ${MERGED}
  INSERT INTO profiles (customer_id, mobile_number, e164, sms_consent, sms_valid, attributes, updated_at, written_at)
    SELECT v.customer_id, v.mobile_number, v.e164, v.sms_consent, v.sms_valid, v.attributes, v.updated_at, ?2 ${NEWS} ${condition}
    ON CONFLICT (customer_id) DO UPDATE SET mobile_number = excluded.mobile_number, e164 = excluded.e164,
      sms_consent = excluded.sms_consent, sms_valid = excluded.sms_valid, attributes = excluded.attributes,
      updated_at = excluded.updated_at, written_at = excluded.written_at`;

const HAS_VALUES = `(mobile_number IS NOT NULL OR sms_consent IS NOT NULL OR sms_valid IS NOT NULL OR attributes <> '{}')`;

/** A run writes only while it holds its claim, and each chunk once. */
const holds = (counter: string): string =>
  `AND EXISTS (SELECT 1 FROM sync_runs WHERE id = ?3 AND claim_id = ?4 AND ${counter} = ?5 AND state = 'running')`;

const STALE = `SELECT count(*) FROM json_each(?1) j CROSS JOIN profiles p ON p.customer_id = j.value ->> 0
  WHERE p.updated_at > j.value ->> 7`;

export const PROFILE_SQL = {
  read: `SELECT customer_id, mobile_number, e164, sms_consent, sms_valid, attributes, updated_at
    FROM profiles WHERE customer_id = ?1`,
  /** Rows of a batch that are older than what is stored. */
  stale: STALE,
  upsert: `${upsert('')} RETURNING customer_id`,
  /** The same by a sync run. */
  upsertChunk: upsert(holds('chunks_written')),
  /** How many rows of a batch would be written. */
  news: `WITH ${GIVEN}, ${MERGED} SELECT count(*) AS n ${NEWS}`,
  /** Customers of whom something is known that a full feed of that time may clear, in their order. */
  clearable: `SELECT customer_id FROM profiles WHERE customer_id > ?1 AND updated_at <= ?2 AND ${HAS_VALUES} ORDER BY customer_id LIMIT ?3`,
  /** What is cleared stays as a row that says “missing”, with the feed's time: nothing older brings it back. */
  clearChunk: `UPDATE profiles SET mobile_number = NULL, e164 = NULL, sms_consent = NULL, sms_valid = NULL, attributes = '{}',
      updated_at = ?6, written_at = ?2
    WHERE customer_id IN (SELECT value FROM json_each(?1)) AND updated_at <= ?6 AND ${HAS_VALUES} ${holds('absent_cleared')}`,
} as const;

export interface UpsertResult {
  /** Ids of the customers whose rows were written. */
  readonly changed: readonly string[];
  /** Rows older than what is stored; they change nothing. */
  readonly stale: number;
  /** Rows that say nothing new. */
  readonly unchanged: number;
}

export async function readProfile(db: D1Database, customerId: string): Promise<ProfileRow | null> {
  return await db.prepare(PROFILE_SQL.read).bind(customerId).first<ProfileRow>();
}

/** Upserts profiles in one transaction. Customer ids must be distinct within the batch. */
export async function upsertProfiles(
  db: D1Database,
  profiles: readonly ProfileWrite[],
  now: number,
): Promise<UpsertResult> {
  const statements = jsonChunks(profiles.map(writeRow)).flatMap((rows) => [
    db.prepare(PROFILE_SQL.stale).bind(rows),
    db.prepare(PROFILE_SQL.upsert).bind(rows, now),
    ...profilesWritten(db, rows, now),
  ]);
  const results = await retryIdempotent(() =>
    db.batch<{ 'count(*)'?: number; customer_id?: string }>(statements),
  );
  const rows = results.flatMap((result) => result.results);
  const stale = rows.reduce((sum, row) => sum + (row['count(*)'] ?? 0), 0);
  const changed = rows.flatMap((row) => row.customer_id ?? []);
  return { changed, stale, unchanged: profiles.length - stale - changed.length };
}

/** A profile in the form that the statements take. */
export function writeRow(profile: ProfileWrite): WriteRow {
  const { MOBILE_NUMBER: phone, SMS_CONSENT: consent, SMS_VALID: valid, attributes } = profile;
  const mask =
    (phone === undefined ? 0 : SPEAKS_OF.number) |
    (consent === undefined ? 0 : SPEAKS_OF.consent) |
    (valid === undefined ? 0 : SPEAKS_OF.valid) |
    (attributes === undefined ? 0 : profile.merge ? SPEAKS_OF.attributes : SPEAKS_OF.allAttributes) |
    (profile.ownTime ? SPEAKS_OF.ownTime : 0);
  return [
    profile.customer_id,
    mask,
    phone?.raw ?? null,
    phone?.e164 ?? null,
    flagValue(consent),
    flagValue(valid),
    attributes ?? null,
    profile.updated_at,
  ];
}

function flagValue(flag: Flag | undefined): 0 | 1 | null {
  if (flag === undefined || flag === null) return null;
  return flag ? 1 : 0;
}
