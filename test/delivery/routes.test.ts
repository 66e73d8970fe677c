import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { deliver } from '../../src/delivery/deliver.ts';
import { receive } from '../../src/delivery/receipts.ts';
import { sweep } from '../../src/delivery/sweeper.ts';
import { shardFor } from '../../src/platform/shard.ts';
import { faultyDb } from '../faults.ts';
import { call, putCampaign, storedMessage, testRuntime, unique, uniqueNumber } from '../support.ts';
import {
  accepted,
  acceptedBy,
  bookOf,
  drain,
  fake,
  later,
  no,
  once,
  providerIdOf,
  receipt,
  shortTimes,
  silence,
  steps,
  taken,
} from './world.ts';

const ROUTE = { providers: ['twilio', 'telnyx'] };

describe('a route', () => {
  it('goes on to the next provider after a definite no that is the provider’s fault, and the timeline says who said what', async () => {
    const runtime = shortTimes(testRuntime());
    const [first, second] = [fake('twilio', no('country_not_enabled', '21408')), fake('telnyx')];
    const id = await accepted(runtime, undefined, ROUTE);
    await drain(runtime, [id], bookOf(first, second));
    expect([first.calls, second.calls]).toEqual([[id], [id]]);
    expect(await steps(id)).toEqual([
      'queued',
      'sending@twilio',
      'queued@twilio(21408)',
      'sending@telnyx',
      'sent@telnyx',
    ]);
    const { body } = await call('GET', `/v1/messages/${id}`);
    expect(body).toMatchObject({ provider: 'telnyx', attempts: 2 });
    expect(body.timeline[2]).toMatchObject({
      reason: 'next_provider',
      error: 'country_not_enabled',
      attempt: 1,
    });
  });

  it('ends at a no that every provider would give', async () => {
    const runtime = shortTimes(testRuntime());
    for (const code of ['landline', 'content_blocked', 'rejected', 'unreachable'] as const) {
      const [first, second] = [fake('twilio', no(code)), fake('telnyx')];
      const id = await accepted(runtime, undefined, ROUTE);
      await drain(runtime, [id], bookOf(first, second));
      expect(await storedMessage(id)).toMatchObject({ state: 'failed', reason: 'provider_rejected' });
      expect(second.calls).toEqual([]);
    }
  });

  it('never goes on after an unknown outcome', async () => {
    const runtime = shortTimes(testRuntime());
    const [first, second] = [fake('twilio', silence()), fake('telnyx')];
    const id = await accepted(runtime, undefined, ROUTE);
    await drain(runtime, [id], bookOf(first, second));
    runtime.advance(2000);
    await sweep(runtime, bookOf(first, second));
    await drain(runtime, [id], bookOf(first, second));
    expect((await storedMessage(id)).state).toBe('unknown');
    expect(second.calls).toEqual([]);
  });

  it('fails once all have said no for good, with each asked once', async () => {
    const runtime = shortTimes(testRuntime());
    const [first, second] = [
      fake('twilio', no('country_not_enabled')),
      fake('telnyx', no('request_invalid')),
    ];
    const id = await accepted(runtime, undefined, ROUTE);
    await drain(runtime, [id], bookOf(first, second));
    expect(await storedMessage(id)).toMatchObject({ state: 'failed', reason: 'provider_rejected' });
    expect([first.calls, second.calls]).toEqual([[id], [id]]);
  });

  it('begins a later round with those that said “later”, not with those that said no', async () => {
    const runtime = shortTimes(testRuntime());
    const [first, second] = [
      fake('twilio', no('country_not_enabled')),
      fake('telnyx', later(30_000), taken({ id: 'x' })),
    ];
    const id = await accepted(runtime, undefined, ROUTE);
    await drain(runtime, [id], bookOf(first, second));
    expect(await storedMessage(id)).toMatchObject({ state: 'queued', reason: 'provider_busy' });
    runtime.advance(31_000);
    await drain(runtime, [id], bookOf(first, second));
    expect([first.calls.length, second.calls.length]).toEqual([1, 2]);
    expect((await storedMessage(id)).state).toBe('sent');
  });

  it('does not wait for a resting provider where another said “not before”: it is asked then', async () => {
    const runtime = shortTimes(testRuntime());
    const from = '+18005550199';
    const [twilio, bird] = [
      fake('twilio', later(90_000), taken({ id: 'y' })),
      fake('bird', no('sender_invalid')),
    ];
    const book = bookOf(twilio, bird);
    const blocked = await accepted(runtime, undefined, { providers: ['bird'], sender: from });
    await drain(runtime, [blocked], book);
    const id = await accepted(runtime, undefined, { providers: ['twilio', 'bird'], sender: from });
    await drain(runtime, [id], book);
    expect(await storedMessage(id)).toMatchObject({ state: 'queued', reason: 'provider_busy' });
    runtime.advance(40_000);
    await drain(runtime, [id], book);
    expect(twilio.calls).toHaveLength(1); // Retry-After is kept
    runtime.advance(51_000);
    await drain(runtime, [id], book);
    expect([twilio.calls.length, bird.calls]).toEqual([2, [blocked]]);
    expect((await storedMessage(id)).state).toBe('sent');
  });

  it('skips a provider that is not set up or has no such channel; with none left the message waits and says so', async () => {
    const runtime = shortTimes(testRuntime());
    const telnyx = fake('telnyx');
    const id = await accepted(runtime, undefined, ROUTE);
    await drain(runtime, [id], bookOf(telnyx));
    expect((await storedMessage(id)).state).toBe('sent');
    const smsOnly = { ...telnyx, provider: { ...telnyx.provider, channels: ['sms'] as const } };
    const mms = await accepted(runtime, undefined, { ...ROUTE, channel: 'mms' });
    await drain(runtime, [mms], bookOf(smsOnly));
    expect(await storedMessage(mms)).toMatchObject({ state: 'held', reason: 'no_provider' });
    expect((await call('GET', '/health')).body.messages_without_provider).toBeGreaterThan(0);
    runtime.advance(300_001);
    await sweep(runtime, bookOf(telnyx));
    await drain(runtime, [mms], bookOf(telnyx));
    expect((await storedMessage(mms)).state).toBe('sent');
  });

  it('of a message of the system itself is the provider that brought what it answers', async () => {
    const runtime = shortTimes(testRuntime());
    const [sandbox, plivo] = [fake('sandbox'), fake('plivo', no('country_not_enabled'))];
    const id = await accepted(runtime);
    await env.DB.prepare(
      `UPDATE messages SET kind = 'help', campaign_id = '', provider = 'plivo' WHERE id = ?1`,
    )
      .bind(id)
      .run();
    await drain(runtime, [id], bookOf(sandbox, plivo));
    expect([sandbox.calls, plivo.calls]).toEqual([[], [id]]);
    expect((await storedMessage(id)).state).toBe('failed');
  });

  it('is the configured one where a campaign names none', async () => {
    const runtime = shortTimes(testRuntime(), { providers: ['plivo', 'bird'] });
    const [first, second] = [fake('plivo', no('country_not_enabled')), fake('bird')];
    const id = await accepted(runtime);
    await drain(runtime, [id], bookOf(first, second));
    expect([first.calls, second.calls]).toEqual([[id], [id]]);
  });
});

describe('a problem of the sender', () => {
  const sender = () => `+1800${Math.floor(2_000_000 + Math.random() * 7_000_000)}`;

  it('makes its messages wait instead of fail, tries one after a while, and lets all go once one was taken', async () => {
    const runtime = shortTimes(testRuntime());
    const from = sender();
    const { trigger } = await putCampaign({ providers: ['vonage'], sender: from });
    const ids = await Promise.all([1, 2, 3].map(() => acceptedBy(runtime, trigger)));
    const vonage = fake('vonage', no('sender_not_registered', '30034'));
    const book = bookOf(vonage);
    await once(runtime, ids.slice(0, 1), book);
    await drain(runtime, ids, book);
    expect(vonage.calls).toHaveLength(1);
    for (const id of ids)
      expect(await storedMessage(id)).toMatchObject({ state: 'held', reason: 'sender_paused' });
    const { body: health } = await call('GET', '/health');
    expect(health.status).toBe('degraded');
    expect(health.paused_senders).toContainEqual(
      expect.objectContaining({
        provider: 'vonage',
        sender: from,
        error: 'sender_not_registered',
        provider_code: '30034',
      }),
    );

    runtime.advance(61_000);
    await sweep(runtime, book);
    await drain(runtime, ids, book);
    expect(vonage.calls).toHaveLength(2);
    runtime.advance(61_000); // the second probe is due twice as late
    await sweep(runtime, book);
    await drain(runtime, ids, book);
    expect(vonage.calls).toHaveLength(2);
    vonage.answers();
    runtime.advance(61_000);
    await sweep(runtime, book);
    await drain(runtime, ids, book);
    expect(vonage.calls).toHaveLength(3);
    await sweep(runtime, book);
    await drain(runtime, ids, book);
    for (const id of ids) expect((await storedMessage(id)).state).toBe('sent');
    expect((await call('GET', '/v1/senders')).body.paused).not.toContainEqual(
      expect.objectContaining({ sender: from }),
    );
  });

  it('that is the account’s makes every sender there wait; the route goes on', async () => {
    const runtime = shortTimes(testRuntime());
    const [infobip, sinch] = [fake('infobip', no('no_credit')), fake('sinch')];
    const book = bookOf(infobip, sinch);
    const route = { providers: ['infobip', 'sinch'] };
    const [a, b] = [
      await accepted(runtime, undefined, { ...route, sender: sender() }),
      await accepted(runtime, undefined, { ...route, sender: sender() }),
    ];
    await drain(runtime, [a], book);
    await drain(runtime, [b], book);
    expect([infobip.calls, sinch.calls]).toEqual([[a], [a, b]]);
    expect((await call('POST', '/v1/senders/infobip/*/resume')).body).toMatchObject({ resumed: true });
    expect((await call('POST', '/v1/senders/infobip/*/resume')).body).toMatchObject({ resumed: false });
  });

  it('is resumed by hand at once', async () => {
    const runtime = shortTimes(testRuntime());
    const from = sender();
    const plivo = fake('plivo', no('sender_invalid'), taken({ id: unique('x') }));
    const id = await accepted(runtime, undefined, { providers: ['plivo'], sender: from });
    await drain(runtime, [id], bookOf(plivo));
    expect((await storedMessage(id)).state).toBe('held');
    const resumed = await call('POST', `/v1/senders/plivo/${encodeURIComponent(from)}/resume`);
    expect(resumed.body).toEqual({ provider: 'plivo', sender: from, resumed: true });
    await sweep(runtime, bookOf(plivo));
    await drain(runtime, [id], bookOf(plivo));
    expect((await storedMessage(id)).state).toBe('sent');
  });

  it('keeps nobody waiting past the end of the message’s life', async () => {
    const runtime = shortTimes(testRuntime());
    const bird = fake('bird', no('sender_invalid'));
    const id = await accepted(runtime, undefined, { providers: ['bird'], sender: sender(), ttl_seconds: 60 });
    await drain(runtime, [id], bookOf(bird));
    runtime.advance(61_000);
    await sweep(runtime, bookOf(bird));
    await drain(runtime, [id], bookOf(bird));
    expect(await storedMessage(id)).toMatchObject({ state: 'expired', due_at: null });
    expect(bird.calls).toHaveLength(1);
  });
});

describe('a provider that keeps failing', () => {
  it('rests; messages go on along their route or wait, and a few try it later', async () => {
    const runtime = shortTimes(testRuntime());
    const [telnyx, sinch] = [fake('telnyx', silence()), fake('sinch')];
    const book = bookOf(telnyx, sinch);
    const single = await putCampaign({ providers: ['telnyx'] });
    const route = await putCampaign({ providers: ['telnyx', 'sinch'] });
    const send = async (trigger: string, n: number) => {
      const ids = await Promise.all(Array.from({ length: n }, () => acceptedBy(runtime, trigger)));
      await once(runtime, ids, book);
      return ids;
    };
    await send(single.trigger, 20);
    expect(telnyx.calls).toHaveLength(20);
    const waiting = await send(single.trigger, 5);
    const gone = await send(route.trigger, 5);
    expect(telnyx.calls).toHaveLength(20);
    for (const id of waiting)
      expect(await storedMessage(id)).toMatchObject({ state: 'held', reason: 'provider_resting' });
    expect(sinch.calls.sort()).toEqual(gone.sort());
    expect((await call('GET', '/health')).body.resting_providers).toEqual([
      expect.objectContaining({ provider: 'telnyx', times_in_a_row: 1 }),
    ]);

    runtime.advance(30_001);
    await sweep(runtime, book);
    await once(runtime, waiting, book);
    expect(telnyx.calls).toHaveLength(23); // three try, and fail: it rests twice as long
    runtime.advance(30_001);
    await sweep(runtime, book);
    await once(runtime, waiting, book);
    expect(telnyx.calls).toHaveLength(23);
    telnyx.answers();
    runtime.advance(30_001);
    await sweep(runtime, book);
    await once(runtime, waiting, book);
    expect(telnyx.calls).toHaveLength(25); // the two that were left
    expect((await call('GET', '/health')).body.resting_providers).toEqual([]);
    await send(single.trigger, 5);
    expect(telnyx.calls).toHaveLength(30);
  });
});

describe('what a provider says about a number', () => {
  it('“opted out” suppresses it, with a record that says who said so', async () => {
    const runtime = shortTimes(testRuntime());
    const number = uniqueNumber();
    const id = await accepted(runtime, number, { providers: ['twilio'] });
    await drain(runtime, [id], bookOf(fake('twilio', no('opted_out', '21610'))));
    expect((await storedMessage(id)).state).toBe('failed');
    expect((await call('GET', `/v1/suppressions/${number}`)).body).toMatchObject({ origin: 'provider' });
    const record = await env.DB.prepare('SELECT * FROM consent_records WHERE number = ?1')
      .bind(number)
      .first();
    expect(record).toMatchObject({ kind: 'opt_out', origin: 'provider', scope: 'all', message_id: id });
    expect(JSON.parse(String(record?.evidence))).toEqual({
      provider: 'twilio',
      provider_code: '21610',
      error: 'opted_out',
    });
    const next = await accepted(runtime, number, { providers: ['twilio'] });
    expect(await storedMessage(next)).toMatchObject({ state: 'suppressed', reason: 'opted_out' });
  });

  it('“invalid” is SMS_VALID false for it, from the provider, until a newer profile says otherwise', async () => {
    const runtime = shortTimes(testRuntime());
    const [number, customer] = [uniqueNumber(), unique('customer')];
    const { id: campaign } = await putCampaign();
    await call('PUT', `/v1/profiles/${customer}`, {
      MOBILE_NUMBER: number,
      SMS_CONSENT: true,
      SMS_VALID: true,
    });
    const id = await accepted(runtime, number, { providers: ['twilio'] });
    runtime.advance(5);
    await drain(runtime, [id], bookOf(fake('twilio', no('landline', '30006'))));
    expect((await call('GET', `/v1/profiles/${customer}`)).body).toMatchObject({
      SMS_VALID: false,
      SMS_VALID_source: 'provider',
    });
    const decide = async (fields: object) =>
      (await call('POST', '/v1/decisions', { campaign, data: { first_name: 'Ada' }, ...fields })).body
        .decision;
    expect(await decide({ customer_id: customer })).toMatchObject({
      outcome: 'suppress',
      reason: 'validity_denied',
    });
    const stranger = { MOBILE_NUMBER: number, SMS_CONSENT: true, SMS_VALID: true, first_name: 'Ada' };
    expect(await decide({ customer_id: unique('nobody'), data: stranger })).toMatchObject({
      reason: 'validity_denied',
    });
    expect(await storedMessage(await accepted(runtime, number))).toMatchObject({
      state: 'suppressed',
      reason: 'validity_denied',
    });

    await call('PUT', `/v1/profiles/${customer}`, {
      MOBILE_NUMBER: number,
      SMS_CONSENT: true,
      SMS_VALID: true,
      updated_at: new Date(runtime.now() + 1000).toISOString(),
    });
    const { body } = await call('GET', `/v1/profiles/${customer}`);
    expect(body.SMS_VALID).toBe(true);
    expect(body).not.toHaveProperty('SMS_VALID_source');
    expect(await decide({ customer_id: customer })).toMatchObject({ outcome: 'deliver' });
  });

  it('counts the same where a receipt says it, early or late', async () => {
    const runtime = shortTimes(testRuntime());
    const [lateNumber, earlyNumber] = [uniqueNumber(), uniqueNumber()];
    const [lateId, earlyId] = [
      await accepted(runtime, lateNumber, { providers: ['twilio'] }),
      await accepted(runtime, earlyNumber, { providers: ['twilio'] }),
    ];
    const says = (id: string) => receipt('twilio', id, 'undelivered', { error: 'opted_out', code: '21610' });
    await receive(runtime, [says(earlyId)]);
    await drain(runtime, [lateId, earlyId], bookOf(fake('twilio')));
    await receive(runtime, [says(lateId), says(lateId)]);
    await receive(runtime, [says(lateId)]);
    for (const [number, id] of [
      [lateNumber, lateId],
      [earlyNumber, earlyId],
    ] as const) {
      expect(await storedMessage(id)).toMatchObject({
        state: 'undelivered',
        provider_message_id: providerIdOf(id),
      });
      expect((await steps(id)).at(-1)).toBe('undelivered@twilio(21610)');
      const { results } = await env.DB.prepare('SELECT origin FROM consent_records WHERE number = ?1')
        .bind(number)
        .all();
      expect(results).toEqual([{ origin: 'provider' }]);
      expect((await call('GET', `/v1/suppressions/${number}`)).status).toBe(200);
    }
  });

  it.each([
    ['opted_out', '21610', 'SELECT origin AS said FROM suppressions WHERE number = ?1', 'provider'],
    ['landline', '30006', 'SELECT error AS said FROM number_findings WHERE number = ?1', 'landline'],
    [
      'sender_not_registered',
      '30034',
      'SELECT p.error AS said FROM messages m JOIN sender_pauses p ON p.message_id = m.id WHERE m.number = ?1',
      'sender_not_registered',
    ],
  ])(
    'an early receipt’s %s is written with the outcome it joins, though the process dies right after',
    async (error, code, sql, said) => {
      const runtime = shortTimes(testRuntime());
      const number = uniqueNumber();
      const id = await accepted(runtime, number, { providers: ['telnyx'], sender: '+18005550142' });
      await receive(runtime, [receipt('telnyx', id, 'undelivered', { error, code })]);
      let settled = false;
      const db = faultyDb(env.DB, ({ sql: statements }) => {
        if (settled) return 'before';
        settled = statements.includes('DELETE FROM receipts');
        return null;
      });
      await deliver(runtime, { ...shardFor(runtime, 'c'), db }, [id], bookOf(fake('telnyx')));
      expect(await storedMessage(id)).toMatchObject({ state: 'undelivered', provider_code: code });
      expect(await env.DB.prepare(sql).bind(number).first()).toEqual({ said });
      await env.DB.prepare('DELETE FROM sender_pauses').run();
    },
  );
});
