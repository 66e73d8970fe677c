/** MOBILE_NUMBER at the speed of a feed: the same answer as `readPhone`, without its work where the answer is plain. */
import { type CountryCode, type Phone, readPhone } from '../domain/phone.ts';

/**
 * North American numbers as most systems write them. Ten digits make them possible, and 900 is what makes them premium-rate; a
 * property test holds this to `readPhone`.
 */
const PLAIN = /^\+1(?!900)[2-9]\d{9}$/;

export function readFeedNumber(raw: string, country: CountryCode | undefined): Pick<Phone, 'raw' | 'e164'> {
  return PLAIN.test(raw) ? { raw, e164: raw } : readPhone(raw, country);
}
