import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { deliveryHealth, nameMissingSettings } from '../../src/delivery/health.ts';
import { missingSettings } from '../../src/delivery/providers/index.ts';
import { receive } from '../../src/delivery/receipts.ts';
import { sweep } from '../../src/delivery/sweeper.ts';
import { sha256Hex } from '../../src/platform/ids.ts';
import { dyingDb } from '../faults.ts';
import { watchConsole } from '../logs.ts';
import { call, putCampaign, storedMessage, testRuntime, unique } from '../support.ts';
import { accepted, bookOf, drain, fake, once, receipt, shortTimes, silence } from './world.ts';

const HOUR = 3_600_000;

async function keyWith(scopes: readonly string[]): Promise<string> {
  const key = unique('ot');
  await env.DB.prepare(
    `INSERT INTO api_keys (id, name, key_hash, scopes, created_at) VALUES (?1, 'test', ?2, ?3, 0)`,
  )
    .bind(unique('key'), await sha256Hex(key), JSON.stringify(scopes))
    .run();
  return key;
}

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
    await runtime.settled();
    watch.end();
    const lines = watch.lines.map((line) => JSON.parse(line));
    expect(lines.filter(({ part }) => part === 'twillio')).toEqual([
      { level: 'error', event: 'settings.missing', part: 'twillio', names: 'PROVIDER' },
    ]);
  });

  it('names what the providers of live campaigns lack, too, and not those of paused ones', async () => {
    const base = testRuntime();
    const runtime = { ...base, config: { ...base.config } };
    const missing = async () => (await deliveryHealth(runtime)).missing_settings;
    const campaign = { id: unique('campaign'), providers: ['sinch', 'sandbox'] };
    await putCampaign({ ...campaign, state: 'paused' });
    expect(await missing()).not.toHaveProperty('sinch');
    await putCampaign(campaign);
    const names = ['SINCH_SERVICE_PLAN_ID', 'SINCH_API_TOKEN', 'SINCH_WEBHOOK_SECRET'];
    expect(await missing()).toMatchObject({ sinch: names });
    const watch = watchConsole();
    nameMissingSettings(runtime);
    await base.settled();
    watch.end();
    expect(watch.lines.join()).toContain(names.join(' '));
    await putCampaign({ ...campaign, state: 'paused' });
    expect(await missing()).not.toHaveProperty('sinch');
  });

  it('shows senders whole to a key that may read, and masked to all others', async () => {
    const pause = `INSERT INTO sender_pauses (provider, sender, error, message_id, since, probe_at) VALUES ('plivo', ?1, 'no_credit', 'm', 1, 1)`;
    const senders = ['*', '+14155550142', '72345', 'ACME'];
    await env.DB.batch(senders.map((sender) => env.DB.prepare(pause).bind(sender)));
    const seen = async (authorization: string) => {
      const { status, body } = await call('GET', '/health', undefined, { authorization });
      return [status, body.paused_senders.map(({ sender }: { sender: string }) => sender)];
    };
    const masked = ['*', '+1415•••0142', '••• (5 characters)', '••• (4 characters)'];
    expect(await seen('Bearer ot_demo')).toEqual([200, senders]);
    expect(await seen('')).toEqual([200, masked]);
    expect(await seen('Bearer nobody')).toEqual([200, masked]);
    expect(await seen(`Bearer ${await keyWith(['ingest'])}`)).toEqual([200, masked]);
    expect(await seen(`Bearer ${await keyWith(['read'])}`)).toEqual([200, senders]);
    await env.DB.prepare('DELETE FROM sender_pauses').run();
  });

  it('still says at the start what the default route lacks where the database is gone', async () => {
    const base = testRuntime();
    const config = { ...base.config, providers: ['twillio'] };
    const watch = watchConsole();
    nameMissingSettings({ ...base, config, db: dyingDb(env.DB, 0) });
    await base.settled();
    watch.end();
    expect(watch.lines.join()).toContain('twillio');
  });

  it.each<[string, string[], boolean, string[] | undefined]>([
    ['neither is set, and no text has a link', [], false, undefined],
    ['neither is set, and a text has a link', [], true, ['PUBLIC_URL', 'OPT_OUT_SECRET']],
    ['the secret alone', ['OPT_OUT_SECRET'], false, ['PUBLIC_URL']],
    ['the address alone, which serves reports', ['PUBLIC_URL'], false, undefined],
    ['the address alone, and a text has a link', ['PUBLIC_URL'], true, ['OPT_OUT_SECRET']],
    ['both', ['PUBLIC_URL', 'OPT_OUT_SECRET'], true, undefined],
  ])('of opt-out links it names what is missing: %s', async (_, set, linked, names) => {
    const variable = (name: string) => (set.includes(name) ? 'https://texts.example' : undefined);
    const runtime = testRuntime({ variable });
    const id = unique('campaign');
    const body = linked ? 'Hi. Out: {{ opt_out_url }}' : 'Hi.';
    await putCampaign({ id, body, sender: '+18005550100' });
    expect((await deliveryHealth(runtime)).missing_settings.opt_out_links).toEqual(names);
    await putCampaign({ id, state: 'paused' });
  });
});
