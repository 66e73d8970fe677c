/** A profile as somebody PUTs it: the reserved names in any case. What feeds share with it: ids, times and sizes. */
import { type FieldError, readAttributes } from '../domain/attributes.ts';
import type { CountryCode } from '../domain/phone.ts';
import { externalId, timestamp } from '../platform/fields.ts';
import { isJsonObject } from '../platform/json.ts';
import type { ProfileWrite } from './profile.ts';

/** Attributes of one profile, as JSON text. They ride along in every decision for this customer. */
export const MAX_ATTRIBUTES_LENGTH = 20_000;

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

export const OWN_FIELDS = new Set(['customer_id', 'updated_at', 'attributes']);

/** Reads a whole profile: what is left out, blank or null is missing. */
export function readRecord(
  record: Readonly<Record<string, unknown>>,
  defaults: RecordDefaults,
): ParsedRecord {
  const errors: FieldError[] = [];
  const id = readId(record.customer_id);
  if (!id.ok) errors.push({ path: 'customer_id', message: id.message });
  const reserved = readAttributes(record, 'record', defaults.defaultCountry);
  if ('errors' in reserved) {
    errors.push(...reserved.errors.map((error) => ({ ...error, path: error.path.replace(/^record\./, '') })));
  }
  const time = readTime(record.updated_at, defaults.updatedAt);
  if ('message' in time) errors.push({ path: 'updated_at', message: time.message });
  const attributes = record.attributes ?? {};
  if (!isJsonObject(attributes)) errors.push({ path: 'attributes', message: 'must be a JSON object' });
  else if (JSON.stringify(attributes).length > MAX_ATTRIBUTES_LENGTH) {
    errors.push({ path: 'attributes', message: TOO_LONG });
  }
  if (!id.ok || 'errors' in reserved || 'message' in time || !isJsonObject(attributes) || errors.length > 0)
    return { ok: false, errors };
  return {
    ok: true,
    profile: {
      customer_id: id.value,
      ...reserved.attributes,
      attributes,
      merge: false,
      updated_at: time.at,
      // Somebody confirmed the profile, whether or not they said a time of their own.
      ownTime: true,
    },
  };
}

export const TOO_LONG = `must have at most ${MAX_ATTRIBUTES_LENGTH} characters as JSON`;

const PLAIN_ID = /^[\w.:@/+-]{1,200}$/;

/** A customer's id. Numbers, as JSON feeds have them, count as their digits. */
export function readId(
  value: unknown,
): { readonly ok: true; readonly value: string } | { readonly ok: false; readonly message: string } {
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  // Digits, or whatever can't be a property's name, need no closer look.
  if (typeof text === 'string' && PLAIN_ID.test(text) && /[\d.:@/+-]/.test(text))
    return { ok: true, value: text };
  const checked = externalId.safeParse(text);
  if (checked.success) return { ok: true, value: checked.data };
  return { ok: false, message: checked.error.issues[0]?.message ?? 'is not valid' };
}

/** Warehouses write a space for the T, "UTC" for the Z, and an offset after a space. */
const WAREHOUSE_TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?) ?(Z|UTC|[+-]\d\d:?\d\d)$/;

/**
 * The time that a record says of itself.
 *
 * @param fallback the document's time, for a record that says none.
 * @returns milliseconds since 1970 and whether they are the record's own, or what is wrong.
 */
export function readTime(
  value: unknown,
  fallback: number,
): { readonly at: number; readonly own: boolean } | { readonly message: string } {
  if (value === undefined || value === null || value === '') return { at: fallback, own: false };
  const at = millisecondsOf(value);
  if (at === null) {
    return { message: 'must be an ISO 8601 time with a zone such as "2026-11-22T10:00:00Z", or blank' };
  }
  if (at > fallback + MAX_AHEAD_MS)
    return { message: 'lies in the future; nothing newer could ever be stored' };
  return { at, own: true };
}

function millisecondsOf(value: unknown): number | null {
  if (typeof value !== 'string') return null;
  const [, day, time, zone] = WAREHOUSE_TIME.exec(value.trim()) ?? [];
  if (day === undefined || time === undefined || zone === undefined) return null;
  const offset = zone === 'Z' || zone === 'UTC' ? 'Z' : zone.replace(/^(...)(\d\d)$/, '$1:$2');
  const checked = timestamp.safeParse(`${day}T${time}${offset}`);
  return checked.success ? Date.parse(checked.data) : null;
}
