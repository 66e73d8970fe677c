import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { receiveInbound, type Understood } from '../../src/consent/inbound.ts';
import { optOutUrl } from '../../src/consent/link.ts';
import { claim } from '../../src/ledger/claim.ts';
import {
  call,
  goodEvent,
  putCampaign,
  type TestRuntime,
  testRuntime,
  unique,
  uniqueNumber,
} from '../support.ts';

interface SystemRow {
  readonly id: string;
  readonly kind: string;
  readonly body: string;
  readonly sender: string;
  readonly state: string;
  readonly expires_at: number;
  readonly created_at: number;
}

async function systemMessages(number: string): Promise<SystemRow[]> {
  const { results } = await env.DB.prepare(
    "SELECT * FROM messages WHERE number = ?1 AND kind <> 'campaign' ORDER BY rowid",
  )
    .bind(number)
    .all<SystemRow>();
  return results;
}

const say = (
  runtime: TestRuntime,
  from: string,
  text: string,
  fields: Partial<Parameters<typeof receiveInbound>[1]> = {},
): Promise<Understood | null> =>
  receiveInbound(runtime, {
    ...{ from, text, to: '+14155550100', at: runtime.now(), deliveryId: unique('sandbox:d') },
    ...{ providerKeyword: null, providerReplies: false, ...fields },
  });
const standing = async (number: string) => (await call('GET', `/v1/suppressions/${number}`)).body;

describe('the confirmation of an opt-out', () => {
  it('is one text, from the number that was texted, for five minutes, however often the STOP is delivered', async () => {
    const runtime = testRuntime();
    const number = uniqueNumber();
    const deliveryId = unique('sandbox:same');
    await Promise.all(Array.from({ length: 6 }, () => say(runtime, number, 'STOP', { deliveryId })));
    await Promise.all(Array.from({ length: 3 }, () => say(runtime, number, 'STOP')));
    const messages = await systemMessages(number);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatchObject({
      kind: 'opt_out_confirmation',
      sender: '+14155550100',
      state: 'queued',
    });
    expect(messages[0]?.body).toBe(
      'Ada & Co: You have opted out and will get no more texts from us. Reply START to undo this.',
    );
    expect((messages[0]?.expires_at ?? 0) - (messages[0]?.created_at ?? 0)).toBeLessThanOrEqual(300_000);
    await runtime.settled();
    expect(new Set(runtime.sent.map(({ pointer }) => pointer.message))).toEqual(new Set([messages[0]?.id]));
    const claimed = await claim(
      env.DB,
      [messages[0]?.id ?? ''],
      'clm_x',
      runtime.now(),
      runtime.now() + 1000,
    );
    expect(claimed).toHaveLength(1);
  });

  it('is not claimed after five minutes', async () => {
    const runtime = testRuntime();
    const number = uniqueNumber();
    await say(runtime, number, 'STOP');
    const [message] = await systemMessages(number);
    runtime.advance(300_001);
    expect(await claim(env.DB, [message?.id ?? ''], 'clm_y', runtime.now(), runtime.now() + 1)).toEqual([]);
  });

  it.each([
    ['the provider answers itself', { providerReplies: true }],
    ['the STOP came ten minutes late', { at: Date.now() - 600_000 }],
  ])('is not made where %s, and the opt-out counts', async (_, fields) => {
    const number = uniqueNumber();
    expect(await say(testRuntime(), number, 'STOP', fields)).toBe('opt_out');
    expect(await systemMessages(number)).toEqual([]);
    expect((await standing(number)).opted_out).toBe(true);
  });

  it('speaks the language of the word', async () => {
    const number = uniqueNumber();
    await say(testRuntime(), number, 'baja');
    expect((await systemMessages(number))[0]?.body).toContain('Se ha dado de baja');
  });

  it('reads like any other message in the log', async () => {
    const number = uniqueNumber();
    await say(testRuntime(), number, 'STOP');
    const [row] = await systemMessages(number);
    const { body } = await call('GET', `/v1/messages/${row?.id}`);
    expect(body).toMatchObject({
      kind: 'opt_out_confirmation',
      campaign: null,
      event_id: null,
      customer_id: null,
    });
    expect(body.decision).toMatchObject({ outcome: 'deliver', policy: { name: '(system)' } });
    expect((await call('GET', `/v1/messages/${row?.id}/flowchart.svg`)).status).toBe(404);
  });
});

describe('HELP', () => {
  it('is answered to strangers and after STOP, once an hour', async () => {
    const runtime = testRuntime();
    const number = uniqueNumber();
    expect(await say(runtime, number, 'HELP')).toBe('help');
    await say(runtime, number, 'INFO');
    expect((await systemMessages(number)).map((row) => row.kind)).toEqual(['help']);
    await say(runtime, number, 'STOP');
    runtime.advance(3_600_001);
    await say(runtime, number, 'HELP');
    const messages = await systemMessages(number);
    expect(messages.map((row) => row.kind)).toEqual(['help', 'opt_out_confirmation', 'help']);
    expect(messages[0]?.body).toContain('For help: help@example.com.');
  });
});

describe('START and YES', () => {
  it('START lifts, is confirmed, and withdraws a confirmation that still waits; STOP does the same to START’s', async () => {
    const runtime = testRuntime();
    const number = uniqueNumber();
    for (const text of ['STOP', 'START', 'STOP']) {
      await say(runtime, number, text);
      runtime.advance(2000);
    }
    expect((await systemMessages(number)).map(({ kind, state }) => [kind, state])).toEqual([
      ['opt_out_confirmation', 'canceled'],
      ['opt_in_confirmation', 'canceled'],
      ['opt_out_confirmation', 'queued'],
    ]);
  });

  it('YES lifts only as the answer to a text of the system, and never at a toll-free number', async () => {
    const runtime = testRuntime();
    const number = uniqueNumber();
    expect(await say(runtime, number, 'YES')).toBeNull();
    await say(runtime, number, 'STOP');
    expect(await say(runtime, number, 'YES', { to: '+18005550100' })).toBeNull();
    expect(await say(runtime, number, 'YES')).toBe('opt_in');
    expect((await standing(number)).opted_out).toBe(false);
  });
});

describe('the reach of an opt-out', () => {
  it('of a doubtful text is marketing, and transactional campaigns still send', async () => {
    const number = uniqueNumber();
    const marketing = await putCampaign();
    const transactional = await putCampaign({ purpose: 'transactional' });
    await say(testRuntime(), number, 'stop?');
    const state = async (trigger: string) =>
      (await call('POST', '/v1/events', goodEvent(trigger, { data: { MOBILE_NUMBER: number } }))).body
        .messages[0].state;
    expect(await state(marketing.trigger)).toBe('suppressed');
    expect(await state(transactional.trigger)).toBe('queued');
    const dry = async (campaign: string) =>
      (
        await call('POST', '/v1/decisions', {
          campaign,
          data: goodEvent('x', { data: { MOBILE_NUMBER: number } }).data,
        })
      ).body.decision.outcome;
    expect([await dry(marketing.id), await dry(transactional.id)]).toEqual(['suppress', 'deliver']);
  });

  it('is settled by a person, once', async () => {
    const number = uniqueNumber();
    await say(testRuntime(), number, 'stop?');
    const mine = async () =>
      (await call('GET', '/v1/consent/reviews?limit=200')).body.reviews.filter(
        (review: { number: string }) => review.number === number,
      );
    const [review] = await mine();
    expect(review).toMatchObject({ review: true, scope: 'marketing', evidence: { text: 'stop?' } });
    const settle = () => call('POST', `/v1/consent/reviews/${review.id}`, { verdict: 'not_an_opt_out' });
    expect((await settle()).status).toBe(200);
    expect((await settle()).status).toBe(409);
    expect(await mine()).toEqual([]);
    expect(await standing(number)).toMatchObject({
      opted_out: false,
      history: [{ origin: 'review' }, { id: review.id }],
    });
  });

  it('a review never lifts what the person said besides', async () => {
    const number = uniqueNumber();
    await call('PUT', `/v1/suppressions/${number}`, {
      scope: 'marketing',
      origin: 'call',
      evidence: { agent: 'A' },
    });
    await say(testRuntime(), number, 'stop?');
    const [doubtful] = (await standing(number)).history.filter((row: { review: boolean }) => row.review);
    await call('POST', `/v1/consent/reviews/${doubtful.id}`, { verdict: 'not_an_opt_out' });
    expect((await standing(number)).opted_out).toBe(true);
  });
});

describe('STOP against claim', () => {
  it('after the answer no claim of a campaign message succeeds, whatever raced before', async () => {
    const runtime = testRuntime();
    const { trigger } = await putCampaign();
    for (let i = 0; i < 10; i++) {
      const number = uniqueNumber();
      const { messages } = (
        await call('POST', '/v1/events', goodEvent(trigger, { data: { MOBILE_NUMBER: number } }))
      ).body;
      await env.DB.prepare("UPDATE messages SET state = 'queued' WHERE id = ?1 AND state <> 'queued'")
        .bind(messages[0].id)
        .run();
      await say(runtime, number, 'STOP');
      expect(await claim(env.DB, [messages[0].id], `clm_${i}`, runtime.now(), runtime.now() + 1000)).toEqual(
        [],
      );
    }
  });
});

describe('the opt-out link', () => {
  it('does nothing when opened, and opts out when confirmed or one-clicked', async () => {
    const { trigger } = await putCampaign({ body: 'Hi {{ first_name }}. {{ opt_out_url }}' });
    for (const form of ['confirm=yes', 'List-Unsubscribe=One-Click']) {
      const number = uniqueNumber();
      const event = goodEvent(trigger, { data: { MOBILE_NUMBER: number, opt_out_url: 'https://evil.test' } });
      const [{ id }] = (await call('POST', '/v1/events', event)).body.messages;
      const { body } = (await call('GET', `/v1/messages/${id}`)).body;
      const path = /https:\/\/optitext\.test(\/o\/\S+)/.exec(body)?.[1] ?? '';
      expect(path).not.toContain(number.slice(-7));
      for (let i = 0; i < 3; i++) expect((await call('GET', path)).status).toBe(200);
      expect(
        (await call('POST', path, 'x=1', { 'content-type': 'application/x-www-form-urlencoded' })).status,
      ).toBe(422);
      expect((await standing(number)).opted_out).toBeUndefined();
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      expect((await call('POST', path, form, headers)).status).toBe(200);
      expect(await standing(number)).toMatchObject({
        opted_out: true,
        origin: 'link',
        history: [{ message_id: id }],
      });
      expect(
        (await call('POST', `${path.slice(0, -1)}${path.endsWith('A') ? 'B' : 'A'}`, form, headers)).status,
      ).toBe(404);
    }
  });

  it('is a stated reason where it is not configured', async () => {
    const runtime = testRuntime({ variable: () => undefined });
    expect(await optOutUrl(runtime, `msg_${'a'.repeat(32)}`)).toBeNull();
  });
});

describe('the list of opt-outs', () => {
  it('is walked by a cursor without a number in it, and misses none', async () => {
    const numbers = Array.from({ length: 5 }, uniqueNumber);
    const at = Date.now() + 1000;
    for (const number of numbers)
      await env.DB.prepare("INSERT INTO suppressions (number, origin, created_at) VALUES (?1, 'api', ?2)")
        .bind(number, at)
        .run();
    const seen: string[] = [];
    let cursor = '';
    for (let page = 0; page < 4; page++) {
      const { body } = await call('GET', `/v1/suppressions?limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.suppressions.map((row: { number: string }) => row.number));
      cursor = body.next_cursor ?? '';
    }
    expect(seen).toEqual(expect.arrayContaining(numbers));
    expect(new Set(seen).size).toBe(seen.length);
    expect((await call('GET', '/v1/suppressions?cursor=x')).status).toBe(422);
  });
});
