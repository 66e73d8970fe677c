import { describe, expect, it } from 'vitest';
import { maskNumber, maskRaw, readPhone } from '../../src/domain/phone.ts';

const E164 = '+14155550123';

describe('numbers as people and systems write them', () => {
  const spellings: readonly [string, string, 'US' | undefined][] = [
    ['E.164', '+14155550123', undefined],
    ['spaces', '+1 415 555 0123', undefined],
    ['dots', '+1.415.555.0123', undefined],
    ['brackets and dashes', '+1 (415) 555-0123', undefined],
    ['00 prefix', '0014155550123', undefined],
    ['00 prefix in brackets', '(00) 1 415 555 0123', undefined],
    ['tel: URI', 'tel:+1-415-555-0123', undefined],
    ['TEL: in capitals', 'TEL:+14155550123', undefined],
    ['full-width digits', '＋１ ４１５ ５５５ ０１２３', undefined],
    ['invisible characters', '\u202a+1415\u200b555\u20600123\u202c', undefined],
    ['no-break spaces', '+1\u00a0415\u00a0555\u00a00123', undefined],
    ['a tab and a newline around it', '\t+14155550123\n', undefined],
    ['national format with a country', '(415) 555-0123', 'US'],
    ['national format with trunk digit', '1 415 555 0123', 'US'],
    ['00 prefix beside a default country', '0014155550123', 'US'],
  ];
  it.each(spellings)('reads %s', (_, raw, country) => {
    expect(readPhone(raw, country)).toEqual({ raw, e164: E164, assigned: true });
  });

  it('reads other countries', () => {
    expect(readPhone('+44 7400 123456').e164).toBe('+447400123456');
    expect(readPhone('07400 123456', 'GB').e164).toBe('+447400123456');
    expect(readPhone('0170 1234567', 'DE').e164).toBe('+491701234567');
    expect(readPhone('+33 6 12 34 56 78').e164).toBe('+33612345678');
    expect(readPhone('0044 7400 123456', 'DE').e164).toBe('+447400123456');
    expect(readPhone('+521 55 1234 5678').e164).toBe('+525512345678');
    expect(readPhone('+5215512345678').e164).toBe('+525512345678');
    expect(readPhone('+525512345678').e164).toBe('+525512345678');
  });
});

describe('what is not a number that can be texted', () => {
  const unusable: readonly [string, string, string][] = [
    ['words', 'call me maybe', 'not_a_number'],
    ['an address', 'ada@example.com', 'not_a_number'],
    ['nothing but a plus', '+', 'not_a_number'],
    ['too few digits', '+1415', 'not_a_number'],
    ['too many digits', '+1415555012345678', 'not_a_number'],
    ['a short code', '72345', 'not_a_number'],
    ['a short code with a plus', '+72345', 'not_a_number'],
    ['an unknown country code', '+999 415 555 0123', 'not_a_number'],
    ['national format without a country', '(415) 555-0123', 'national_without_country'],
    ['an extension', '+1 415 555 0123 ext. 5', 'extension'],
    ['an extension in a tel: URI', 'tel:+1-415-555-0123;ext=5', 'extension'],
    ['premium rate in the North American plan', '+1 900 555 0123', 'premium_rate'],
    ['premium rate in Britain', '+44 909 8790123', 'premium_rate'],
    ['two numbers', '+14155550123 or +12125550124', 'not_a_number'],
    ['a number inside a sentence', 'my number is +14155550123', 'not_a_number'],
  ];
  it.each(unusable)('refuses %s', (_, raw, why) => {
    expect(readPhone(raw)).toEqual({ raw, e164: null, why });
  });

  it('keeps no more than a hundred characters of what is too long', () => {
    const raw = '9'.repeat(5000);
    expect(readPhone(raw)).toEqual({ raw: `${'9'.repeat(100)}…`, e164: null, why: 'too_long' });
  });

  it('keeps exactly one hundred characters as a candidate', () => {
    expect(readPhone(`+14155550123${' '.repeat(88)}`).e164).toBe(E164);
    expect(readPhone(`+14155550123${' '.repeat(89)}`).e164).toBeNull();
  });

  it('takes a possible number of an unassigned range for a number, and says so', () => {
    expect(readPhone('+1 200 555 0123')).toEqual({
      raw: '+1 200 555 0123',
      e164: '+12005550123',
      assigned: false,
    });
  });

  it('never takes words for national format', () => {
    expect(readPhone('12a45678').why).toBe('not_a_number');
    expect(readPhone('12345').why).toBe('not_a_number');
    expect(readPhone('4155550123x').why).toBe('not_a_number');
    expect(readPhone('41', 'US').why).toBe('not_a_number');
    expect(readPhone('1234567890123456', 'US').why).toBe('not_a_number');
    expect(readPhone('+1234567').why).toBe('not_a_number');
    expect(readPhone('1 tel:415 555 0123').why).toBe('not_a_number');
  });
});

describe('masking', () => {
  it('shows country, area and the last four digits', () => {
    expect(maskNumber('+14155550123')).toBe('+1415•••0123');
    expect(maskNumber('+447400123456')).toBe('+4474•••3456');
    expect(maskNumber('+33612345678')).toBe('+3361•••5678');
  });
  it('shows less of short numbers', () => {
    expect(maskNumber('+3725012345')).toBe('+37•••45');
  });
  it('shows only the length of what is no number', () => {
    expect(maskRaw('ada@example.com')).toBe('••• (15 characters)');
  });
});
