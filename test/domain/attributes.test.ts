import { describe, expect, it } from 'vitest';
import { readAttributes, readFlag, readNumber, reservedName } from '../../src/domain/attributes.ts';

const FLAG_MESSAGE =
  'must be true or false (also 1/0, yes/no, y/n, on/off), or null or blank where it is not known';
const NUMBER_MESSAGE = 'must be a string such as "+14155550123", or null; put the number in quotes';

describe('flags', () => {
  it.each([true, 1, 'true', 'True', '1', 'yes', 'YES', 'y', 'on', ' on '])('%j is true', (value) => {
    expect(readFlag(value)).toBe(true);
  });
  it.each([false, 0, 'false', 'FALSE', '0', 'no', 'n', 'N', 'off'])('%j is false', (value) => {
    expect(readFlag(value)).toBe(false);
  });
  it.each([null, undefined, '', '   ', '\n'])('%j is missing, never false', (value) => {
    expect(readFlag(value)).toBeNull();
  });
  it.each([2, -1, 0.5, Number.NaN, 'ja', 'truee', 'null', 't', [], {}, [true]])('%j is refused', (value) => {
    expect(readFlag(value)).toBeUndefined();
  });
});

describe('MOBILE_NUMBER', () => {
  it.each([null, undefined, '', '  ', '\u200b'])('%j is missing', (value) => {
    expect(readNumber(value)).toBeNull();
  });
  it.each([14155550123, true, {}, ['+14155550123']])('%j is refused: it must be a string', (value) => {
    expect(readNumber(value)).toBeUndefined();
  });
  it('reads national format only where a country is given', () => {
    expect(readNumber('415 555 0123')?.e164).toBeNull();
    expect(readNumber(' 415 555 0123 ', 'US')).toEqual({
      raw: '415 555 0123',
      e164: '+14155550123',
      assigned: true,
    });
  });
});

describe('reserved names', () => {
  it('match in any case, and nothing else does', () => {
    expect(reservedName('mobile_number')).toBe('MOBILE_NUMBER');
    expect(reservedName('Sms_Consent')).toBe('SMS_CONSENT');
    expect(reservedName('SMS_VALID')).toBe('SMS_VALID');
    expect(reservedName('first_name')).toBeNull();
    expect(reservedName('MOBILE_NUMBER_2')).toBeNull();
  });

  it('are picked out of the data; what is not there is missing', () => {
    expect(
      readAttributes({ mobile_number: '+14155550123', sms_valid: 'y', first_name: 'Ada' }, 'data'),
    ).toEqual({
      attributes: {
        MOBILE_NUMBER: { raw: '+14155550123', e164: '+14155550123', assigned: true },
        SMS_CONSENT: null,
        SMS_VALID: true,
      },
    });
    expect(readAttributes({}, 'data')).toEqual({
      attributes: { MOBILE_NUMBER: null, SMS_CONSENT: null, SMS_VALID: null },
    });
  });

  it('name every field that is wrong', () => {
    expect(readAttributes({ mobile_number: 5, SMS_CONSENT: 'maybe', SMS_VALID: 7 }, 'data')).toEqual({
      errors: [
        { path: 'data.mobile_number', message: NUMBER_MESSAGE },
        { path: 'data.SMS_CONSENT', message: FLAG_MESSAGE },
        { path: 'data.SMS_VALID', message: FLAG_MESSAGE },
      ],
    });
  });

  it('may stand there twice with one value, in any spelling of it', () => {
    const data = {
      MOBILE_NUMBER: '+14155550123',
      mobile_number: '+1 415 555 0123',
      SMS_CONSENT: true,
      sms_consent: 'yes',
    };
    expect(readAttributes(data, 'data')).toEqual({
      attributes: {
        MOBILE_NUMBER: { raw: '+1 415 555 0123', e164: '+14155550123', assigned: true },
        SMS_CONSENT: true,
        SMS_VALID: null,
      },
    });
    expect(readAttributes({ mobile_number: 'x', MOBILE_NUMBER: 'x' }, 'data')).toHaveProperty('attributes');
  });

  it.each([
    [{ SMS_CONSENT: true, sms_consent: false }, 'SMS_CONSENT'],
    [{ SMS_VALID: null, sms_valid: true }, 'SMS_VALID'],
    [{ MOBILE_NUMBER: '+14155550123', mobile_number: '+12125550124' }, 'MOBILE_NUMBER'],
    [{ MOBILE_NUMBER: '+14155550123', mobile_number: 'nonsense' }, 'MOBILE_NUMBER'],
    [{ MOBILE_NUMBER: null, mobile_number: '+12125550124' }, 'MOBILE_NUMBER'],
    [{ MOBILE_NUMBER: 'this', mobile_number: 'that' }, 'MOBILE_NUMBER'],
  ])('may not stand there twice with different values: %j', (data, name) => {
    expect(readAttributes(data, 'data')).toEqual({
      errors: [
        {
          path: `data.${name.toLowerCase()}`,
          message: `${name} and ${name.toLowerCase()} are two spellings of ${name} with different values; send one of them`,
        },
      ],
    });
  });
});
