/**
 * Field names that stand for one of our attributes without any mapping: exact names, never parts of names. A number's
 * presence says nothing about consent, so each attribute has names of its own. Described in docs/sources/README.md.
 */
import { type Flag, RESERVED, type ReservedName, readFlag, reservedName } from '../../domain/attributes.ts';
import { isPrototypeName } from '../../platform/json.ts';
import { idOf, textOf } from './payload.ts';

/** Earlier names win. Compared in lower case, with everything but letters and digits as one `_`: "Mobile Number", `mobileNumber`. */
export const RECOGNISED: Readonly<Record<ReservedName, readonly string[]>> = {
  MOBILE_NUMBER: [
    'mobile_number',
    'mobile',
    'mobile_phone',
    'mobile_phone_number',
    'mobilephone',
    'cell_phone',
    'cell_phone_number',
    'sms_number',
    'phone_number',
    'phone',
  ],
  SMS_CONSENT: [
    'sms_consent',
    'sms_opt_in',
    'sms_optin',
    'sms_marketing_consent',
    'accepts_sms',
    'allow_sms',
  ],
  SMS_VALID: ['sms_valid', 'mobile_verified', 'mobile_number_verified', 'is_mobile_verified'],
};

export const CUSTOMER_NAMES = ['customer_id', 'user_id', 'profile_id', 'contact_id', 'external_id'] as const;
export const TIME_NAMES = ['occurred_at', 'submitted_at', 'timestamp', 'created_at'] as const;

/** One answer or member, and every name that it goes by. */
export interface Field {
  readonly names: readonly string[];
  readonly value: unknown;
}

/** A name as it is compared: `smsConsent`, "SMS consent" and `sms-consent` are all `sms_consent`. Linear in its length. */
export function plainName(name: string): string {
  if (name.length > 200) return '';
  const parts = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]/u);
  return parts.filter((part) => part !== '').join('_');
}

/** A text fit for the key of an object. */
export function nameOf(value: unknown): string | null {
  const text = textOf(value);
  return text === null || isPrototypeName(text) ? null : text;
}

export function fieldsOf(value: Readonly<Record<string, unknown>>): Field[] {
  return Object.entries(value).map(([name, inner]) => ({ names: [name], value: inner }));
}

/** The values of the fields that go by one of the names, in the order of the names. */
export function valuesNamed(fields: readonly Field[], names: readonly string[]): unknown[] {
  const named = fields.map(({ names: own, value }) => ({ own: own.map(plainName), value }));
  return names.flatMap((name) => named.filter(({ own }) => own.includes(name)).map(({ value }) => value));
}

export type Given = Readonly<Partial<Record<ReservedName, unknown>>>;

/** The attributes that fields say by a recognised name. */
export function recognise(fields: readonly Field[]): Given {
  return {
    MOBILE_NUMBER: firstNumber(valuesNamed(fields, RECOGNISED.MOBILE_NUMBER)),
    SMS_CONSENT: oneFlag(valuesNamed(fields, RECOGNISED.SMS_CONSENT)),
    SMS_VALID: oneFlag(valuesNamed(fields, RECOGNISED.SMS_VALID)),
  };
}

export function customerIn(fields: readonly Field[]): string | null {
  return idOf(...valuesNamed(fields, CUSTOMER_NAMES));
}

/** The first value that is a text or a number; whether it can be texted is not for here. */
export function firstNumber(values: readonly unknown[]): string | null {
  return values.map(textOf).find((text) => text !== null) ?? null;
}

/** What fields of one meaning say together: a no beats a yes, and what is neither says nothing. */
export function oneFlag(values: readonly unknown[]): Flag {
  const flags = values.map(readFlag);
  if (flags.includes(false)) return false;
  return flags.includes(true) ? true : null;
}

/**
 * An event's data: the rest as it came, and the attributes that were found under their own names. Another spelling of a
 * found attribute in the rest gives way, so that no event holds two values for one name.
 */
export function dataOf(
  rest: Readonly<Record<string, unknown>>,
  ...given: readonly Given[]
): Record<string, unknown> {
  const found = RESERVED.flatMap((name) => {
    const value = given.map((one) => one[name]).find((one) => one !== null && one !== undefined);
    return value === undefined ? [] : [[name, value] as const];
  });
  const names = new Set<string>(found.map(([name]) => name));
  const kept = Object.entries(rest).filter(
    ([key, value]) => value !== undefined && !names.has(reservedName(key) ?? ''),
  );
  return Object.fromEntries([...kept, ...found]);
}
