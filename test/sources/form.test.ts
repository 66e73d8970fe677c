/** A page's own form: who may post, from where, how often, and where texts may lead. */
import { describe, expect, it } from 'vitest';
import { receive } from '../../src/sources/receive.ts';
import { call, testRuntime, uniqueNumber } from '../support.ts';
import { deliveries, NOTHING, PAGE, post, putSource, type SetUp, setUp, stored } from './support.ts';

const setUpForm = (fields: Record<string, unknown> = {}): Promise<SetUp> =>
  setUp({
    kind: 'form',
    allowed_origins: [PAGE],
    default_country: 'US',
    vouches: { disclosure: 'Yes, text me.' },
    mapping: { SMS_VALID: { const: true } },
    ...fields,
  });

const fieldsOf = (more: Record<string, string> = {}): Record<string, string> => ({
  MOBILE_NUMBER: uniqueNumber(),
  SMS_CONSENT: 'yes',
  first_name: 'Ada',
  ...more,
});

const json = (path: string, fields: object, headers: Record<string, string> = {}) =>
  post(path, JSON.stringify(fields), { origin: PAGE, 'content-type': 'application/json', ...headers });

async function stateOf(source: SetUp): Promise<string | undefined> {
  const { body } = await call('GET', `/v1/messages?campaign=${source.campaign}`);
  return body.messages[0]?.reason ?? body.messages[0]?.state;
}

describe('a form of an allowed page', () => {
  const encodings: [string, (fields: Record<string, string>) => BodyInit, string | null][] = [
    ['JSON', (fields) => JSON.stringify(fields), 'application/json'],
    ['form-encoded', (fields) => new URLSearchParams(fields), null],
    [
      'multipart',
      (fields) => {
        const form = new FormData();
        for (const [name, value] of Object.entries(fields)) form.set(name, value);
        form.set('photo', new File(['bytes'], 'me.png'));
        return form;
      },
      null,
    ],
  ];
  it.each(encodings)('posts as %s and the phone gets a text', async (_, encode, type) => {
    const source = await setUpForm();
    const headers = { origin: PAGE, ...(type !== null && { 'content-type': type }) };
    const answer = await post(`${source.id}/${source.key}`, encode(fieldsOf()), headers);
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ received: true });
    expect(answer.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(await stored(source.id)).toEqual({ events: 1, messages: 1, consents: 1 });
    expect(['queued', 'sending', 'sent', 'delivered']).toContain(await stateOf(source));
  });

  it('may carry its key as a field, which is no data of the event', async () => {
    const source = await setUpForm();
    expect((await json(source.id, fieldsOf({ _key: source.key }))).status).toBe(202);
    const [kept] = await deliveries(source.id);
    expect(kept?.events[0].fields).not.toContain('_key');
  });

  it('with the box unticked sends nothing, and the record says why', async () => {
    const source = await setUpForm();
    const { SMS_CONSENT: _, ...unticked } = fieldsOf();
    expect((await json(`${source.id}/${source.key}`, unticked)).status).toBe(202);
    expect(await stateOf(source)).toBe('consent_missing');
    expect(await stored(source.id)).toEqual({ events: 1, messages: 1, consents: 0 });
  });

  it('sent twice by an impatient finger is one text', async () => {
    const source = await setUpForm();
    const fields = fieldsOf();
    for (let n = 0; n < 2; n++) expect((await json(`${source.id}/${source.key}`, fields)).status).toBe(202);
    expect((await stored(source.id)).events).toBe(1);
  });

  it('goes on to a page of an allowed origin, and to no other', async () => {
    const source = await setUpForm();
    const to = (url: string) =>
      post(`${source.id}/${source.key}`, new URLSearchParams(fieldsOf({ _redirect: url })), { origin: PAGE });
    const good = await to(`${PAGE}/thanks`);
    expect([good.status, good.headers.get('location')]).toEqual([303, `${PAGE}/thanks`]);
    for (const url of [
      'https://evil.example',
      `${PAGE}.evil.example/`,
      'javascript:alert(1)',
      '//evil.example',
    ]) {
      const bad = await to(url);
      expect([bad.status, bad.body.reason, bad.headers.get('location')]).toEqual([
        422,
        'redirect_not_allowed',
        null,
      ]);
    }
    expect((await stored(source.id)).events).toBe(1);
  });

  it('stays where it is when a script posted it', async () => {
    const source = await setUpForm();
    const fields = new URLSearchParams(fieldsOf({ _redirect: `${PAGE}/thanks` }));
    const answer = await post(`${source.id}/${source.key}`, fields, {
      origin: PAGE,
      'sec-fetch-mode': 'cors',
    });
    expect([answer.status, answer.body]).toEqual([202, { received: true }]);
  });

  it('cannot speak for another customer', async () => {
    const source = await setUpForm();
    const { MOBILE_NUMBER: _, ...fields } = fieldsOf({ customer_id: 'c-1', id: 'mine' });
    await json(`${source.id}/${source.key}`, fields);
    const [kept] = await deliveries(source.id);
    expect(kept?.events[0].customer_id).not.toBe('c-1');
  });
});

describe('is refused, with nothing stored', () => {
  const cases: [string, Record<string, string>, (source: SetUp) => string, number, string][] = [
    [
      'another origin',
      { origin: 'https://evil.example' },
      ({ id, key }) => `${id}/${key}`,
      403,
      'origin_not_allowed',
    ],
    ['a sandboxed page', { origin: 'null' }, ({ id, key }) => `${id}/${key}`, 403, 'origin_not_allowed'],
    ['a wrong key', {}, ({ id }) => `${id}/pk_wrong`, 401, 'key_unknown'],
    ['no key', {}, ({ id }) => id, 401, 'key_unknown'],
  ];
  it.each(cases)('%s', async (_, headers, path, status, reason) => {
    const source = await setUpForm();
    const answer = await json(path(source), fieldsOf(), headers);
    expect([answer.status, answer.body.reason]).toEqual([status, reason]);
    if (headers.origin !== undefined) expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    expect(await stored(source.id)).toEqual(NOTHING);
    expect((await deliveries(source.id))[0]).toMatchObject({ outcome: 'refused', reason });
  });

  it('a request without an origin, as programs send it', async () => {
    const source = await setUpForm();
    const answer = await post(`${source.id}/${source.key}`, JSON.stringify(fieldsOf()));
    expect(answer.status).toBe(403);
  });

  it('the key of another form', async () => {
    const [mine, other] = [await setUpForm(), await setUpForm()];
    expect((await json(`${mine.id}/${other.key}`, fieldsOf())).status).toBe(401);
  });

  it('a filled trap, without the program being told', async () => {
    const source = await setUpForm();
    const answer = await json(`${source.id}/${source.key}`, fieldsOf({ website: 'https://spam.example' }));
    expect([answer.status, answer.body]).toEqual([202, { received: true }]);
    expect(await stored(source.id)).toEqual(NOTHING);
    expect((await deliveries(source.id))[0]).toMatchObject({ outcome: 'refused', reason: 'honeypot' });
  });

  it('a number of a country that is not on the list', async () => {
    const source = await setUpForm();
    const answer = await json(`${source.id}/${source.key}`, fieldsOf({ MOBILE_NUMBER: '+447700900123' }));
    expect([answer.status, answer.body.reason]).toEqual([422, 'country_not_allowed']);
    expect(await stored(source.id)).toEqual(NOTHING);
  });

  it('more numbers of one calling code than an hour may have', async () => {
    const source = await setUpForm({ rate: { per_calling_code_per_hour: 2 } });
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await json(`${source.id}/${source.key}`, fieldsOf())).status);
    expect(statuses).toEqual([202, 202, 429]);
    expect((await stored(source.id)).events).toBe(2);
  });

  it('more requests of one address than its rate allows', async () => {
    const source = await setUpForm();
    const runtime = testRuntime({
      withinRate: async (binding, key) => binding !== 'FORM_ADDRESS_RATE' || !key.includes('203.0.113.9'),
    });
    const request = new Request(`https://optitext.test/in/${source.id}`, {
      method: 'POST',
      headers: { origin: PAGE, 'cf-connecting-ip': '203.0.113.9' },
      body: '{}',
    });
    const answer = await receive(runtime, source.id, source.key, request, 'req_1');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '60']);
  });
});

describe('Turnstile, where the source has its secret', () => {
  const cases: [string, () => Promise<Response>, number][] = [
    ['passed', async () => Response.json({ success: true }), 202],
    ['failed', async () => Response.json({ success: false, 'error-codes': ['timeout-or-duplicate'] }), 403],
    ['not to be reached', async () => Promise.reject(new TypeError('network')), 503],
    ['answering nonsense', async () => new Response('<html>'), 503],
  ];
  it.each(cases)('%s', async (_, verify, status) => {
    const source = await setUpForm({ secrets: ['turnstile-secret'] });
    let asked = '';
    const fetch = async (_url: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
      asked = String(init?.body);
      return await verify();
    };
    const request = new Request(`https://optitext.test/in/${source.id}`, {
      method: 'POST',
      headers: { origin: PAGE, 'content-type': 'application/json' },
      body: JSON.stringify(fieldsOf({ 'cf-turnstile-response': 'token' })),
    });
    const runtime = testRuntime({ fetch });
    const answer = await receive(runtime, source.id, source.key, request, 'req_1');
    await runtime.settled();
    expect(answer.status).toBe(status);
    expect(asked).toBe('secret=turnstile-secret&response=token');
    expect((await stored(source.id)).events).toBe(status === 202 ? 1 : 0);
  });

  it('is not asked for a form without a token', async () => {
    const source = await setUpForm({ secrets: ['turnstile-secret'] });
    expect((await json(`${source.id}/${source.key}`, fieldsOf())).body.reason).toBe('turnstile_failed');
  });
});

describe('a browser that asks first', () => {
  const preflight = (source: SetUp, origin: string) =>
    call('OPTIONS', `/in/${source.id}/${source.key}`, undefined, {
      origin,
      'access-control-request-method': 'POST',
    });

  it('is answered for allowed origins alone', async () => {
    const source = await setUpForm();
    const good = await preflight(source, PAGE);
    expect(good.status).toBe(204);
    expect(good.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(good.headers.get('access-control-allow-headers')).toBe('content-type');
    const bad = await preflight(source, 'https://evil.example');
    expect([bad.status, bad.headers.get('access-control-allow-origin')]).toEqual([403, null]);
  });
});

describe('a publishable key', () => {
  it('opens nothing else', async () => {
    const { key, id } = await setUpForm();
    for (const [method, path] of [
      ['POST', '/v1/events'],
      ['POST', '/v1/decisions'],
      ['GET', '/v1/messages'],
      ['GET', `/v1/sources/${id}`],
      ['GET', `/v1/sources/${id}/deliveries`],
    ] as const)
      expect(
        (await call(method, path, method === 'POST' ? {} : undefined, { authorization: `Bearer ${key}` }))
          .status,
      ).toBe(401);
  });

  it('is shown once, and stops when a new one is made', async () => {
    const source = await setUpForm();
    const fields = { kind: 'form', allowed_origins: [PAGE], default_country: 'US' };
    const kept = await call('PUT', `/v1/sources/${source.id}`, fields);
    expect(kept.body.publishable_key).toBeUndefined();
    expect((await json(`${source.id}/${source.key}`, fieldsOf())).status).toBe(202);
    const renewed = await call('PUT', `/v1/sources/${source.id}`, { ...fields, new_publishable_key: true });
    expect((await json(`${source.id}/${source.key}`, fieldsOf())).status).toBe(401);
    expect((await json(`${source.id}/${renewed.body.publishable_key}`, fieldsOf())).status).toBe(202);
  });

  it('is made only for forms that say which pages and which countries', async () => {
    const { status, body } = await putSource({ kind: 'form' });
    expect(status).toBe(422);
    expect(body.errors.map(({ path }: { path: string }) => path)).toEqual(['allowed_origins', 'countries']);
  });
});
