import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPhone } from '../../src/domain/phone.ts';
import { readFeedNumber } from '../../src/profiles/number.ts';

const same = (raw: string): void => {
  const { raw: given, e164 } = readFeedNumber(raw, undefined);
  const whole = readPhone(raw);
  expect({ given, e164 }).toEqual({ given: whole.raw, e164: whole.e164 });
};

describe('the short way to read a number gives what the long way gives', () => {
  it('for every area code of the North American plan, with good and odd rests', () => {
    for (let area = 0; area < 1000; area++) {
      for (const rest of ['2345678', '5550123', '0000000', '9119110', '1112222', '9999999']) {
        same(`+1${String(area).padStart(3, '0')}${rest}`);
      }
    }
  });

  it('for any ten digits, and anything like them', () => {
    const digits = (n: number) => fc.stringMatching(new RegExp(`^\\d{${n}}$`));
    fc.assert(
      fc.property(fc.oneof(digits(10), digits(9), digits(11)), (rest) => same(`+1${rest}`)),
      { numRuns: 3_000 },
    );
    fc.assert(
      fc.property(fc.stringMatching(/^\+?[\d ().-]{5,16}$/), (raw) => same(raw)),
      { numRuns: 1_000 },
    );
  });
});
