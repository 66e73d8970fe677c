import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import type { ProviderBook } from '../../src/delivery/book.ts';
import { consumeDeadLetters, consumeOutbox } from '../../src/delivery/consumer.ts';
import { deliver, MAX_CONCURRENT_CALLS } from '../../src/delivery/deliver.ts';
import type { OutboundMessage, Provider, SendOutcome } from '../../src/delivery/provider.ts';
import { sandboxProvider } from '../../src/delivery/sandbox/carrier.ts';
import { postReceipts } from '../../src/delivery/sandbox/receipts.ts';
import { sweep } from '../../src/delivery/sweeper.ts';
import { parseEvent } from '../../src/ingress/event.ts';
import { ingest } from '../../src/ingress/ingest.ts';
import type { Pointer } from '../../src/platform/runtime.ts';
import { shardFor } from '../../src/platform/shard.ts';
import { dyingDb, queueBatch } from '../faults.ts';
import {
  goodEvent,
  putCampaign,
  storedMessage,
  type TestRuntime,
  takenBySandbox,
  testRuntime,
  timeline,
  uniqueNumber,
  until,
} from '../support.ts';

/** Accepts one event to a number, with an outbox that delivers nothing by itself. */
async function accepted(
  runtime: TestRuntime,
  number = uniqueNumber(),
  campaign: Record<string, unknown> = {},
): Promise<string> {
  const { trigger } = await putCampaign(campaign);
  const parsed = await parseEvent(
    goodEvent(trigger, { data: { MOBILE_NUMBER: number } }),
    runtime.now(),
    undefined,
  );
  if (!parsed.ok) throw new Error('bad event');
  const [answer] = await ingest(runtime, 'test', [parsed.event]);
  await runtime.settled();
  const id = answer?.kind === 'accepted' ? answer.messages[0]?.id : undefined;
  if (id === undefined) throw new Error('no message');
  return id;
}

function shortTimes(runtime: TestRuntime): TestRuntime {
  return {
    ...runtime,
    config: {
      ...runtime.config,
      providerTimeoutMs: 60,
      leaseMs: 10_000,
      reconcileMs: 1000,
      sweepGraceMs: 1000,
      maxAttempts: 4,
    },
  };
}

const main = (runtime: TestRuntime) => shardFor(runtime, 'c');
const run = (runtime: TestRuntime, ids: string[], provider: Provider = sandboxProvider(runtime)) =>
  deliver(runtime, main(runtime), ids, only(provider));
/** Only this provider is set up, as the sandbox. */
const only =
  (provider: Provider): ProviderBook =>
  (name) =>
    name === 'sandbox' ? provider : undefined;

/** A provider that answers what it is told to and notes who called. */
function scripted(outcome: (message: OutboundMessage) => Promise<SendOutcome>) {
  const calls: string[] = [];
  let open = 0;
  let most = 0;
  const provider: Provider = {
    name: 'webhook',
    channels: ['sms', 'mms'],
    readStatus: async () => ({ ok: true, items: [] }),
    readInbound: async () => ({ ok: true, items: [] }),
    async send(message) {
      calls.push(message.id);
      most = Math.max(most, ++open);
      try {
        return await outcome(message);
      } finally {
        open--;
      }
    },
    lookup: async () => ({ kind: 'cannot_tell' }),
  };
  return { provider, calls, most: () => most };
}

describe('a good message', () => {
  it('is claimed, sent, settled, and receipted through the real callback route', async () => {
    const runtime = testRuntime();
    const id = await accepted(runtime);
    expect(runtime.sent).toEqual([{ pointer: { message: id, shard: 'main' }, delaySeconds: 0 }]);
    await run(runtime, [id]);
    expect(await storedMessage(id)).toMatchObject({ state: 'sent', attempts: 1 });
    await postReceipts(runtime);
    await until(async () => (await storedMessage(id)).state === 'delivered');
    expect(await timeline(id)).toEqual(['queued', 'sending', 'sent', 'delivered']);
  });

  it('is sent once though its pointer comes many times, before, during and after', async () => {
    const runtime = testRuntime();
    const id = await accepted(runtime);
    await Promise.all([run(runtime, [id, id]), run(runtime, [id]), run(runtime, [id])]);
    await run(runtime, [id]);
    expect(await takenBySandbox(id)).toBe(1);
    expect((await storedMessage(id)).attempts).toBe(1);
  });

  it('carries no personal data on the queue', async () => {
    const runtime = testRuntime();
    const number = uniqueNumber();
    await accepted(runtime, number);
    expect(JSON.stringify(runtime.sent)).not.toContain(number.slice(2));
    expect(Object.keys(runtime.sent[0]?.pointer ?? {}).sort()).toEqual(['message', 'shard']);
  });
});

describe('a batch', () => {
  it('makes at most six provider calls at once, and settles all in one transaction', async () => {
    const runtime = testRuntime();
    const ids = await Promise.all(Array.from({ length: 20 }, () => accepted(runtime)));
    const { provider, calls, most } = scripted(async ({ id }) => {
      await new Promise((resume) => setTimeout(resume, 5));
      return { kind: 'accepted', providerMessageId: `p-${id}` };
    });
    await run(runtime, ids, provider);
    expect(calls.sort()).toEqual(ids.sort());
    expect(most()).toBe(MAX_CONCURRENT_CALLS);
    for (const id of ids) expect((await storedMessage(id)).state).toBe('sent');
  });

  it('begins no call that its lease would not outlive', async () => {
    const runtime = shortTimes(testRuntime());
    const short = { ...runtime, config: { ...runtime.config, leaseMs: 50 } };
    const id = await accepted(runtime);
    const { provider, calls } = scripted(async () => ({ kind: 'accepted', providerMessageId: 'p' }));
    await run(short, [id], provider);
    expect(calls).toEqual([]);
    expect(await storedMessage(id)).toMatchObject({
      state: 'queued',
      reason: 'lease_too_short',
      attempts: 0,
    });
  });
});

describe('the sandbox carrier’s test numbers', () => {
  it('+15005550001 rejects for good: failed, with the carrier’s words', async () => {
    const runtime = testRuntime();
    const id = await accepted(runtime, '+15005550001');
    await run(runtime, [id]);
    expect(await storedMessage(id)).toMatchObject({
      state: 'failed',
      reason: 'provider_rejected',
      detail: 'number_invalid (sandbox 21211): invalid number',
      due_at: null,
    });
  });

  it('+15005550002 throttles twice: tried again later each time, then sent once', async () => {
    const runtime = shortTimes(testRuntime());
    const id = await accepted(runtime, '+15005550002');
    for (let attempt = 1; attempt <= 2; attempt++) {
      await run(runtime, [id]);
      const { state, reason, due_at } = await storedMessage(id);
      expect({ state, reason }).toEqual({ state: 'queued', reason: 'provider_busy' });
      expect(due_at).toBeGreaterThan(0);
      runtime.advance(60_000);
    }
    await run(runtime, [id]);
    expect(await storedMessage(id)).toMatchObject({ state: 'sent', attempts: 3 });
    expect(await takenBySandbox(id)).toBe(1);
    // The first pointer and one for each time it was put off.
    expect(runtime.sent.filter(({ pointer }) => pointer.message === id)).toHaveLength(3);
  });

  it('+15005550010 always throttles: failed once the attempts are used up, and never taken', async () => {
    const runtime = shortTimes(testRuntime());
    const id = await accepted(runtime, '+15005550010');
    for (let attempt = 1; attempt <= 6; attempt++) {
      await run(runtime, [id]);
      runtime.advance(60_000);
    }
    expect(await storedMessage(id)).toMatchObject({
      state: 'failed',
      reason: 'retries_exhausted',
      attempts: 4,
    });
    expect(await takenBySandbox(id)).toBe(0);
  });

  it('+15005550003 never answers but took it: unknown, then sent once the carrier is asked', async () => {
    const runtime = shortTimes(testRuntime());
    const id = await accepted(runtime, '+15005550003');
    await run(runtime, [id]);
    expect(await storedMessage(id)).toMatchObject({ state: 'unknown', reason: 'provider_timeout' });
    await sweep(runtime);
    expect((await storedMessage(id)).state).toBe('unknown'); // not yet: the call may still be in the air
    runtime.advance(1100);
    await sweep(runtime);
    expect((await storedMessage(id)).state).toBe('sent');
    expect(await takenBySandbox(id)).toBe(1);
  });

  it('+15005550004 never answers and did not take it: unknown, then sent again once the carrier says so', async () => {
    const runtime = shortTimes(testRuntime());
    const id = await accepted(runtime, '+15005550004');
    await run(runtime, [id]);
    runtime.advance(1100);
    await sweep(runtime);
    expect(await storedMessage(id)).toMatchObject({ state: 'queued', reason: 'not_taken' });
    await run(runtime, [id]);
    expect((await storedMessage(id)).state).toBe('sent');
    expect(await takenBySandbox(id)).toBe(1);
    expect(await timeline(id)).toEqual(['queued', 'sending', 'unknown', 'queued', 'sending', 'sent']);
  });

  it('+15005550009 can’t tell: stays unknown and is never sent again', async () => {
    const runtime = shortTimes(testRuntime());
    const id = await accepted(runtime, '+15005550009');
    await run(runtime, [id]);
    for (let ask = 1; ask <= 20; ask++) {
      runtime.advance(2_000_000);
      await sweep(runtime);
    }
    expect(await storedMessage(id)).toMatchObject({
      state: 'unknown',
      reason: 'outcome_unknowable',
      due_at: null,
    });
    expect(await takenBySandbox(id)).toBe(1);
  });

  it('+15005550009 is sent again only where the campaign prefers a duplicate to a loss', async () => {
    const runtime = shortTimes(testRuntime());
    const id = await accepted(runtime, '+15005550009', { on_unknown: 'resend' });
    await run(runtime, [id]);
    for (let ask = 1; ask <= 20; ask++) {
      runtime.advance(2_000_000);
      await sweep(runtime);
    }
    expect(await storedMessage(id)).toMatchObject({ state: 'queued', reason: 'resend_preferred' });
  });

  it('+15005550005 is receipted late, +15005550006 never, +15005550007 as undelivered', async () => {
    const runtime = testRuntime();
    const late = await accepted(runtime, '+15005550005');
    const never = await accepted(runtime, '+15005550006');
    const undelivered = await accepted(runtime, '+15005550007');
    await run(runtime, [late, never, undelivered]);
    await postReceipts(runtime);
    await until(async () => (await storedMessage(undelivered)).state === 'undelivered');
    expect((await storedMessage(undelivered)).reason).toBe('receipt_undelivered');
    expect((await storedMessage(late)).state).toBe('sent');
    runtime.advance(31_000);
    await postReceipts(runtime);
    await until(async () => (await storedMessage(late)).state === 'delivered');
    expect((await storedMessage(never)).state).toBe('sent');
  });

  it('+15005550008 is receipted before the carrier has answered', async () => {
    const runtime = testRuntime();
    const id = await accepted(runtime, '+15005550008');
    await run(runtime, [id]);
    await until(async () => (await storedMessage(id)).state === 'delivered');
    expect(await takenBySandbox(id)).toBe(1);
  });
});

describe('crashes', () => {
  it('before the queue got the pointer: the sweeper sends another', async () => {
    const lost = testRuntime({
      outbox: {
        sendBatch: async () => {
          throw new Error('queue is down');
        },
      } as unknown as Queue<Pointer>,
    });
    const id = await accepted(lost);
    const runtime = shortTimes(testRuntime());
    runtime.advance(2000);
    await sweep(runtime);
    expect(runtime.sent.map(({ pointer }) => pointer.message)).toContain(id);
  });

  it('between claim and call: asked about, found not taken, sent once', async () => {
    const runtime = shortTimes(testRuntime());
    const id = await accepted(runtime);
    const { claim } = await import('../../src/ledger/claim.ts');
    await claim(env.DB, [id], 'clm-dead', runtime.now(), runtime.now() + runtime.config.leaseMs);
    runtime.advance(10_001);
    await sweep(runtime);
    expect(await storedMessage(id)).toMatchObject({ state: 'unknown', reason: 'lease_expired' });
    runtime.advance(1001);
    await sweep(runtime);
    expect(await storedMessage(id)).toMatchObject({ state: 'queued', reason: 'not_taken' });
    await run(runtime, [id]);
    expect(await takenBySandbox(id)).toBe(1);
  });

  it('between call and settle: asked about, found taken, never sent again', async () => {
    const runtime = shortTimes(testRuntime());
    const id = await accepted(runtime);
    const dying = { ...runtime, db: dyingDb(runtime.db, 1) };
    await expect(
      deliver(dying, { name: 'main', db: dying.db }, [id], only(sandboxProvider(runtime))),
    ).rejects.toThrow('gone before');
    expect((await storedMessage(id)).state).toBe('sending');
    await run(runtime, [id]);
    runtime.advance(10_001);
    await sweep(runtime);
    runtime.advance(1001);
    await sweep(runtime);
    expect((await storedMessage(id)).state).toBe('sent');
    expect(await takenBySandbox(id)).toBe(1);
  });

  it('of the provider’s connection, with an exception: unknown, not failed', async () => {
    const runtime = testRuntime();
    const id = await accepted(runtime);
    const { provider } = scripted(() => Promise.reject(new TypeError('connection reset')));
    await run(runtime, [id], provider);
    expect(await storedMessage(id)).toMatchObject({ state: 'unknown', reason: 'provider_timeout' });
  });

  it('of D1 itself: the pointers come again, nothing is lost', async () => {
    const runtime = testRuntime();
    const id = await accepted(runtime);
    const batch = queueBatch<Pointer>('optitext-outbox', [{ message: id, shard: 'main' }]);
    await consumeOutbox({ ...runtime, db: dyingDb(runtime.db, 0) }, batch);
    expect(batch.fates).toEqual(['retry']);
    const again = queueBatch<Pointer>('optitext-outbox', [{ message: id, shard: 'main' }]);
    await consumeOutbox(runtime, again);
    expect(again.fates).toEqual(['ack']);
    expect((await storedMessage(id)).state).toBe('sent');
  });

  it('of the dead-letter consumer: no letter is dropped before its mark is written', async () => {
    const runtime = testRuntime();
    const id = await accepted(runtime);
    const batch = queueBatch<Pointer>('optitext-outbox', [{ message: id, shard: 'main' }]);
    await consumeDeadLetters({ ...runtime, db: dyingDb(runtime.db, 0) }, batch);
    expect(batch.fates).toEqual(['retry']);
    const again = queueBatch<Pointer>('optitext-outbox', [{ message: id, shard: 'main' }]);
    await consumeDeadLetters(runtime, again);
    expect(again.fates).toEqual(['ack']);
    expect(await storedMessage(id)).toMatchObject({ state: 'queued', reason: 'dead_lettered' });
  });
});
