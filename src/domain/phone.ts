/**
 * Phone numbers as people and systems write them, read into E.164.
 *
 * libphonenumber-js with its `max` metadata: only `max` knows number types outside the geographic ones, which refusing
 * premium-rate numbers needs (cost: docs/decisions.md). The type is never used to guess “mobile”: in the North
 * American plan (+1) it can't be known from the number.
 */
import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max';

export type { CountryCode };

/** Mexico wrote mobile numbers with a 1 after the country code until 2019, and some carriers still do. */
const MEXICO_MOBILE = /^\+52\s?1(?=(?:\D*\d){10}$)/;

/** Why a string is not a number that we would text. */
export type UnusableWhy =
  | 'not_a_number'
  | 'national_without_country'
  | 'extension'
  | 'premium_rate'
  | 'too_long'
  | 'unassigned';

/** A number as it was given and as it is understood. */
export type Phone =
  | { readonly raw: string; readonly e164: string; readonly assigned: boolean; readonly why?: undefined }
  | { readonly raw: string; readonly e164: null; readonly why: UnusableWhy };

/** Longer strings are never phone numbers; RFC 3966 with parameters stays far below. Unit: UTF-16 units. */
const MAX_INPUT_LENGTH = 100;

/**
 * Reads one phone number.
 *
 * @param raw what somebody wrote: spaces, dots, brackets, `00` prefix, `tel:`, full-width digits and invisible
 *   characters are understood; an extension, letters or a second number are not.
 * @param defaultCountry ISO 3166 country for numbers in national format; without one they are unusable.
 * @returns the number in E.164, or why it is unusable. `assigned` is false for a number of possible length whose
 *   range nobody has been given yet, as far as the metadata knows.
 */
export function readPhone(raw: string, defaultCountry?: CountryCode): Phone {
  if (raw.length > MAX_INPUT_LENGTH)
    return { raw: `${raw.slice(0, MAX_INPUT_LENGTH)}…`, e164: null, why: 'too_long' };
  const text = tidy(raw);
  const parsed = parsePhoneNumberFromString(text, {
    ...(defaultCountry && { defaultCountry }),
    extract: false,
  });
  if (!parsed?.isPossible()) {
    const national = !text.startsWith('+') && defaultCountry === undefined && /^[\d\s().\-/]{6,}$/.test(text);
    return { raw, e164: null, why: national ? 'national_without_country' : 'not_a_number' };
  }
  if (parsed.ext) return { raw, e164: null, why: 'extension' };
  if (parsed.getType() === 'PREMIUM_RATE') return { raw, e164: null, why: 'premium_rate' };
  return { raw, e164: parsed.number, assigned: parsed.isValid() };
}

/** Full-width and other compatibility forms to ASCII, invisible characters out, `tel:` off, `00` to `+`. */
function tidy(raw: string): string {
  return raw
    .normalize('NFKC')
    .replace(/[\p{Cf}\p{Cc}]/gu, '')
    .trim()
    .replace(/^tel:/i, '')
    .replace(/^\(?00\)?\s*(?=[1-9])/, '+')
    .replace(MEXICO_MOBILE, '+52');
}

/** Whether a text is the ISO 3166 code of a country that has numbers. */
export function isCountry(code: string): code is CountryCode {
  return isSupportedCountry(code);
}

/**
 * Where a text to this number goes: its calling code (`+44`), and its country where the number tells it. Of numbers that a
 * calling code's countries share, such as those of satellites, it does not.
 */
export function destinationOf(e164: string): {
  readonly callingCode: string;
  readonly country: CountryCode | null;
} {
  const parsed = parsePhoneNumberFromString(e164);
  return { callingCode: `+${parsed?.countryCallingCode ?? ''}`, country: parsed?.country ?? null };
}

/** A number for logs, errors and plain words: `+14155550123` becomes `+1415•••0123`. */
export function maskNumber(e164: string): string {
  const head = e164.length >= 12 ? 5 : 3;
  const tail = e164.length >= 12 ? 4 : 2;
  return `${e164.slice(0, head)}•••${e164.slice(-tail)}`;
}

/** What somebody typed where a number belongs: only its length is shown, it might be anything. */
export function maskRaw(raw: string): string {
  return `••• (${raw.length} characters)`;
}
