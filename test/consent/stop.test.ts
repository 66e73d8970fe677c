import { env } from 'cloudflare:test';
import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, it } from 'vitest';
import { understand } from '../../src/consent/classify.ts';
import { call, goodEvent, putCampaign, storedMessage, uniqueNumber } from '../support.ts';

describe('keywords', () => {
  it.each([
    'STOP',
    'stop',
    ' Stop. ',
    'STOP!',
    'ＳＴＯＰ',
    'stopall',
    'STOP ALL',
    'quit',
    'End',
    'revoke',
    'opt-out',
    'OPT OUT',
    'optout',
    'cancel',
    'Unsubscribe',
    'please opt me out',
  ])('%j opts out', (text) => expect(understand(text)).toMatchObject({ kind: 'opt_out', doubt: false }));
  it.each(['START', 'unstop', 'Start!'])('%j opts in', (text) =>
    expect(understand(text)?.kind).toBe('opt_in'),
  );
  it.each(['', 'stop by the store', 'the weekend', 'cancel my appointment', 'bus stop', 'nonstop', 'thanks'])(
    '%j is just a text',
    (text) => expect(understand(text)).toBeNull(),
  );
});

describe('an opt-out', () => {
  let type: string;
  beforeAll(async () => {
    type = (await putCampaign()).trigger;
  });
  const signup = async (number: string) =>
    (await call('POST', '/v1/events', goodEvent(type, { data: { MOBILE_NUMBER: number } }))).body.messages[0];

  it('by text blocks every customer with that number, and only a new opt-in lifts it', async () => {
    const number = uniqueNumber();
    expect((await call('POST', '/sandbox/replies', { from: number, text: 'Stop' })).body).toEqual({
      understood_as: 'opt_out',
    });
    const refused = await signup(number);
    expect(refused).toMatchObject({ state: 'suppressed', reason: 'opted_out' });
    expect(refused.decision.counterfactuals).toEqual([
      {
        change: { suppressed: false },
        outcome: 'deliver',
        text: expect.stringMatching(/^would be sent if there were a new opt-in on this number/),
      },
    ]);
    await call('POST', '/sandbox/replies', { from: number, text: 'thanks' });
    expect((await signup(number)).reason).toBe('opted_out');
    expect((await call('POST', '/sandbox/replies', { from: number, text: 'START' })).body).toEqual({
      understood_as: 'opt_in',
    });
    expect((await signup(number)).state).toBe('queued');
  });

  it('by API takes any spelling of the number, and can be read and lifted', async () => {
    const number = uniqueNumber();
    const spelled = encodeURIComponent(`${number.slice(0, 5)} ${number.slice(5)}`);
    expect((await call('GET', `/v1/suppressions/${number}`)).status).toBe(404);
    const put = await call('PUT', `/v1/suppressions/${spelled}`, { note: 'asked by phone' });
    expect(put.body).toMatchObject({ number, origin: 'api', note: 'asked by phone' });
    expect((await signup(number)).reason).toBe('opted_out');
    expect((await call('DELETE', `/v1/suppressions/${number}`)).status).toBe(204);
    expect((await call('DELETE', `/v1/suppressions/${number}`)).status).toBe(404);
    expect((await signup(number)).state).toBe('queued');
  });

  it('by API refuses a national number without a country, and takes a short code that said STOP', async () => {
    expect((await call('PUT', '/v1/suppressions/4155550123')).status).toBe(422);
    expect((await call('PUT', '/v1/suppressions/72346')).body).toMatchObject({
      number: '72346',
      opted_out: true,
    });
  });

  it('is kept in records that nobody can change', async () => {
    const number = uniqueNumber();
    await call('PUT', `/v1/suppressions/${number}`, {});
    await call('DELETE', `/v1/suppressions/${number}`);
    const { results } = await env.DB.prepare('SELECT kind FROM consent_records WHERE number = ?1 ORDER BY at')
      .bind(number)
      .all();
    expect(results.map((row) => row.kind).sort()).toEqual(['opt_in', 'opt_out']);
    await expect(
      env.DB.prepare('DELETE FROM consent_records WHERE number = ?1').bind(number).run(),
    ).rejects.toThrow('append-only');
    await expect(
      env.DB.prepare("UPDATE consent_records SET kind = 'opt_in' WHERE number = ?1").bind(number).run(),
    ).rejects.toThrow('append-only');
  });

  it('is not lifted by a batch row or an event that says yes', async () => {
    const number = uniqueNumber();
    await call('PUT', `/v1/suppressions/${number}`, {});
    const event = goodEvent(type, { data: { MOBILE_NUMBER: number } });
    await call('PUT', `/v1/profiles/${event.customer_id}`, {
      MOBILE_NUMBER: number,
      SMS_CONSENT: true,
      SMS_VALID: true,
    });
    const { body } = await call('POST', '/v1/events', event);
    expect(body.messages[0].reason).toBe('opted_out');
    expect((await storedMessage(body.messages[0].id)).state).toBe('suppressed');
  });
});

describe('words that carriers deliver twice or out of order', () => {
  const said = (number: string, text: string, at: number, id: string) => {
    const body = JSON.stringify({ from: number, text });
    return call('POST', '/callbacks/sandbox/inbound', body, {
      'webhook-id': id,
      'webhook-timestamp': String(at),
      'webhook-signature': new Webhook(env.CALLBACK_SECRET ?? '').sign(id, new Date(at * 1000), body),
      authorization: '',
    });
  };
  const isOut = async (number: string) =>
    (await call('GET', `/v1/suppressions/${number}`)).body.opted_out === true;
  const now = Math.floor(Date.now() / 1000);

  it.each<[string, [string, number, string][], boolean]>([
    [
      'START, STOP, the same START again',
      [
        ['START', -20, 'a'],
        ['STOP', -10, 'b'],
        ['START', -20, 'a'],
      ],
      true,
    ],
    [
      'STOP, then a START that was said before it',
      [
        ['STOP', -10, 'a'],
        ['START', -20, 'b'],
      ],
      true,
    ],
    [
      'STOP, START, the same STOP again',
      [
        ['STOP', -20, 'a'],
        ['START', -10, 'b'],
        ['STOP', -20, 'a'],
      ],
      false,
    ],
    [
      'START, then a STOP that was said before it',
      [
        ['START', -10, 'a'],
        ['STOP', -20, 'b'],
      ],
      false,
    ],
    [
      'STOP and START in one second',
      [
        ['STOP', -10, 'a'],
        ['START', -10, 'b'],
      ],
      false,
    ],
    [
      'START and STOP in one second',
      [
        ['START', -10, 'a'],
        ['STOP', -10, 'b'],
      ],
      true,
    ],
    [
      'STOP, START, another STOP',
      [
        ['STOP', -30, 'a'],
        ['START', -20, 'b'],
        ['STOP', -10, 'c'],
      ],
      true,
    ],
  ])('%s', async (_, words, out) => {
    const number = uniqueNumber();
    for (const [text, offset, id] of words) {
      expect((await said(number, text, now + offset, `${number}-${id}`)).status).toBe(200);
    }
    expect(await isOut(number)).toBe(out);
  });

  it('a STOP in the same second as an opt-in by hand counts, and the next opt-in lifts it', async () => {
    const number = uniqueNumber();
    await call('PUT', `/v1/suppressions/${number}`);
    await call('DELETE', `/v1/suppressions/${number}`);
    await said(number, 'STOP', Math.floor(Date.now() / 1000), `${number}-x`);
    expect(await isOut(number)).toBe(true);
    expect((await call('DELETE', `/v1/suppressions/${number}`)).status).toBe(204);
    expect(await isOut(number)).toBe(false);
  });

  it('a STOP from a number without its plus is a STOP from that number', async () => {
    const number = uniqueNumber();
    await said(number.slice(1), 'STOP', now, `${number}-bare`);
    expect(await isOut(number)).toBe(true);
  });

  it.each(['+19005550123', '72345', '+99912345678'])(
    'a STOP from %s, which we would not text, is kept',
    async (from) => {
      expect((await said(from, 'STOP', now, `${from}-1`)).body).toEqual({ understood_as: 'opt_out' });
      const row = await env.DB.prepare('SELECT origin FROM suppressions WHERE number = ?1')
        .bind(from)
        .first();
      expect(row).toEqual({ origin: 'sms' });
    },
  );
});

describe('the sandbox callbacks', () => {
  const post = (path: string, payload: unknown, secret = env.CALLBACK_SECRET ?? '', at = new Date()) => {
    const body = JSON.stringify(payload);
    return call('POST', path, body, {
      'webhook-id': 'whk_test',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign('whk_test', at, body),
      authorization: '',
    });
  };
  const stop = { from: '+14155550199', text: 'STOP' };

  it('take what is signed', async () => {
    expect((await post('/callbacks/sandbox/inbound', stop)).status).toBe(200);
    expect((await post('/callbacks/sandbox/status', { receipts: [] })).status).toBe(204);
  });

  it.each([
    [
      'another secret',
      () => post('/callbacks/sandbox/inbound', stop, 'whsec_b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldA=='),
    ],
    [
      'an old signature',
      () => post('/callbacks/sandbox/inbound', stop, undefined, new Date(Date.now() - 3_600_000)),
    ],
    ['no signature', () => call('POST', '/callbacks/sandbox/inbound', stop)],
    ['no signature on a receipt', () => call('POST', '/callbacks/sandbox/status', { receipts: [] })],
  ])('refuse %s with 401', async (_, send) => {
    const answer = await send();
    expect(answer.status).toBe(401);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  });

  it('refuse a signed body of the wrong shape with 422', async () => {
    expect((await post('/callbacks/sandbox/status', { receipts: [{ id: 1 }] })).status).toBe(422);
    expect((await post('/callbacks/sandbox/inbound', { from: 'nobody', text: 'STOP' })).status).toBe(422);
  });
});
