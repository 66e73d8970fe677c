/** Kinds whose bodies somebody designs: HubSpot's workflows, Zapier, Make, generic. */
import { describe, expect, it } from 'vitest';
import { genericOptions } from '../../../src/sources/kinds/generic.ts';
import { plainName } from '../../../src/sources/kinds/recognised.ts';
import { delivery, eventsOf, kindOf, mapOne, sample, settings } from './deliveries.ts';

const PHONE = '+12025550123';

describe('HubSpot', () => {
  it('ignores CRM events, which carry ids only, and says what to send instead', () => {
    const mapping = kindOf('hubspot').map(delivery(sample('hubspot.contact_creation')), settings());
    expect(mapping).toMatchObject({ kind: 'ignored', hint: expect.stringContaining('workflow') });
    expect(mapping).toMatchObject({ hint: expect.stringContaining('sms_consent') });
  });

  it.each([
    [
      'plain',
      { mobilephone: PHONE, phone: '+12025550199', sms_consent: 'true', hs_object_id: 501, firstname: 'Ada' },
    ],
    [
      'below properties',
      { objectId: 501, properties: { mobilephone: PHONE, sms_consent: 'true', firstname: 'Ada' } },
    ],
    [
      'of the older API',
      {
        vid: 501,
        properties: {
          mobilephone: { value: PHONE },
          sms_consent: { value: 'true' },
          firstname: { value: 'Ada' },
        },
      },
    ],
  ])('maps the contact of a workflow: %s', (_, body) => {
    expect(mapOne('hubspot', body)).toMatchObject({
      customerId: '501',
      data: { MOBILE_NUMBER: PHONE, SMS_CONSENT: true, firstname: 'Ada' },
    });
  });

  it('infers no consent from a number', () => {
    expect(mapOne('hubspot', { phone: PHONE }).data).toEqual({ phone: PHONE, MOBILE_NUMBER: PHONE });
  });
});

describe.each(['zapier', 'make'])('%s', (kind) => {
  it('maps the sample', () => {
    expect(mapOne(kind, sample('zapier.webhooks_post'))).toMatchObject({
      id: null,
      type: null,
      occurredAt: '2026-11-22T15:00:00.000Z',
      data: { MOBILE_NUMBER: PHONE, SMS_CONSENT: true, name: 'Alice' },
    });
  });

  it('maps a form and a list', () => {
    const form = delivery('mobile=%2B12025550123&SMS+consent=no&tag=a&tag=b&user_id=u1', {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(eventsOf(kindOf(kind).map(form, settings()))).toMatchObject([
      { customerId: 'u1', data: { MOBILE_NUMBER: PHONE, SMS_CONSENT: false, tag: ['a', 'b'] } },
    ]);
    const list = delivery('[{"phone":"1"},{"phone":2}]');
    expect(eventsOf(kindOf(kind).map(list, settings())).map(({ data }) => data.MOBILE_NUMBER)).toEqual([
      '1',
      '2',
    ]);
  });
});

describe('generic', () => {
  it('maps nothing of its own: the source’s mapping and the reserved names do', () => {
    const body = { mobile: PHONE, Sms_Consent: 'yes', nested: { a: 1 } };
    expect(mapOne('generic', body)).toMatchObject({
      id: null,
      type: null,
      customerId: null,
      occurredAt: null,
      data: body,
      payload: body,
    });
  });

  it('takes the delivery’s id from a stated header', () => {
    const options = { id_header: 'X-Request-Id' };
    expect(mapOne('generic', {}, { 'x-request-id': 'r1' }, options).id).toBe('r1');
    const list = kindOf('generic').map(delivery('[{},{}]', { 'x-request-id': 'r1' }), settings([], options));
    expect(eventsOf(list).map(({ id }) => id)).toEqual(['r1:0', 'r1:1']);
  });

  it.each([
    [{}, true],
    [{ verify: { scheme: 'bearer' } }, true],
    [{ verify: { scheme: 'basic' } }, true],
    [{ verify: { scheme: 'header', header: 'X-Token' }, id_header: 'X-Id' }, true],
    [
      { verify: { scheme: 'hmac', header: 'x-sign', hash: 'sha512', encoding: 'base64', prefix: 'v1=' } },
      true,
    ],
    [{ verify: { scheme: 'hmac', header: 'x', timestamp_header: 't', signed: '{timestamp}.{body}' } }, true],
    [{ verify: { scheme: 'hmac', header: 'x', signed: '{timestamp}' } }, false],
    [{ verify: { scheme: 'hmac', header: 'x', signed: '{body}{body}' } }, false],
    [{ verify: { scheme: 'hmac', header: 'x', signed: '{timestamp}.{body}' } }, false],
    [{ verify: { scheme: 'hmac', header: 'x', timestamp_header: 't' } }, false],
    [{ verify: { scheme: 'hmac', header: 'x', hash: 'md5' } }, false],
    [{ verify: { scheme: 'hmac' } }, false],
    [{ verify: { scheme: 'none' } }, false],
    [{ verify: {} }, false],
    [{ verify: { scheme: 'header', header: 'bad header' } }, false],
    [{ other: 1 }, false],
  ])('checks options %j: %j', (options, ok) => {
    expect(genericOptions.safeParse(options).success).toBe(ok);
  });

  it('opens no door for options that cannot be read', async () => {
    const given = delivery('{}', { authorization: 'Bearer secret' });
    const result = await kindOf('generic').verify(
      given,
      settings(['secret'], { verify: { scheme: 'nothing' } }),
    );
    expect(result).toEqual({ ok: false, reason: 'secret_not_set' });
  });
});

describe('names of fields', () => {
  it.each([
    ['mobileNumber', 'mobile_number'],
    ['Mobile Number', 'mobile_number'],
    ['  SMS consent? ', 'sms_consent'],
    ['sms-opt-in', 'sms_opt_in'],
    ['No SMS consent', 'no_sms_consent'],
    ['x'.repeat(201), ''],
  ])('%j is compared as %j', (name, plain) => {
    expect(plainName(name)).toBe(plain);
  });
});
