import { env } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { call, goodEvent, putCampaign } from '../support.ts';

const good = { id: 'e', type: 't', customer_id: 'c', data: {} };
const text = (value: unknown): string => JSON.stringify(value);
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const withData = (json: string): string => `{"id":"e","type":"t","customer_id":"c","data":${json}}`;

let type: string;

beforeAll(async () => {
  ({ trigger: type } = await putCampaign());
});

async function rows(): Promise<number> {
  const row = await env.DB.prepare(
    'SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM messages) AS n',
  ).first<{
    n: number;
  }>();
  return row?.n ?? 0;
}

/** Every body that must be refused: what it is, the body, the status, and what the problem must say. */
const MALFORMED: readonly [string, string | Uint8Array, number, RegExp][] = [
  ['nothing', '', 400, /ends too early/],
  ['bad JSON', '{"id": "e",', 400, /not valid JSON/],
  ['a trailing comma', '{"id": "e",}', 400, /breaks at character/],
  ['two documents', '{}{}', 400, /not valid JSON/],
  ['binary garbage', new Uint8Array([0xff, 0xfe, 0x00, 0x80, 0xc3]), 400, /UTF-8/],
  ['an overlong UTF-8 sequence', new Uint8Array([0x22, 0xc0, 0xaf, 0x22]), 400, /UTF-8/],
  ['a number', '5', 422, /must be an event/],
  ['null', 'null', 422, /must be an event/],
  ['a text', '"event"', 422, /must be an event/],
  ['an empty object', '{}', 422, /id is required/],
  ['an empty array', '[]', 422, /at least one event/],
  ['an array of nonsense', '[1, null, "x", []]', 422, /None of the events/],
  ['events that are no array', '{"events": {}}', 422, /events must be an array/],
  ['events and more', '{"events": [], "id": "e"}', 422, /id is not a known field/],
  ['501 events', text(Array.from({ length: 501 }, () => good)), 422, /at most 500 events, not 501/],
  ['2 MB', text({ ...good, data: { blob: 'x'.repeat(2_000_000) } }), 413, /larger than 1000000 bytes/],
  ['deep nesting in the data', withData(nested(40)), 400, /deeper than 32/],
  ['very deep nesting', nested(400_000), 400, /deeper than 32/],
  ['a lone surrogate in a value', withData('{"name": "\\ud800"}'), 400, /lone surrogate/],
  ['a lone surrogate in a key', withData('{"\\udc00": 1}'), 400, /lone surrogate/],
  ['a lone surrogate as id', text({ ...good, id: '\ud83d' }), 400, /lone surrogate/],
  ['data that is too large', text({ ...good, data: { blob: 'x'.repeat(100_000) } }), 422, /at most 100000/],
  ['an integer that loses digits', withData('{"n": 12345678901234567890}'), 400, /send it as a text/],
  ['a NUL character', withData('{"name": "a\\u0000b"}'), 400, /NUL/],
  ['__proto__ as a key', withData('{"__proto__": {"SMS_CONSENT": true}}'), 400, /"__proto__" is not allowed/],
  ['__proto__ at the top', '{"__proto__": {}, "id": "e"}', 400, /"__proto__" is not allowed/],
  [
    'constructor as a key deep inside',
    withData('{"a": [{"constructor": 1}]}'),
    400,
    /"constructor" is not allowed/,
  ],
  [
    '__proto__ as customer id',
    text({ ...good, customer_id: '__proto__' }),
    422,
    /customer_id is the name of an object property/,
  ],
  [
    'hasOwnProperty as event id',
    text({ ...good, id: 'hasOwnProperty' }),
    422,
    /id is the name of an object property/,
  ],
  ['a missing id', text({ type: 't', customer_id: 'c' }), 422, /id is required/],
  ['a missing type', text({ id: 'e', customer_id: 'c' }), 422, /type is required/],
  ['a missing customer', text({ id: 'e', type: 't' }), 422, /customer_id is required/],
  ['a number as id', text({ ...good, id: 5 }), 422, /id must be a string/],
  ['an empty id', text({ ...good, id: '' }), 422, /id must not be empty/],
  ['an id of spaces', text({ ...good, id: '  ' }), 422, /white space/],
  ['an id that is too long', text({ ...good, id: 'x'.repeat(201) }), 422, /at most 200/],
  ['a control character in the id', text({ ...good, id: 'a\nb' }), 422, /control/],
  ['an invisible character in the id', text({ ...good, id: 'a\u200bb' }), 422, /invisible/],
  ['a type with spaces', text({ ...good, type: 'sign up' }), 422, /type must be a name/],
  ['a type that is too long', text({ ...good, type: 'x'.repeat(101) }), 422, /type must be a name/],
  ['data that is an array', text({ ...good, data: [] }), 422, /data must be a JSON object/],
  ['data that is a text', text({ ...good, data: 'x' }), 422, /data must be a JSON object/],
  ['data that is null', text({ ...good, data: null }), 422, /data must be a JSON object/],
  [
    'a time without a zone',
    text({ ...good, occurred_at: '2026-11-22T10:00:00' }),
    422,
    /occurred_at must be an ISO 8601/,
  ],
  [
    'a time that never was',
    text({ ...good, occurred_at: '2026-02-30T10:00:00Z' }),
    422,
    /occurred_at must be an ISO 8601/,
  ],
  ['a number as time', text({ ...good, occurred_at: 1763805600 }), 422, /occurred_at must be an ISO 8601/],
  ['an unknown field', text({ ...good, custmer: 'c' }), 422, /custmer is not a known field/],
  [
    'a number as MOBILE_NUMBER',
    text({ ...good, data: { MOBILE_NUMBER: 14155550123 } }),
    422,
    /data.MOBILE_NUMBER must be a string/,
  ],
  [
    'an object as mobile_number',
    text({ ...good, data: { mobile_number: {} } }),
    422,
    /data.mobile_number must be a string/,
  ],
  [
    'a flag that is no flag',
    text({ ...good, data: { SMS_CONSENT: 'perhaps' } }),
    422,
    /data.SMS_CONSENT must be true or false/,
  ],
  [
    'a flag as a list',
    text({ ...good, data: { sms_valid: [true] } }),
    422,
    /data.sms_valid must be true or false/,
  ],
  [
    'two spellings with different values',
    text({ ...good, data: { SMS_CONSENT: true, sms_consent: false } }),
    422,
    /two spellings of SMS_CONSENT/,
  ],
];

describe('malformed requests', () => {
  it.each(MALFORMED)('%s', async (_, body, status, detail) => {
    const before = await rows();
    const answer = await call('POST', '/v1/events', body);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.body).toMatchObject({ type: 'about:blank', status, request_id: expect.any(String) });
    expect(`${answer.body.detail} ${JSON.stringify(answer.body.errors ?? '')}`).toMatch(detail);
    expect(await rows()).toBe(before);
  });

  it('names every field that is wrong at once', async () => {
    const { body } = await call('POST', '/v1/events', {
      id: 1,
      type: '',
      data: { SMS_CONSENT: 'x', mobile_number: 5 },
      extra: 1,
    });
    expect(body.errors.map((error: { path: string }) => error.path).sort()).toEqual([
      'customer_id',
      'data.SMS_CONSENT',
      'data.mobile_number',
      'extra',
      'id',
      'type',
    ]);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/jsonp',
    '',
  ])('content type %j is 415', async (type) => {
    const answer = await call('POST', '/v1/events', '{}', { 'content-type': type });
    expect(answer.status).toBe(415);
    expect(answer.body.detail).toContain('application/json');
  });

  it.each(['application/json; charset=utf-8', 'application/cloudevents+json', 'Application/JSON'])(
    'content type %j is understood',
    async (type) => {
      expect((await call('POST', '/v1/events', '{}', { 'content-type': type })).status).toBe(422);
    },
  );

  it.each(['GET', 'PUT', 'DELETE', 'PATCH'])('%s is 405 and says what is allowed', async (method) => {
    const answer = await call(method, '/v1/events', method === 'GET' ? undefined : {});
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
  });

  it('an unknown address is 404', async () => {
    expect((await call('GET', '/v1/nothing')).status).toBe(404);
    expect((await call('POST', '/v1/events/more', {})).status).toBe(404);
  });

  it('a body that lies about its length is still cut off', async () => {
    const chunk = new Uint8Array(100_000).fill(0x20);
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (sent++ < 30) controller.enqueue(chunk);
        else controller.close();
      },
    });
    const { SELF } = await import('cloudflare:test');
    const response = await SELF.fetch('https://optitext.test/v1/events', {
      method: 'POST',
      headers: { authorization: 'Bearer ot_demo', 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(413);
  });

  it('what a person mistyped in a form is recorded, not refused', async () => {
    for (const MOBILE_NUMBER of ['call me', '12', '☎️', "'; DROP TABLE messages; --", 'x'.repeat(5000)]) {
      const { status, body } = await call('POST', '/v1/events', goodEvent(type, { data: { MOBILE_NUMBER } }));
      expect(status).toBe(202);
      expect(body.messages[0]).toMatchObject({ state: 'suppressed', reason: 'number_unusable' });
    }
  });

  it('takes data up to its limit, also where every character has to be escaped again and again', async () => {
    const event = goodEvent(type, { data: { story: '"'.repeat(49_000) } });
    expect((await call('POST', '/v1/events', event)).status).toBe(202);
    const { rows: parameters } = await largestColumns();
    expect(parameters).toBeLessThan(1_000_000);
  });

  it('takes a body of almost a megabyte', async () => {
    const events = Array.from({ length: 10 }, () => goodEvent(type, { data: { story: 'é'.repeat(48_000) } }));
    expect((await call('POST', '/v1/events', events)).status).toBe(202);
  });
});

async function largestColumns(): Promise<{ rows: number }> {
  const row = await env.DB.prepare(
    'SELECT max(length(data) + length(inputs) + length(answer)) AS rows FROM events',
  ).first<{ rows: number }>();
  return row ?? { rows: 0 };
}

describe('other routes refuse as clearly', () => {
  const CASES: readonly [string, string, string, unknown, number, RegExp][] = [
    ['a campaign without anything', 'PUT', '/v1/campaigns/x', {}, 422, /name/],
    ['a campaign named __proto__', 'PUT', '/v1/campaigns/__proto__', {}, 422, /id must be/],
    ['a profile named __proto__', 'PUT', '/v1/profiles/__proto__', {}, 422, /object property/],
    [
      'a profile with a wrong flag',
      'PUT',
      '/v1/profiles/c',
      { SMS_VALID: 'x' },
      422,
      /SMS_VALID must be true/,
    ],
    ['a profile with an unknown field', 'PUT', '/v1/profiles/c', { name: 'x' }, 422, /attributes/],
    ['a profile that is a list', 'PUT', '/v1/profiles/c', [], 422, /JSON object/],
    ['a suppression of no number', 'PUT', '/v1/suppressions/hello', {}, 422, /phone number/],
    [
      'a dry run with two profiles',
      'POST',
      '/v1/decisions',
      { customer_id: 'c', profile: {} },
      422,
      /exclude each other/,
    ],
    ['a dry run with an unknown policy', 'POST', '/v1/decisions', { policy: 'nope' }, 422, /does not exist/],
    [
      'a dry run with a wrong inline policy',
      'POST',
      '/v1/decisions',
      { policy: { consent_absent: 'x' } },
      422,
      /policy.consent_absent must be one of/,
    ],
    [
      'a policy with a wrong answer',
      'PUT',
      '/v1/policies/mine',
      { consent_conflict: 'x' },
      422,
      /must be one of/,
    ],
    ['a sync run of nothing', 'POST', '/v1/sync/runs', { object_key: 'nope' }, 404, /no document/],
    ['a list with a wrong limit', 'GET', '/v1/messages?limit=0', undefined, 422, /limit must be/],
    ['a list with a wrong state', 'GET', '/v1/messages?state=gone', undefined, 422, /state must be/],
    [
      'a sync run of a key that is too long',
      'POST',
      '/v1/sync/runs',
      { object_key: 'é'.repeat(600) },
      422,
      /1024 bytes/,
    ],
    [
      'a profile from the future',
      'PUT',
      '/v1/profiles/c',
      { updated_at: '9999-12-31T23:59:59Z' },
      422,
      /future/,
    ],
    [
      'a profile with a field in another case',
      'PUT',
      '/v1/profiles/c',
      { Updated_At: 'x' },
      422,
      /not a known field/,
    ],
    ['a message that is not there', 'GET', '/v1/messages/msg_0', undefined, 404, /no message/],
    ['a broken escape in the path', 'GET', '/v1/profiles/%E0%A4%A', undefined, 404, /no profile/],
  ];
  it.each(CASES)('%s', async (_, method, path, body, status, detail) => {
    const answer = await call(method, path, body);
    expect(answer.status).toBe(status);
    expect(`${answer.body.detail} ${JSON.stringify(answer.body.errors ?? '')}`).toMatch(detail);
  });
});
