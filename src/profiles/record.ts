/** One record of a feed, or one PUT, read as a profile: the reserved names in any case, the rest are attributes. */
import { type FieldError, readAttributes, reservedName } from '../domain/attributes.ts';
import type { CountryCode } from '../domain/phone.ts';
import { externalId, timestamp } from '../platform/fields.ts';
import { isJsonObject, jsonComplaint } from '../platform/json.ts';
import type { ProfileWrite } from './profile.ts';

/** Attributes of one profile, as JSON text. They ride along in every decision for this customer. */
const MAX_ATTRIBUTES_LENGTH = 20_000;

/** Clocks differ, and time zones are mistaken; more than a day ahead is an error. */
const MAX_AHEAD_MS = 86_400_000;

export interface RecordDefaults {
  /** The time of values that name none themselves, milliseconds since 1970. */
  readonly updatedAt: number;
  readonly defaultCountry?: CountryCode | undefined;
}

export type ParsedRecord =
  | { readonly ok: true; readonly profile: ProfileWrite }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** Reads one record. A column that is absent is not spoken of; one that is blank or null says “missing”. */
export function readRecord(
  record: Readonly<Record<string, unknown>>,
  defaults: RecordDefaults,
): ParsedRecord {
  const errors: FieldError[] = [];
  const id = externalId.safeParse(record.customer_id);
  if (!id.success)
    errors.push({ path: 'customer_id', message: id.error.issues[0]?.message ?? 'is not valid' });

  const reserved = readAttributes(record, 'record', defaults.defaultCountry);
  if ('errors' in reserved) {
    errors.push(...reserved.errors.map((error) => ({ ...error, path: error.path.replace(/^record\./, '') })));
  }
  const updatedAt = readTime(record.updated_at, defaults.updatedAt);
  if (updatedAt === null) {
    errors.push({ path: 'updated_at', message: 'must be an ISO 8601 time with a zone, or blank' });
  } else if (updatedAt > defaults.updatedAt + MAX_AHEAD_MS) {
    errors.push({ path: 'updated_at', message: 'lies in the future; nothing newer could ever be stored' });
  }
  const attributes = attributesOf(record);
  if (typeof record.attributes === 'string' && record.attributes !== '') {
    errors.push({
      path: 'attributes',
      message: 'must be a JSON object; in CSV, give each attribute a column',
    });
  }
  const complaint = jsonComplaint(record) ?? (attributes && sizeComplaint(attributes));
  if (complaint) errors.push({ path: '(row)', message: complaint });
  if (!id.success || 'errors' in reserved || updatedAt === null || errors.length > 0)
    return { ok: false, errors };

  const spokenOf = new Set(Object.keys(record).map(reservedName));
  const { MOBILE_NUMBER, SMS_CONSENT, SMS_VALID } = reserved.attributes;
  return {
    ok: true,
    profile: {
      customer_id: id.data,
      MOBILE_NUMBER: spokenOf.has('MOBILE_NUMBER') ? MOBILE_NUMBER : undefined,
      SMS_CONSENT: spokenOf.has('SMS_CONSENT') ? SMS_CONSENT : undefined,
      SMS_VALID: spokenOf.has('SMS_VALID') ? SMS_VALID : undefined,
      attributes,
      updated_at: updatedAt,
    },
  };
}

export const OWN_COLUMNS = new Set(['customer_id', 'updated_at', 'attributes']);

/** `attributes` itself and every further column; `undefined` where the record has neither. */
function attributesOf(record: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const further = Object.entries(record).filter(
    ([key]) => !OWN_COLUMNS.has(key) && reservedName(key) === null,
  );
  const given = record.attributes;
  const nested = isJsonObject(given) ? given : undefined;
  if (further.length === 0 && nested === undefined) return undefined;
  return { ...Object.fromEntries(further), ...nested };
}

function sizeComplaint(attributes: Record<string, unknown>): string | null {
  return JSON.stringify(attributes).length > MAX_ATTRIBUTES_LENGTH
    ? `must have at most ${MAX_ATTRIBUTES_LENGTH} characters as JSON`
    : null;
}

/** Milliseconds since 1970; `null` where it is no time. */
function readTime(value: unknown, fallback: number): number | null {
  if (value === undefined || value === null || value === '') return fallback;
  const time = timestamp.safeParse(value);
  return time.success ? Date.parse(time.data) : null;
}
