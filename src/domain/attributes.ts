/** The three reserved attributes, read from what a form or a feed says. */
import { type CountryCode, type Phone, readPhone } from './phone.ts';

export const RESERVED = ['MOBILE_NUMBER', 'SMS_CONSENT', 'SMS_VALID'] as const;
export type ReservedName = (typeof RESERVED)[number];

/** `null` is missing. */
export type Flag = boolean | null;

/** What one side (a profile or an event) says. */
export interface Attributes {
  readonly MOBILE_NUMBER: Phone | null;
  readonly SMS_CONSENT: Flag;
  readonly SMS_VALID: Flag;
}

export const NO_ATTRIBUTES: Attributes = { MOBILE_NUMBER: null, SMS_CONSENT: null, SMS_VALID: null };

/** What is wrong with a field, and how to mend it. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

const TRUE_WORDS = new Set(['true', '1', 'yes', 'y', 'on']);
const FALSE_WORDS = new Set(['false', '0', 'no', 'n', 'off']);

/** Reads a flag: true/false, 1/0, yes/no, y/n, on/off in any case; blank and null are missing; else `undefined`. */
export function readFlag(value: unknown): Flag | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const word = String(value).trim().toLowerCase();
  if (word === '') return null;
  if (TRUE_WORDS.has(word)) return true;
  if (FALSE_WORDS.has(word)) return false;
  return undefined;
}

/** Reads MOBILE_NUMBER: a string or null; blank is missing; a string that is no phone number is unusable, no error. */
export function readNumber(value: unknown, defaultCountry?: CountryCode): Phone | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') return undefined;
  return isBlank(value) ? null : readPhone(value.trim(), defaultCountry);
}

/** The reserved name that a key spells in any case, or `null`. */
export function reservedName(key: string): ReservedName | null {
  const upper = key.toUpperCase();
  return RESERVED.find((name) => name === upper) ?? null;
}

/**
 * Picks the reserved attributes out of event data or a profile, in any spelling.
 *
 * @param path prefix for error paths, such as `data`.
 * @returns the attributes, or every error: a wrong type, or two spellings of one name with different values.
 */
export function readAttributes(
  data: Readonly<Record<string, unknown>>,
  path: string,
  defaultCountry?: CountryCode,
): { readonly attributes: Attributes } | { readonly errors: readonly FieldError[] } {
  const errors: FieldError[] = [];
  const found = new Map<ReservedName, { key: string; value: Phone | Flag }>();
  for (const key of Object.keys(data)) {
    const name = reservedName(key);
    if (name === null) continue;
    const value = name === 'MOBILE_NUMBER' ? readNumber(data[key], defaultCountry) : readFlag(data[key]);
    if (value === undefined) {
      errors.push({ path: `${path}.${key}`, message: MESSAGES[name] });
      continue;
    }
    const earlier = found.get(name);
    if (earlier && !sameValue(earlier.value, value)) {
      errors.push({
        path: `${path}.${key}`,
        message: `${earlier.key} and ${key} are two spellings of ${name} with different values; send one of them`,
      });
    }
    found.set(name, { key, value });
  }
  if (errors.length > 0) return { errors };
  return {
    attributes: {
      MOBILE_NUMBER: (found.get('MOBILE_NUMBER')?.value ?? null) as Phone | null,
      SMS_CONSENT: (found.get('SMS_CONSENT')?.value ?? null) as Flag,
      SMS_VALID: (found.get('SMS_VALID')?.value ?? null) as Flag,
    },
  };
}

const FLAG_MESSAGE =
  'must be true or false (also 1/0, yes/no, y/n, on/off), or null or blank where it is not known';
const MESSAGES: Readonly<Record<ReservedName, string>> = {
  MOBILE_NUMBER: 'must be a string such as "+14155550123", or null; put the number in quotes',
  SMS_CONSENT: FLAG_MESSAGE,
  SMS_VALID: FLAG_MESSAGE,
};

function sameValue(a: Phone | Flag, b: Phone | Flag): boolean {
  if (isPhone(a) && isPhone(b)) return (a.e164 ?? a.raw) === (b.e164 ?? b.raw);
  return a === b;
}

function isPhone(value: Phone | Flag): value is Phone {
  return typeof value === 'object' && value !== null;
}

/** Nothing but white space and invisible characters. */
export function isBlank(text: string): boolean {
  return text.replace(/[\s\p{Cf}]/gu, '') === '';
}
