/** Kinds that send streams of events: Segment, CloudEvents, Standard Webhooks, Optimove. */
import { describe, expect, it } from 'vitest';
import { delivery, eventsOf, kindOf, mapOne, sample, settings } from './deliveries.ts';

const PHONE = '+12025550123';

describe('Segment', () => {
  it('maps track', () => {
    const event = mapOne('segment', sample('segment.track'));
    expect(event).toMatchObject({
      id: 'ajs-f8ca1e4de5024d9430b3928bd8ac6b96',
      type: 'Course_Clicked',
      customerId: 'AiUGstSDIg',
      occurredAt: '2015-12-12T19:11:01.249Z',
      data: { title: 'Intro to Analytics' },
    });
    expect(event.data).not.toHaveProperty('MOBILE_NUMBER');
  });

  it('maps identify: traits, and a phone that is no consent', () => {
    const event = mapOne('segment', sample('segment.identify'));
    expect(event).toMatchObject({
      id: null,
      type: 'identify',
      customerId: '019mr8mf4r',
      occurredAt: '2012-12-02T00:30:08.276Z',
      data: { MOBILE_NUMBER: PHONE, name: 'Achilles', friendCount: 29 },
    });
    expect(event.data).not.toHaveProperty('SMS_CONSENT');
  });

  it('reads attributes from properties before traits, and these from the context too', () => {
    const event = mapOne('segment', {
      type: 'track',
      event: 'Signed Up',
      anonymousId: 'anon-1',
      properties: { sms_consent: false, phone: PHONE },
      context: { traits: { smsConsent: true, phone: '+12025550199', plan: 'x' } },
    });
    expect(event).toMatchObject({
      customerId: 'anon-1',
      data: { MOBILE_NUMBER: PHONE, SMS_CONSENT: false, plan: 'x' },
    });
  });

  it('maps what is of use in a batch', () => {
    const body = JSON.stringify({
      batch: [JSON.parse(sample('segment.track')), { type: 'page' }, JSON.parse(sample('segment.identify'))],
    });
    const events = eventsOf(kindOf('segment').map(delivery(body), settings()));
    expect(events.map(({ type }) => type)).toEqual(['Course_Clicked', 'identify']);
    const only = kindOf('segment').map(delivery(body), settings([], { events: ['identify'] }));
    expect(eventsOf(only)).toHaveLength(1);
  });

  it.each([
    ['{"type":"page"}', 'ignored'],
    ['{"batch":[]}', 'ignored'],
    ['{"type":"track"}', 'unreadable'],
    ['{"batch":[{"type":"identify"},7]}', 'unreadable'],
    ['7', 'unreadable'],
  ])('has no event in %s', (body, kind) => {
    expect(kindOf('segment').map(delivery(body), settings()).kind).toBe(kind);
  });

  it('names the event of a batch that cannot be read', () => {
    const body = '{"batch":[{"type":"identify"},7]}';
    expect(kindOf('segment').map(delivery(body), settings())).toMatchObject({
      detail: expect.stringContaining('Event 2 of 2'),
    });
  });
});

describe('CloudEvents', () => {
  const structured = { 'content-type': 'application/cloudevents+json; charset=utf-8' };

  it('maps a structured event', () => {
    expect(mapOne('cloudevents', sample('cloudevents.structured'), structured)).toMatchObject({
      id: '/forms/newsletter#A234-1234-1234',
      type: 'com.example.signup.completed',
      customerId: '42',
      occurredAt: '2018-04-05T17:31:00.000Z',
      data: { MOBILE_NUMBER: PHONE, SMS_CONSENT: true, profileId: '42' },
      payload: { data: { mobile: PHONE } },
    });
  });

  it('maps a binary event into the same payload, its headers decoded', () => {
    const { headers, body, decodedSubject } = JSON.parse(sample('cloudevents.binary'));
    expect(mapOne('cloudevents', body, headers)).toMatchObject({
      id: '/mycontext/subcontext#1234-1234-1234',
      type: 'com.example.someevent',
      customerId: '42',
      occurredAt: '2018-04-05T03:56:24.000Z',
      data: { profileId: '42' },
      payload: { subject: decodedSubject, datacontenttype: 'application/json', data: { profileId: '42' } },
    });
  });

  it('maps a batch', () => {
    const given = delivery(sample('cloudevents.batch'), {
      'content-type': 'application/cloudevents-batch+json',
    });
    const events = eventsOf(kindOf('cloudevents').map(given, settings()));
    expect(events.map(({ id, occurredAt, data }) => [id, occurredAt, data])).toEqual([
      ['/mycontext#B234-1234-1234', '2018-04-05T17:31:00.000Z', { appinfoA: 'abc' }],
      ['/mycontext#C234-1234-1234', null, { appinfoB: 123 }],
    ]);
  });

  const event = { specversion: '1.0', type: 't', source: '/s', id: '1' };
  it.each([
    ['no data', {}, {}],
    ['data that is no object', { data: 'text' }, { content: 'text' }],
    [
      'data in base64',
      { data_base64: btoa('{"mobile":"+1"}'), datacontenttype: 'application/json' },
      { mobile: '+1', MOBILE_NUMBER: '+1' },
    ],
    ['data in base64 that is none', { data_base64: '%%%' }, {}],
    ['binary data', { data_base64: 'AAAA', datacontenttype: 'image/png' }, {}],
  ])('takes an event with %s', (_, more, data) => {
    expect(mapOne('cloudevents', { ...event, ...more }, structured).data).toEqual(data);
  });

  it('takes a binary event with text, or without a body', () => {
    const headers = {
      'ce-specversion': '1.0',
      'ce-type': 't',
      'ce-source': '/s',
      'ce-id': '1',
      'ce-subject': 'c-1',
    };
    expect(mapOne('cloudevents', 'hello', { ...headers, 'content-type': 'text/plain' })).toMatchObject({
      customerId: 'c-1',
      data: { content: 'hello' },
    });
    expect(mapOne('cloudevents', '', headers).data).toEqual({});
    expect(
      mapOne('cloudevents', '', { ...headers, 'ce-subject': '100%', 'ce-constructor': 'x' }).customerId,
    ).toBe('100%');
  });

  it.each([
    ['another version', { ...event, specversion: '0.3' }, structured],
    ['no id', { ...event, id: undefined }, structured],
    ['no source', { ...event, source: '' }, structured],
    ['no type', { ...event, type: {} }, structured],
    ['a list as an event', [[event]], structured],
    ['a batch that is none', event, { 'content-type': 'application/cloudevents-batch+json' }],
    ['another format', event, { 'content-type': 'application/cloudevents+avro' }],
    [
      'broken JSON behind headers',
      '{',
      { 'ce-specversion': '1.0', 'ce-type': 't', 'ce-source': '/s', 'ce-id': '1' },
    ],
  ])('cannot read %s', (_, body, headers) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const mapping = kindOf('cloudevents').map(delivery(text, headers as Record<string, string>), settings());
    expect(mapping.kind).toBe('unreadable');
  });

  it('answers the handshake without a secret, and nothing else', async () => {
    const kind = kindOf('cloudevents');
    const asked = delivery(
      '',
      { 'webhook-request-origin': 'eventemitter.example.com' },
      { method: 'OPTIONS' },
    );
    expect(await kind.verify(asked, settings(['secret']))).toEqual({ ok: true });
    expect(kind.map(asked, settings())).toMatchObject({
      kind: 'handshake',
      status: 200,
      headers: { 'webhook-allowed-origin': 'eventemitter.example.com', 'webhook-allowed-rate': '*' },
    });
    const posted = delivery('{}', { 'webhook-request-origin': 'eventemitter.example.com' });
    expect((await kind.verify(posted, settings(['secret']))).ok).toBe(false);
    expect((await kind.verify(delivery('', {}, { method: 'OPTIONS' }), settings(['secret']))).ok).toBe(false);
  });
});

describe('Standard Webhooks', () => {
  it('maps the payload that the specification recommends', () => {
    const body = {
      type: 'contact.created',
      timestamp: '2022-11-03T20:26:10.344522Z',
      data: { user_id: 'u-1', phone: PHONE, sms_consent: true },
    };
    expect(
      mapOne('standard-webhooks', body, { 'webhook-id': 'msg_1', 'webhook-timestamp': '1674087231' }),
    ).toMatchObject({
      id: 'msg_1',
      type: 'contact.created',
      customerId: 'u-1',
      occurredAt: '2022-11-03T20:26:10.344Z',
      data: { MOBILE_NUMBER: PHONE, SMS_CONSENT: true },
    });
  });

  it('maps any other object, with the time that was signed', () => {
    const event = mapOne(
      'standard-webhooks',
      { test: 2432232314 },
      { 'svix-id': 'msg_2', 'svix-timestamp': '1614265330' },
    );
    expect(event).toMatchObject({
      id: 'msg_2',
      type: null,
      occurredAt: '2021-02-25T15:02:10.000Z',
      data: { test: 2432232314 },
    });
  });
});

describe('Optimove', () => {
  const registration = {
    tenant: 'tenant-1',
    event: 'ootb_registration',
    customer: 'c-42',
    timestamp: '2026-11-22T10:00:00.000Z',
    context: {
      ootb_mobile_number: PHONE,
      ootb_allow_sms: 'Yes',
      ootb_is_mobile_verified: 'No',
      ootb_first_name: 'Ada',
    },
  };

  it('maps a registration', () => {
    expect(mapOne('optimove', registration)).toMatchObject({
      id: null,
      type: 'ootb_registration',
      customerId: 'c-42',
      occurredAt: '2026-11-22T10:00:00.000Z',
      data: {
        MOBILE_NUMBER: PHONE,
        SMS_CONSENT: true,
        SMS_VALID: false,
        ootb_first_name: 'Ada',
        tenant: 'tenant-1',
      },
    });
  });

  it.each([
    ['No', false],
    ['yes', true],
    [true, true],
    ['', undefined],
    ['unsure', undefined],
    [null, undefined],
  ])('reads ootb_allow_sms %j as consent %j', (ootb_allow_sms, consent) => {
    const body = { ...registration, context: { ootb_mobile_number: PHONE, ootb_allow_sms } };
    expect(mapOne('optimove', body).data.SMS_CONSENT).toBe(consent);
  });

  it('takes numbers for ids, times in milliseconds, lists, and nothing without an event', () => {
    const event = mapOne('optimove', { event: 'x', customer: 42, timestamp: 1_700_000_000_000 });
    expect(event).toMatchObject({ customerId: '42', occurredAt: '2023-11-14T22:13:20.000Z' });
    const list = kindOf('optimove').map(delivery(JSON.stringify([registration, registration])), settings());
    expect(eventsOf(list)).toHaveLength(2);
    expect(kindOf('optimove').map(delivery('{"customer":"c"}'), settings()).kind).toBe('unreadable');
  });
});
