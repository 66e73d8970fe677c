/**
 * What providers found out about numbers. A finding (“no mobile”, “no number at all”) is the profile side's
 * `SMS_VALID: false` for that number, unless the profile is newer and says something itself.
 */
import { NO_ATTRIBUTES } from '../domain/attributes.ts';
import { iso } from '../platform/sql.ts';
import { type ProfileRow, type ProfileStatement, statementFromRow } from './profile.ts';

export const FINDING_SQL =
  'SELECT number, found_at FROM number_findings WHERE number IN (SELECT value FROM json_each(?1))';

export interface FindingRow {
  readonly number: string;
  /** Milliseconds since 1970. */
  readonly found_at: number;
}

/** When each number was found invalid. */
export type Findings = ReadonlyMap<string, number>;

export function findingsFrom(rows: readonly FindingRow[]): Findings {
  return new Map(rows.map((row) => [row.number, row.found_at]));
}

export async function readFindings(
  db: D1Database,
  numbers: readonly (string | null | undefined)[],
): Promise<Findings> {
  const known = numbers.filter((number) => number != null);
  if (known.length === 0) return new Map();
  const { results } = await db.prepare(FINDING_SQL).bind(JSON.stringify(known)).all<FindingRow>();
  return findingsFrom(results);
}

/** Whether the provider's finding beats what the row says of its own number. */
export function foundInvalid(row: ProfileRow, findings: Findings): boolean {
  const foundAt = row.e164 === null ? undefined : findings.get(row.e164);
  return beats(foundAt, row);
}

/**
 * The profile side of a decision. Where the profile has no number, the finding about the event's number counts; an unknown
 * customer then has a profile side that says nothing but this.
 *
 * @param eventNumber E.164, or `null` where the event has no usable one.
 */
export function statementWith(
  row: ProfileRow | null,
  eventNumber: string | null,
  findings: Findings,
): ProfileStatement | null {
  const number = row?.mobile_number == null ? eventNumber : row.e164;
  const foundAt = number === null ? undefined : findings.get(number);
  if (foundAt === undefined || !beats(foundAt, row)) return row && statementFromRow(row);
  const profile = row ? statementFromRow(row) : { attributes: NO_ATTRIBUTES, at: iso(foundAt), values: {} };
  return { ...profile, attributes: { ...profile.attributes, SMS_VALID: false } };
}

function beats(foundAt: number | undefined, row: ProfileRow | null): boolean {
  if (foundAt === undefined) return false;
  return row === null || row.sms_valid === null || row.updated_at <= foundAt;
}
