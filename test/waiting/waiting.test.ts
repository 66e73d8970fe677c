import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { optOut } from '../../src/consent/suppressions.ts';
import { decideWaiting } from '../../src/ingress/decide-again.ts';
import {
  call,
  goodEvent,
  putCampaign,
  storedMessage,
  takenBySandbox,
  testRuntime,
  timeline,
  unique,
  uniqueNumber,
  until,
} from '../support.ts';
import { drain, post, postOne, row, tick } from './support.ts';

const HOUR = 3_600_000;
const GOOD = { SMS_CONSENT: true, SMS_VALID: true };

const waitingCampaign = (fields: Record<string, unknown> = {}) =>
  putCampaign({ wait_for_profile: '24h', ttl_seconds: 172_800, ...fields });

/** A signup that says a number and nothing else. */
function bare(
  trigger: string,
  data: Record<string, unknown> = {},
): Record<string, unknown> & { customer_id: string } {
  const customer_id = unique('customer');
  const event = goodEvent(trigger, { customer_id, data: { SMS_CONSENT: null, SMS_VALID: null, ...data } });
  return { ...event, customer_id };
}

const read = async (id: string) => (await call('GET', `/v1/messages/${id}`)).body;

describe('what waits', () => {
  it.each([
    ['no number', { MOBILE_NUMBER: null }, 'number_missing'],
    ['no consent', { SMS_CONSENT: null }, 'consent_missing'],
    ['no validity', { SMS_VALID: null }, 'validity_missing'],
    ['nothing at all', { MOBILE_NUMBER: null, SMS_CONSENT: null, SMS_VALID: null }, 'number_missing'],
    ['no name for the text', { first_name: null }, 'template_variable_missing'],
  ])('%s is held for the profile', async (_, data, missing) => {
    const { trigger } = await waitingCampaign();
    const { body } = await call('POST', '/v1/events', goodEvent(trigger, { data }));
    expect(body.messages[0]).toMatchObject({
      state: 'held',
      reason: 'waiting_for_profile',
      decision: { outcome: 'hold', reason: 'waiting_for_profile', waits_for: missing },
    });
    const waits =
      Date.parse(body.messages[0].decision.hold_until) - Date.parse(body.messages[0].decision.decided_at);
    expect(waits).toBe(24 * HOUR);
  });

  it.each([
    ['a no', { SMS_CONSENT: false }, 'consent_denied'],
    ['a no beside something missing', { MOBILE_NUMBER: null, SMS_VALID: false }, 'number_missing'],
    ['a number that nobody can read', { MOBILE_NUMBER: 'call me' }, 'number_unusable'],
  ])('%s is not', async (_, data, reason) => {
    const { trigger } = await waitingCampaign();
    const { body } = await call('POST', '/v1/events', goodEvent(trigger, { data }));
    expect(body.messages[0]).toMatchObject({
      state: 'suppressed',
      reason,
      decision: { outcome: 'suppress' },
    });
  });

  it('nothing waits where the campaign does not say so', async () => {
    const { trigger } = await putCampaign();
    const { body } = await call('POST', '/v1/events', bare(trigger));
    expect(body.messages[0]).toMatchObject({ state: 'suppressed', reason: 'consent_missing' });
  });

  it('an opted-out number does not wait', async () => {
    const { trigger } = await waitingCampaign();
    const number = uniqueNumber();
    await call('PUT', `/v1/suppressions/${encodeURIComponent(number)}`);
    const { body } = await call('POST', '/v1/events', bare(trigger, { MOBILE_NUMBER: number }));
    expect(body.messages[0]).toMatchObject({ state: 'suppressed', reason: 'opted_out' });
  });

  it('a wait ends with the time to live, where that is shorter', async () => {
    const { trigger } = await waitingCampaign({ ttl_seconds: 3600 });
    const runtime = testRuntime();
    const id = await postOne(runtime, bare(trigger));
    const { created_at, decision } = await read(id);
    expect(Date.parse(decision.hold_until)).toBe(Date.parse(created_at) + HOUR);
    expect((await storedMessage(id)).due_at).toBe(Date.parse(created_at) + HOUR);
  });

  it('a dry run shows it, in words too, and the flowchart is drawn', async () => {
    const { id: campaign, trigger } = await waitingCampaign();
    const { data } = bare(trigger);
    const { body } = await call('POST', '/v1/decisions', { campaign, data });
    expect(body.decision).toMatchObject({ outcome: 'hold', waits_for: 'consent_missing' });
    const words = await call('POST', '/v1/decisions', { campaign, data }, { accept: 'text/plain' });
    expect(words.body).toMatch(/^Waiting for the profile until \d{4}-/);
    const event = await call('POST', '/v1/events', bare(trigger));
    const chart = await call('GET', `/v1/messages/${event.body.messages[0].id}/flowchart.svg`);
    expect(chart.status).toBe(200);
    expect(chart.body).toContain('Waiting for the profile until');
  });
});

describe('when the row comes', () => {
  it('a PUT brings the text within seconds, and the record shows both decisions', async () => {
    const { trigger } = await waitingCampaign();
    const event = bare(trigger);
    const { body } = await call('POST', '/v1/events', event);
    const { id } = body.messages[0];
    expect((await call('PUT', `/v1/profiles/${event.customer_id}`, GOOD)).status).toBe(200);
    await until(async () => (await takenBySandbox(id)) === 1);
    const message = await until(async () => {
      const now = await read(id);
      return now.state === 'delivered' && now;
    });
    expect(message.decisions).toMatchObject([
      { seq: 1, cause: 'event', decision: { outcome: 'hold', waits_for: 'consent_missing' } },
      { seq: 2, cause: 'profile', decision: { outcome: 'deliver', reason: null } },
    ]);
    expect(message.decision).toEqual(message.decisions[1].decision);
    expect(message.timeline.slice(0, 2)).toMatchObject([
      { state: 'held', reason: 'waiting_for_profile' },
      { state: 'queued', reason: null },
    ]);
  });

  it('a message that was decided once shows that decision alone', async () => {
    const { trigger } = await putCampaign();
    const { body } = await call('POST', '/v1/events', goodEvent(trigger));
    expect((await read(body.messages[0].id)).decisions).toMatchObject([
      { seq: 1, cause: 'event', decision: { outcome: 'deliver' } },
    ]);
  });

  it('a feed does the same, with the text made from the row', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(trigger, { first_name: null });
    const id = await postOne(runtime, event);
    await row(runtime, event.customer_id, { ...GOOD, first_name: 'Grace' });
    await tick(runtime);
    expect(await takenBySandbox(id)).toBe(1);
    expect((await read(id)).body).toBe('Hi Grace, welcome!');
  });

  it('a row that says no ends the wait with that reason', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(trigger);
    const id = await postOne(runtime, event);
    await row(runtime, event.customer_id, { SMS_CONSENT: false });
    await tick(runtime);
    expect(await storedMessage(id)).toMatchObject({
      state: 'suppressed',
      reason: 'consent_denied',
      due_at: null,
    });
    expect((await read(id)).decisions).toHaveLength(2);
  });

  it('a row that brings half goes on waiting, to the same end; one that brings nothing new is no decision', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(trigger);
    const id = await postOne(runtime, event);
    const end = (await storedMessage(id)).due_at;
    for (let i = 0; i < 3; i++) {
      runtime.advance(HOUR);
      await row(runtime, event.customer_id, { SMS_CONSENT: true });
      await tick(runtime);
    }
    expect(await storedMessage(id)).toMatchObject({
      state: 'held',
      reason: 'waiting_for_profile',
      due_at: end,
    });
    expect((await read(id)).decisions).toMatchObject([
      { decision: { waits_for: 'consent_missing' } },
      { decision: { waits_for: 'validity_missing' } },
    ]);
    await row(runtime, event.customer_id, { SMS_VALID: true });
    await tick(runtime);
    expect(await takenBySandbox(id)).toBe(1);
  });

  it('the row of somebody else moves nothing', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const id = await postOne(runtime, bare(trigger));
    const before = await storedMessage(id);
    await row(runtime, unique('customer'), GOOD);
    expect(await storedMessage(id)).toEqual(before);
  });

  it('the campaign’s policy and text of now count', async () => {
    const campaign = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(campaign.trigger);
    const id = await postOne(runtime, event);
    await waitingCampaign({ ...campaign, policy: 'event-first', body: 'Hello {{ first_name }}' });
    await row(runtime, event.customer_id, GOOD);
    await tick(runtime);
    expect(await read(id)).toMatchObject({
      body: 'Hello Ada',
      decision: { policy: { name: 'event-first' } },
    });
  });

  it('a deleted campaign cancels it', async () => {
    const { id: campaign, trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(trigger);
    const id = await postOne(runtime, event);
    await call('DELETE', `/v1/campaigns/${campaign}`);
    await row(runtime, event.customer_id, GOOD);
    await tick(runtime);
    expect(await storedMessage(id)).toMatchObject({ state: 'canceled', reason: 'campaign_deleted' });
  });

  it('a paused campaign keeps it, and resuming sends it once', async () => {
    const campaign = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(campaign.trigger);
    const id = await postOne(runtime, event);
    await waitingCampaign({ ...campaign, state: 'paused' });
    await row(runtime, event.customer_id, GOOD);
    await tick(runtime);
    expect(await storedMessage(id)).toMatchObject({ state: 'held', reason: 'campaign_paused' });
    await waitingCampaign(campaign);
    runtime.advance(HOUR);
    await tick(runtime);
    await tick(runtime);
    expect(await takenBySandbox(id)).toBe(1);
  });
});

describe('the end of the wait', () => {
  it('suppresses with what was missing first, by a last decision', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(trigger);
    const id = await postOne(runtime, event);
    runtime.advance(24 * HOUR + 1000);
    await tick(runtime);
    expect(await storedMessage(id)).toMatchObject({
      state: 'suppressed',
      reason: 'consent_missing',
      due_at: null,
    });
    expect((await read(id)).decisions).toMatchObject([
      { cause: 'event', decision: { outcome: 'hold' } },
      { cause: 'deadline', decision: { outcome: 'suppress', reason: 'consent_missing' } },
    ]);
    expect((await read(id)).decision).not.toHaveProperty('hold_until');
    await row(runtime, event.customer_id, GOOD);
    await tick(runtime);
    expect(await takenBySandbox(id)).toBe(0);
  });

  it('a row that comes too late does not change it, even where nobody had looked yet', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(trigger);
    const id = await postOne(runtime, event);
    runtime.advance(24 * HOUR + 1000);
    await row(runtime, event.customer_id, GOOD);
    await tick(runtime);
    expect(await storedMessage(id)).toMatchObject({ state: 'suppressed', reason: 'consent_missing' });
  });

  it('a row that came in time counts, even where the minute came late', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(trigger);
    const id = await postOne(runtime, event);
    runtime.advance(24 * HOUR - 1000);
    await row(runtime, event.customer_id, GOOD);
    runtime.advance(HOUR);
    await tick(runtime);
    expect(await takenBySandbox(id)).toBe(1);
  });

  it('the sweeper never releases what waits', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(trigger, { MOBILE_NUMBER: null });
    const id = await postOne(runtime, event);
    await row(runtime, event.customer_id, { SMS_VALID: false });
    await tick(runtime);
    expect(await timeline(id)).toEqual(['held', 'suppressed']);
  });
});

describe('once, and never against a no', () => {
  it('two that decide at once give one decision and one text', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(trigger);
    const id = await postOne(runtime, event);
    await row(runtime, event.customer_id, GOOD);
    await Promise.all(Array.from({ length: 8 }, () => decideWaiting(runtime)));
    expect(runtime.sent.filter(({ pointer }) => pointer.message === id)).toHaveLength(1);
    await drain(runtime);
    expect(await takenBySandbox(id)).toBe(1);
    expect((await read(id)).decisions).toHaveLength(2);
  });

  it('a decision that a newer row overtook is not stored', async () => {
    const { trigger } = await waitingCampaign();
    const event = bare(trigger);
    let overtake: (() => Promise<void>) | null = null;
    const plain = testRuntime();
    /** Lets a row in between the reading and the writing of a decision. */
    const db = new Proxy(plain.db, {
      get: (target, key) =>
        key === 'batch'
          ? async (statements: D1PreparedStatement[]) => {
              const answer = await target.batch(statements);
              const step = overtake;
              overtake = null;
              await step?.();
              return answer;
            }
          : typeof Reflect.get(target, key) === 'function'
            ? Reflect.get(target, key).bind(target)
            : Reflect.get(target, key),
    });
    const id = await postOne(plain, event);
    await row(plain, event.customer_id, GOOD);
    overtake = () => row(plain, event.customer_id, { SMS_CONSENT: false });
    const runtime = testRuntime({ db });
    await decideWaiting(runtime);
    expect(await storedMessage(id)).toMatchObject({ state: 'held', reason: 'waiting_for_profile' });
    await tick(plain);
    expect(await storedMessage(id)).toMatchObject({ state: 'suppressed', reason: 'consent_denied' });
  });

  it('a row that comes between reading the profile and storing the event is not missed', async () => {
    const { trigger } = await waitingCampaign();
    const event = bare(trigger);
    const plain = testRuntime();
    let batches = 0;
    const db = new Proxy(plain.db, {
      get: (target, key) =>
        key === 'batch'
          ? async (statements: D1PreparedStatement[]) => {
              const answer = await target.batch(statements);
              if (++batches === 1) await row(plain, event.customer_id, GOOD);
              return answer;
            }
          : Reflect.get(target, key).bind(target),
    });
    const runtime = testRuntime({ db });
    const answer = await post(runtime, event);
    expect(answer.messages[0]?.state).toBe('held');
    await drain(runtime);
    expect(await takenBySandbox(answer.messages[0]?.id ?? '')).toBe(1);
  });

  it('a STOP while waiting wins over the row that says yes', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const number = uniqueNumber();
    const event = bare(trigger, { MOBILE_NUMBER: number });
    const id = await postOne(runtime, event);
    await optOut(env.DB, { number, origin: 'sms', note: null, at: runtime.now() });
    await row(runtime, event.customer_id, GOOD);
    await tick(runtime);
    expect(await storedMessage(id)).toMatchObject({ state: 'suppressed', reason: 'opted_out' });
    expect(await takenBySandbox(id)).toBe(0);
  });

  it('a repeated event gives the first answer and the first decision, and no second text', async () => {
    const { trigger } = await waitingCampaign();
    const runtime = testRuntime();
    const event = bare(trigger);
    const first = await post(runtime, event);
    await row(runtime, event.customer_id, GOOD);
    await tick(runtime);
    const second = await post(runtime, event);
    await tick(runtime);
    expect(second).toEqual({ ...first, duplicate: true });
    expect(await takenBySandbox(first.messages[0]?.id ?? '')).toBe(1);
  });

  it('a replay under a draft policy compares with what was missing', async () => {
    const from = new Date().toISOString();
    const { id: campaign, trigger } = await waitingCampaign();
    await call('POST', '/v1/events', bare(trigger));
    const same = await call('POST', '/v1/policies/strict/what-if', { from, campaign });
    expect(same.body.totals).toMatchObject({ unchanged: 1, other_reason: 0 });
  });
});
