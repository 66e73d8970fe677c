import { env } from 'cloudflare:test';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { consumeReceipts } from '../../src/callbacks/consumer.ts';
import { consumeDeadLetters, consumeOutbox } from '../../src/delivery/consumer.ts';
import { sweep } from '../../src/delivery/sweeper.ts';
import { log } from '../../src/platform/log.ts';
import { dyingDb, queueBatch } from '../faults.ts';
import { type ConsoleWatch, watchConsole } from '../logs.ts';
import { call, DEMO_KEY, goodEvent, putCampaign, testRuntime, uniqueNumber } from '../support.ts';
import { accepted, bookOf, fake, no, receipt, shortTimes } from './world.ts';

let watch: ConsoleWatch;
beforeEach(() => {
  watch = watchConsole();
});
afterEach(() => watch.end());

describe('the watch itself', () => {
  it.each(['+14155550123', '14155550123', '(415) 555-0123 99', 'to +44 7700 900123.'])('sees %j', (text) => {
    log('info', 'test', { text });
    expect(watch.leaks()).toHaveLength(1);
  });

  it('sees a secret, and no number in an id', () => {
    log('info', 'test', {
      id: 'msg_12345678901234567890123456789012',
      key: 'ot_secret',
      masked: '+1415•••0123',
    });
    expect(watch.leaks()).toEqual([]);
    expect(watch.leaks(['ot_secret'])).toHaveLength(1);
  });
});

describe('no line of the log holds a number, a text or a secret', () => {
  it('whatever goes wrong in ingress, delivery and callbacks', async () => {
    const number = uniqueNumber();
    const body = 'Hello dear Adamantia';
    const runtime = shortTimes(testRuntime());
    const angry = fake('webhook', async (message) => {
      throw new Error(`refused ${message.number}`);
    });
    const book = bookOf(angry, fake('twilio', no('opted_out', '21610')));
    const campaign = { body, providers: ['webhook'], on_unknown: 'resend', unknown_after: '1m' };
    const id = await accepted(runtime, number, campaign);
    const pointer = { message: id, shard: 'main' };
    const gone = { ...runtime, db: dyingDb(runtime.db, 0) };
    await consumeOutbox(gone, queueBatch('optitext-outbox', [pointer]), book);
    await consumeOutbox(
      { ...runtime, db: dyingDb(runtime.db, 1) },
      queueBatch('optitext-outbox', [pointer]),
      book,
    );
    await consumeDeadLetters(runtime, queueBatch('optitext-outbox-dlq', [pointer]));
    await consumeDeadLetters(gone, queueBatch('optitext-outbox-dlq', [pointer]));
    for (let round = 0; round < 8; round++) {
      runtime.advance(11_000);
      await sweep(runtime, book);
      await consumeOutbox(runtime, queueBatch('optitext-outbox', [pointer]), book);
    }
    const optedOut = await accepted(runtime, number, { body, providers: ['twilio'] });
    await consumeOutbox(runtime, queueBatch('optitext-outbox', [{ message: optedOut, shard: 'main' }]), book);
    const notes = [receipt('webhook', id, 'failed', { code: '30006', error: 'landline' })];
    await consumeReceipts(gone, queueBatch('optitext-receipts', notes));
    await consumeReceipts(runtime, queueBatch('optitext-receipts', notes));

    const { trigger } = await putCampaign({ body });
    await call('POST', '/v1/events', goodEvent(trigger, { data: { MOBILE_NUMBER: number } }));
    await call('POST', '/v1/events', '{"id": ', {});
    await call('POST', '/v1/events', goodEvent(trigger), { authorization: 'Bearer ot_wrong_key' });
    await call('POST', '/sandbox/replies', { from: number, text: 'STOP' });
    await call(
      'POST',
      '/callbacks/sandbox/inbound',
      { from: number, text: 'STOP' },
      { 'webhook-signature': 'v1,bad' },
    );
    await call('GET', `/v1/suppressions/${number}`);
    await call('GET', '/health');

    expect(watch.lines.length).toBeGreaterThan(5);
    const secrets = [
      number.slice(2),
      body,
      'Adamantia',
      DEMO_KEY,
      'ot_wrong_key',
      env.CALLBACK_SECRET ?? 'whsec_',
    ];
    expect(watch.leaks(secrets)).toEqual([]);
  });
});
