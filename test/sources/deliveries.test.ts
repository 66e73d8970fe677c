/** From a tool's post to a decision: what is proven counts once, and what is not proven counts for nothing. */
import { env } from 'cloudflare:test';
import { describe, expect, it, vi } from 'vitest';
import { recordDelivery } from '../../src/sources/deliveries.ts';
import { call, testRuntime, unique, uniqueNumber } from '../support.ts';
import { deliveries, hex, NOTHING, post, SECRET, setUp, setUpSigned, stored } from './support.ts';

const bodyWith = (phone: string, agreed: unknown = true): string =>
  JSON.stringify({ phone, agreed, first_name: 'Ada', email: 'ada@example.com' });

describe('a delivery with the right signature', () => {
  it('becomes an event and a decision, and the answer says which', async () => {
    const source = await setUpSigned();
    const body = bodyWith(uniqueNumber());
    const answer = await post(source.id, body, { 'x-signature': await hex(SECRET, body), 'x-id': 'd-1' });
    expect(answer.status).toBe(200);
    expect(answer.body.outcome).toBe('accepted');
    expect(answer.body.results).toEqual([
      {
        id: `${source.id}:d-1`,
        duplicate: false,
        messages: [expect.objectContaining({ campaign: source.campaign, state: 'queued', reason: null })],
      },
    ]);
    expect(await stored(source.id)).toEqual({ events: 1, messages: 1, consents: 1 });
  });

  it('leaves a consent record with what was shown to the person, which lifts no opt-out', async () => {
    const number = uniqueNumber();
    const source = await setUpSigned({
      vouches: {
        disclosure: 'Texts about your order. STOP ends them.',
        disclosure_url: 'https://shop.example.com/sms',
      },
    });
    await call('PUT', `/v1/suppressions/${encodeURIComponent(number)}`, { note: 'said stop' });
    const body = bodyWith(number);
    const answer = await post(source.id, body, { 'x-signature': await hex(SECRET, body), 'x-id': 'd-2' });
    expect(answer.body.results[0].messages[0].state).toBe('suppressed');
    const record = await env.DB.prepare('SELECT * FROM consent_records WHERE source_id = ?1')
      .bind(source.id)
      .first<Record<string, string>>();
    expect(record).toMatchObject({ kind: 'consent_given', origin: 'event', number });
    expect(JSON.parse(record?.evidence ?? '')).toEqual({
      field: ['$.agreed'],
      disclosure: 'Texts about your order. STOP ends them.',
      disclosure_url: 'https://shop.example.com/sms',
      event_id: `${source.id}:d-2`,
    });
  });

  it('twice is one event, whether the tool names it or not', async () => {
    const source = await setUpSigned();
    const body = bodyWith(uniqueNumber());
    const headers = { 'x-signature': await hex(SECRET, body) };
    expect((await post(source.id, body, headers)).body.outcome).toBe('accepted');
    const again = await post(source.id, body, headers);
    expect(again.status).toBe(200);
    expect(again.body.outcome).toBe('duplicate');
    expect(await stored(source.id)).toEqual({ events: 1, messages: 1, consents: 1 });
  });

  it('under an id that another body used is answered as a repetition and changes nothing', async () => {
    const source = await setUpSigned();
    for (const phone of [uniqueNumber(), uniqueNumber()]) {
      const body = bodyWith(phone);
      const answer = await post(source.id, body, { 'x-signature': await hex(SECRET, body), 'x-id': 'same' });
      expect(answer.status).toBe(200);
    }
    expect((await stored(source.id)).events).toBe(1);
  });

  it('of one customer without an id is the same customer, by the number', async () => {
    const source = await setUpSigned();
    const number = uniqueNumber();
    for (const agreed of [true, 'yes']) {
      const body = bodyWith(number, agreed);
      await post(source.id, body, { 'x-signature': await hex(SECRET, body) });
    }
    const { results } = await env.DB.prepare('SELECT DISTINCT customer_id FROM events WHERE source_id = ?1')
      .bind(source.id)
      .all<{ customer_id: string }>();
    expect(results).toHaveLength(1);
    expect(results[0]?.customer_id).toMatch(new RegExp(`^${source.id}:[0-9a-f]{32}$`));
  });

  it.each([
    ['unticked', null, 'consent_missing'],
    ['a no', 'no', 'consent_denied'],
  ])('and consent %s is suppressed with the reason', async (_, agreed, reason) => {
    const source = await setUpSigned();
    const body = bodyWith(uniqueNumber(), agreed);
    const answer = await post(source.id, body, { 'x-signature': await hex(SECRET, body) });
    expect(answer.body.results[0].messages[0]).toMatchObject({ state: 'suppressed', reason });
    expect((await stored(source.id)).consents).toBe(0);
  });

  it('counts as consented where the source vouches, but never against an explicit no', async () => {
    const source = await setUpSigned({
      vouches: { consent: true, disclosure: 'Ticket buyers agree to texts.' },
    });
    const outcomes = [];
    for (const agreed of [null, false]) {
      const body = bodyWith(uniqueNumber(), agreed);
      const answer = await post(source.id, body, { 'x-signature': await hex(SECRET, body) });
      outcomes.push(answer.body.results[0].messages[0].reason);
    }
    expect(outcomes).toEqual([null, 'consent_denied']);
    expect((await stored(source.id)).consents).toBe(1);
  });
});

describe('a delivery that proves nothing stores nothing but its masked record', () => {
  const cases: [
    string,
    (signature: string, body: string) => Promise<[Record<string, string>, string]>,
    string,
  ][] = [
    ['without a signature', async (_, body) => [{}, body], 'signature_missing'],
    [
      'with a wrong signature',
      async (_, body) => [{ 'x-signature': '0'.repeat(64) }, body],
      'signature_mismatch',
    ],
    [
      'with a changed byte',
      async (good, body) => [{ 'x-signature': good }, body.replace('Ada', 'Adb')],
      'signature_mismatch',
    ],
    [
      'with the secret of another source',
      async (_, body) => [{ 'x-signature': await hex('another source', body) }, body],
      'signature_mismatch',
    ],
  ];
  it.each(cases)('%s', async (_, tamper, reason) => {
    const source = await setUpSigned();
    const phone = uniqueNumber();
    const good = bodyWith(phone);
    const [headers, body] = await tamper(await hex(SECRET, good), good);
    const answer = await post(source.id, body, { ...headers, 'content-type': 'application/json' });
    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject({ reason, title: 'Not authenticated' });
    expect(await stored(source.id)).toEqual(NOTHING);
    const [kept] = await deliveries(source.id);
    expect(kept).toMatchObject({ outcome: 'refused', stage: 'verify', reason, status: 401, events: [] });
    expect(JSON.stringify(kept)).not.toMatch(new RegExp(`${phone.slice(1)}|ada@|${SECRET}`));
  });

  it('a replay beyond the tolerance', async () => {
    const source = await setUpSigned({
      options: {
        verify: {
          scheme: 'hmac',
          header: 'x-signature',
          timestamp_header: 'x-time',
          signed: '{timestamp}.{body}',
        },
      },
    });
    const body = bodyWith(uniqueNumber());
    const at = async (seconds: number): Promise<number> => {
      const time = String(Math.floor(Date.now() / 1000) + seconds);
      const signature = await hex(SECRET, `${time}.${body}`);
      return (await post(source.id, body, { 'x-signature': signature, 'x-time': time })).status;
    };
    expect([await at(-301), await at(301), await at(0)]).toEqual([401, 401, 200]);
  });

  it('a source that is switched off, and one that is not there', async () => {
    const source = await setUpSigned({ state: 'off' });
    expect((await post(source.id, '{}')).body.reason).toBe('source_off');
    expect((await post(unique('nowhere'), '{}')).status).toBe(404);
  });
});

describe('two secrets', () => {
  it('both count while one replaces the other', async () => {
    const source = await setUpSigned({ secrets: ['new one', 'old one'] });
    for (const secret of ['new one', 'old one']) {
      const body = bodyWith(uniqueNumber());
      expect((await post(source.id, body, { 'x-signature': await hex(secret, body) })).status).toBe(200);
    }
  });
});

describe('a hostile body', () => {
  const bodies: [string, string | Uint8Array][] = [
    ['nothing', ''],
    ['no JSON', '{"phone":'],
    ['a list of nothing', '[]'],
    ['null', 'null'],
    ['deep nesting', `${'['.repeat(5000)}${']'.repeat(5000)}`],
    ['prototype names', '{"__proto__":{"phone":"+14155550123"},"constructor":1}'],
    ['a lone surrogate', '{"phone":"\\ud800"}'],
    ['bytes that are no text', new Uint8Array([0xff, 0xfe, 0x00, 0x80])],
    ['a number where a flag belongs', '{"phone":14155550123,"agreed":{"a":1}}'],
    ['more than an event may hold', JSON.stringify({ phone: 'x'.repeat(200_000) })],
    ['more than a megabyte', `"${'x'.repeat(1_000_001)}"`],
  ];
  it.each(bodies)('with %s is never a 5xx', async (_, body) => {
    const source = await setUpSigned();
    const answer = await post(source.id, body, { 'x-signature': await hex(SECRET, body) });
    expect(answer.status).toBeLessThan(500);
    expect((await deliveries(source.id))[0]?.status).toBe(answer.status);
  });
});

describe('the records of deliveries', () => {
  it('say what was understood, masked', async () => {
    const source = await setUpSigned();
    const number = uniqueNumber();
    const body = bodyWith(number);
    await post(source.id, body, { 'x-signature': await hex(SECRET, body), 'x-id': 'ada@example.com' });
    const [kept] = await deliveries(source.id);
    expect(kept).toMatchObject({
      outcome: 'accepted',
      status: 200,
      bytes: body.length,
      events: [
        { MOBILE_NUMBER: `${number.slice(0, 5)}•••${number.slice(-4)}`, SMS_CONSENT: true, duplicate: false },
      ],
    });
    expect(JSON.stringify(kept)).not.toMatch(new RegExp(`${number.slice(1)}|ada@example`));
  });

  it('say which path found nothing', async () => {
    const source = await setUpSigned({ mapping: { MOBILE_NUMBER: '$.telephone', SMS_CONSENT: '$.agreed' } });
    const body = bodyWith(uniqueNumber());
    await post(source.id, body, { 'x-signature': await hex(SECRET, body) });
    const [kept] = await deliveries(source.id);
    expect(kept?.events[0].notes).toEqual(['mapping.MOBILE_NUMBER: nothing stands at its path']);
  });

  it('are the last fifty good ones, and refused ones push none of them out', async () => {
    const source = await setUpSigned();
    const runtime = testRuntime();
    const seen = { method: 'POST', headers: new Headers(), bytes: 2 };
    for (let n = 0; n < 52; n++) {
      const note = `number ${n}`;
      recordDelivery(
        runtime,
        source.id,
        { ...seen, receivedAt: n },
        { outcome: 'ignored', status: 200, note },
      );
    }
    await runtime.settled();
    await post(source.id, '{}');
    const kept = await deliveries(source.id, 51);
    const good = kept.filter(({ outcome }) => outcome === 'ignored').map(({ detail }) => detail);
    expect(good).toEqual(Array.from({ length: 50 }, (_, n) => `number ${51 - n}`));
    expect(kept[0]?.outcome).toBe('refused');
  });

  it('and neither body nor secret is in the log', async () => {
    const lines: string[] = [];
    for (const level of ['log', 'warn', 'error'] as const)
      vi.spyOn(console, level).mockImplementation((...parts) => void lines.push(parts.join(' ')));
    const source = await setUp({ kind: 'typeform', secrets: [SECRET] });
    const body = bodyWith(uniqueNumber());
    await post(source.id, body);
    await post(source.id, body, { 'typeform-signature': 'sha256=nonsense' });
    await post(source.id, '{"__proto__":1');
    vi.restoreAllMocks();
    expect(lines.join('\n')).not.toMatch(/secret of this source|Ada|ada@|\d{7}/);
  });
});
