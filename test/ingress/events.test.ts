import { env } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/platform/ids.ts';
import { call, goodEvent, putCampaign, storedMessage, takenBySandbox, unique, until } from '../support.ts';

let campaign: { id: string; trigger: string };

beforeAll(async () => {
  campaign = await putCampaign();
});

async function countEvents(): Promise<number> {
  return (await env.DB.prepare('SELECT count(*) AS n FROM events').first<{ n: number }>())?.n ?? 0;
}

describe('one event', () => {
  it('is answered 202 with the decision of every campaign that its type triggers', async () => {
    const second = await putCampaign({
      trigger: campaign.trigger,
      channel: 'mms',
      media_urls: ['https://example.com/card.png'],
    });
    const event = goodEvent(campaign.trigger);
    const { status, body, headers } = await call('POST', '/v1/events', event);
    expect(status).toBe(202);
    expect(headers.get('x-request-id')).toMatch(/^req_/);
    expect(body).toMatchObject({ id: event.id, duplicate: false });
    expect(body.messages.map((message: { campaign: string }) => message.campaign).sort()).toEqual(
      [campaign.id, second.id].sort(),
    );
    for (const message of body.messages) {
      expect(message).toMatchObject({ id: expect.stringMatching(/^msg_/), state: 'queued', reason: null });
      expect(message.decision).toMatchObject({ outcome: 'deliver', policy: { name: 'strict', version: 1 } });
    }
    await call('DELETE', `/v1/campaigns/${second.id}`);
  });

  it('reaches the phone', async () => {
    const event = goodEvent(campaign.trigger);
    const { body } = await call('POST', '/v1/events', event);
    const { MOBILE_NUMBER } = event.data as { MOBILE_NUMBER: string };
    const inbox = await until(async () => {
      const answer = await call('GET', `/sandbox/messages?to=${encodeURIComponent(MOBILE_NUMBER)}`);
      return answer.body.length > 0 && answer.body;
    });
    expect(inbox).toEqual([
      {
        id: expect.any(String),
        reference: body.messages[0].id,
        to: MOBILE_NUMBER,
        from: '+18005550100',
        body: 'Hi Ada, welcome!',
        media_urls: [],
        accepted_at: expect.any(String),
      },
    ]);
    await until(async () => (await storedMessage(body.messages[0].id)).state === 'delivered');
  });

  it.each([
    ['false', false, 'consent_denied'],
    ['missing', undefined, 'consent_missing'],
    ['blank', '', 'consent_missing'],
  ])('with consent %s is recorded with its reason and sent to nobody', async (_, SMS_CONSENT, reason) => {
    const event = goodEvent(campaign.trigger, { data: { SMS_CONSENT } });
    const { status, body } = await call('POST', '/v1/events', event);
    expect(status).toBe(202);
    expect(body.messages[0]).toMatchObject({
      state: 'suppressed',
      reason,
      decision: { outcome: 'suppress', reason },
    });
    expect(await storedMessage(body.messages[0].id)).toMatchObject({ state: 'suppressed', reason });
    expect(await takenBySandbox(body.messages[0].id)).toBe(0);
  });

  it('with a text that needs what nobody gave is not sent, and says what is missing', async () => {
    const event = goodEvent(campaign.trigger, { data: { first_name: null } });
    const { body } = await call('POST', '/v1/events', event);
    expect(body.messages[0]).toMatchObject({ state: 'suppressed', reason: 'template_variable_missing' });
    expect(body.messages[0].decision.rules.at(-1)).toMatchObject({ rule: 'template', result: 'block' });
    expect(body.messages[0].decision.text).toContain('first_name');
  });

  it('of a type that no live campaign listens to is accepted and says so', async () => {
    const { status, body } = await call('POST', '/v1/events', goodEvent('nobody.listens'));
    expect(status).toBe(202);
    expect(body).toMatchObject({
      duplicate: false,
      messages: [],
      note: expect.stringContaining('nobody.listens'),
    });
  });

  it('does not trigger drafts and paused campaigns', async () => {
    const draft = await putCampaign({ state: 'draft' });
    expect((await call('POST', '/v1/events', goodEvent(draft.trigger))).body.messages).toEqual([]);
    const paused = await putCampaign({ state: 'paused' });
    expect((await call('POST', '/v1/events', goodEvent(paused.trigger))).body.messages).toEqual([]);
  });

  it('sees the profile, and a newer profile at the next event', async () => {
    const customer_id = unique('customer');
    const event = () => goodEvent(campaign.trigger, { customer_id, data: { SMS_CONSENT: null } });
    expect((await call('POST', '/v1/events', event())).body.messages[0].reason).toBe('consent_missing');
    await call('PUT', `/v1/profiles/${customer_id}`, { SMS_CONSENT: true });
    expect((await call('POST', '/v1/events', event())).body.messages[0].state).toBe('queued');
  });

  it('keeps its request id when the client gives one, and replaces a hostile one', async () => {
    const given = await call('POST', '/v1/events', goodEvent('x'), { 'x-request-id': 'form-17:a.b' });
    expect(given.headers.get('x-request-id')).toBe('form-17:a.b');
    const hostile = await call('POST', '/v1/events', '{', { 'x-request-id': 'a"b c' });
    expect(hostile.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
    expect(hostile.body.request_id).toBe(hostile.headers.get('x-request-id'));
  });
});

describe('once', () => {
  it('gives the first answer again, with duplicate: true', async () => {
    const event = goodEvent(campaign.trigger);
    const first = await call('POST', '/v1/events', event);
    await until(async () => (await storedMessage(first.body.messages[0].id)).state === 'delivered');
    const second = await call('POST', '/v1/events', event);
    expect(second.status).toBe(202);
    expect(second.body).toEqual({ ...first.body, duplicate: true });
  });

  it('takes the same members in another order for the same event', async () => {
    const event = goodEvent(campaign.trigger);
    await call('POST', '/v1/events', event);
    const reordered = Object.fromEntries(Object.entries(event).reverse());
    expect((await call('POST', '/v1/events', reordered)).body.duplicate).toBe(true);
  });

  it('refuses another event under the same id', async () => {
    const event = goodEvent(campaign.trigger);
    await call('POST', '/v1/events', event);
    const { status, body } = await call('POST', '/v1/events', { ...event, customer_id: 'somebody-else' });
    expect(status).toBe(409);
    expect(body.detail).toContain(event.id);
  });

  it('sends one text for fifty concurrent posts of one event', async () => {
    const event = goodEvent(campaign.trigger);
    const answers = await Promise.all(Array.from({ length: 50 }, () => call('POST', '/v1/events', event)));
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 202));
    expect(answers.filter((answer) => answer.body.duplicate)).toHaveLength(49);
    const ids = new Set(answers.map((answer) => answer.body.messages[0].id));
    expect(ids.size).toBe(1);
    const [id] = ids;
    await until(async () => (await storedMessage(id)).state === 'delivered');
    expect(await takenBySandbox(id)).toBe(1);
    expect((await storedMessage(id)).attempts).toBe(1);
  });

  it('lets no campaign that came later add a message to an event', async () => {
    const trigger = unique('trigger');
    await putCampaign({ trigger });
    const event = goodEvent(trigger);
    await call('POST', '/v1/events', event);
    await putCampaign({ trigger });
    const again = await call('POST', '/v1/events', event);
    expect(again.body).toMatchObject({ duplicate: true, messages: { length: 1 } });
  });
});

describe('many events', () => {
  it.each([
    ['an array', (events: unknown[]) => events],
    ['{"events": […]}', (events: unknown[]) => ({ events })],
  ])('come as %s and are answered one by one, in order', async (_, wrap) => {
    const good = goodEvent(campaign.trigger);
    const bad = { ...goodEvent(campaign.trigger, { id: unique('event') }), customer_id: 7 } as Record<
      string,
      unknown
    >;
    const twice = good;
    const other = { ...good, type: 'other' };
    const { status, body } = await call('POST', '/v1/events', wrap([good, bad, twice, other]));
    expect(status).toBe(202);
    expect(body.results.map((result: { status: number }) => result.status)).toEqual([202, 422, 202, 409]);
    expect(body.results[0]).toMatchObject({ id: good.id, duplicate: false, messages: { length: 1 } });
    expect(body.results[1]).toMatchObject({
      id: bad.id,
      errors: [{ path: 'customer_id', message: 'must be a string' }],
    });
    expect(body.results[2]).toMatchObject({ id: good.id, duplicate: true });
  });

  it('of which none is good are refused as a whole', async () => {
    const before = await countEvents();
    const { status, body } = await call('POST', '/v1/events', [{}, { id: 'x' }]);
    expect(status).toBe(422);
    expect(body.results).toHaveLength(2);
    expect(body.errors.map((error: { path: string }) => error.path)).toContain('[1].type');
    expect(await countEvents()).toBe(before);
  });

  it('may be 500, all in one transaction', async () => {
    const events = Array.from({ length: 500 }, () =>
      goodEvent(campaign.trigger, { data: { SMS_CONSENT: false } }),
    );
    const { status, body } = await call('POST', '/v1/events', { events });
    expect(status).toBe(202);
    expect(body.results).toHaveLength(500);
    expect(body.results.every((result: { status: number }) => result.status === 202)).toBe(true);
  });
});

describe('keys', () => {
  const event = () => goodEvent(campaign.trigger);

  async function key(
    scopes: string[],
    fields: { revoked?: boolean; country?: string } = {},
  ): Promise<string> {
    const secret = unique('ot_key');
    await env.DB.prepare(
      'INSERT INTO api_keys (id, name, key_hash, scopes, default_country, created_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)',
    )
      .bind(
        unique('src'),
        'test',
        await sha256Hex(secret),
        JSON.stringify(scopes),
        fields.country ?? null,
        fields.revoked ? 1 : null,
      )
      .run();
    return `Bearer ${secret}`;
  }

  it.each([
    ['no key', ''],
    ['another scheme', 'Basic b3Q6ZGVtbw=='],
    ['an unknown key', 'Bearer ot_nobody'],
    ['an empty key', 'Bearer '],
  ])('%s is 401', async (_, authorization) => {
    const { status, body, headers } = await call('POST', '/v1/events', event(), { authorization });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe('Bearer');
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body).toMatchObject({ status: 401, title: 'Not authenticated', request_id: expect.any(String) });
  });

  it('a key that KV knows needs no D1; one that only D1 knows works too, and no request writes KV', async () => {
    const authorization = await key(['ingest', 'read']);
    expect((await call('POST', '/v1/events', event(), { authorization })).status).toBe(202);
    const hash = await sha256Hex(authorization.slice('Bearer '.length));
    expect(await env.CACHE.get(`key:${hash}`)).toBeNull();

    const cached = unique('ot_cached');
    const entry = { id: 'cached', scopes: ['ingest'], default_country: null };
    await env.CACHE.put(`key:${await sha256Hex(cached)}`, JSON.stringify(entry));
    expect((await call('POST', '/v1/events', event(), { authorization: `Bearer ${cached}` })).status).toBe(
      202,
    );
  });

  it('a revoked key is 401', async () => {
    const authorization = await key(['ingest'], { revoked: true });
    expect((await call('POST', '/v1/events', event(), { authorization })).status).toBe(401);
  });

  it('a key without the scope is 403', async () => {
    const authorization = await key(['read']);
    const { status, body } = await call('POST', '/v1/events', event(), { authorization });
    expect(status).toBe(403);
    expect(body.detail).toContain('ingest');
  });

  it('a key that may only ingest sees no whole number in its answers', async () => {
    const authorization = await key(['ingest']);
    const customer_id = unique('customer');
    await call('PUT', `/v1/profiles/${customer_id}`, {
      MOBILE_NUMBER: '+12125550177',
      SMS_CONSENT: true,
      SMS_VALID: true,
    });
    const answer = await call('POST', '/v1/events', { ...event(), customer_id }, { authorization });
    expect(answer.status).toBe(202);
    expect(JSON.stringify(answer.body)).not.toContain('+12125550177');
    expect(JSON.stringify(answer.body)).toContain('+1212•••0177');
  });

  it('a source’s default country reads national numbers; without one they are unusable', async () => {
    const data = { MOBILE_NUMBER: '(415) 555-0123' };
    const us = await call('POST', '/v1/events', goodEvent(campaign.trigger, { data }), {
      authorization: await key(['ingest', 'read'], { country: 'US' }),
    });
    expect(us.body.messages[0].decision.number).toEqual({ value: '+14155550123', from: 'event' });
    const none = await call('POST', '/v1/events', goodEvent(campaign.trigger, { data }));
    expect(none.body.messages[0].reason).toBe('number_unusable');
  });
});
