import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { deliveryHealth, nameMissingSettings } from '../../src/delivery/health.ts';
import { missingSettings } from '../../src/delivery/providers/index.ts';
import { receive } from '../../src/delivery/receipts.ts';
import { sweep } from '../../src/delivery/sweeper.ts';
import { dyingDb } from '../faults.ts';
import { watchConsole } from '../logs.ts';
import { call, storedMessage, testRuntime, unique } from '../support.ts';
import { accepted, bookOf, drain, fake, once, receipt, shortTimes, silence } from './world.ts';

const HOUR = 3_600_000;

describe('/health', () => {
  it('is ok where nothing is wrong, and 503 where the database is gone', async () => {
    const { status, body } = await call('GET', '/health', undefined, { authorization: '' });
    expect(status).toBe(200);
    expect(body).toEqual({
      status: 'ok',
      database: 'ok',
      missing_settings: {},
      paused_senders: [],
      resting_providers: [],
      unknown_outcomes: { older_than_15_minutes: 0, never_to_be_known: 0 },
      unmatched_receipts: 0,
      messages_without_provider: 0,
    });
    const gone = { ...testRuntime(), db: dyingDb(env.DB, 0) };
    await expect(deliveryHealth(gone)).rejects.toThrow(/^D1_/);
  });

  it('counts receipts that found no message, for a day; those that just came early not at all', async () => {
    const runtime = testRuntime();
    const pid = unique('nobody');
    await receive(runtime, [receipt('twilio', pid, 'delivered')]);
    expect((await deliveryHealth(runtime)).unmatched_receipts).toBe(0);
    runtime.advance(10 * 60_000);
    expect(await deliveryHealth(runtime)).toMatchObject({ status: 'degraded', unmatched_receipts: 1 });
    runtime.advance(23 * HOUR);
    await sweep(runtime);
    expect((await deliveryHealth(runtime)).unmatched_receipts).toBe(1);
    runtime.advance(HOUR);
    await sweep(runtime);
    expect((await deliveryHealth(runtime)).unmatched_receipts).toBe(0);
  });

  it('counts unknown outcomes that have stood for long, says it in the log once nobody will ever know, and never sends again', async () => {
    const runtime = shortTimes(testRuntime());
    const webhook = fake('webhook', silence());
    const book = bookOf(webhook);
    const id = await accepted(runtime, undefined, { providers: ['webhook'], unknown_after: '2h' });
    await drain(runtime, [id], book);
    expect((await deliveryHealth(runtime)).unknown_outcomes).toEqual({
      older_than_15_minutes: 0,
      never_to_be_known: 0,
    });
    runtime.advance(HOUR);
    await sweep(runtime, book);
    expect((await deliveryHealth(runtime)).unknown_outcomes).toEqual({
      older_than_15_minutes: 1,
      never_to_be_known: 0,
    });
    const watch = watchConsole();
    runtime.advance(HOUR + 1);
    await sweep(runtime, book);
    watch.end();
    expect(watch.lines.filter((line) => line.includes('outcome_unknowable'))).toHaveLength(1);
    expect((await deliveryHealth(runtime)).unknown_outcomes).toEqual({
      older_than_15_minutes: 1,
      never_to_be_known: 1,
    });
    expect(await storedMessage(id)).toMatchObject({
      state: 'unknown',
      reason: 'outcome_unknowable',
      due_at: null,
    });
    await receive(runtime, [receipt('webhook', id, 'delivered', { reference: id })]);
    expect((await storedMessage(id)).state).toBe('delivered');
    await once(runtime, [id], book);
    expect(webhook.calls).toHaveLength(1);
  });

  it('names what a configured provider lacks, and the start says it once', async () => {
    const base = testRuntime();
    const runtime = { ...base, config: { ...base.config, providers: ['sandbox', 'twillio'] } };
    expect(missingSettings(runtime, 'sandbox')).toEqual([]);
    expect(await deliveryHealth(runtime)).toMatchObject({
      status: 'degraded',
      missing_settings: { twillio: ['PROVIDER'] },
    });
    const watch = watchConsole();
    nameMissingSettings(runtime);
    nameMissingSettings(runtime);
    watch.end();
    expect(watch.lines.map((line) => JSON.parse(line))).toEqual([
      { level: 'error', event: 'settings.missing', provider: 'twillio', names: 'PROVIDER' },
    ]);
  });
});
