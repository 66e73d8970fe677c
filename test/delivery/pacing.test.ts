import { describe, expect, it } from 'vitest';
import { deliver } from '../../src/delivery/deliver.ts';
import { claimBatch } from '../../src/ledger/claim.ts';
import { shardFor } from '../../src/platform/shard.ts';
import { call, putCampaign, storedMessage, testRuntime, unique } from '../support.ts';
import { acceptedBy, bookOf, fake, shortTimes } from './world.ts';

const routing = { defaultRoute: ['webhook'], usable: null, gapMs: null };
const sender = () => `+1800${Math.floor(2_000_000 + Math.random() * 7_000_000)}`;

async function waitingMessages(from: string, n: number, runtime = testRuntime()) {
  const { trigger } = await putCampaign({ sender: from, providers: ['webhook'] });
  return await Promise.all(Array.from({ length: n }, () => acceptedBy(runtime, trigger)));
}

describe('the pace of a sender', () => {
  it('is kept by any number of consumers: no slot is given twice, and no second has more than its share', async () => {
    const runtime = testRuntime();
    const from = sender();
    const perSecond = 5;
    expect(
      (await call('PUT', `/v1/senders/${encodeURIComponent(from)}`, { messages_per_second: perSecond }))
        .status,
    ).toBe(200);
    const ids = await waitingMessages(from, 40, runtime);
    const slots: number[] = [];
    const db = shardFor(runtime, 'c').db;
    const start = runtime.now();
    let now = start;
    for (let tick = 0; slots.length < ids.length && tick < 200; tick++) {
      // Eight consumers at once; each has every pointer, as doubled queues would.
      const claims = await Promise.all(
        Array.from({ length: 8 }, () => claimBatch(db, ids, unique('clm'), now, now + 60_000, routing)),
      );
      for (const { claimed } of claims) slots.push(...claimed.map((message) => message.sendAt ?? Number.NaN));
      now += 250;
    }
    expect(slots).toHaveLength(40);
    slots.sort((a, b) => a - b);
    for (const [i, slot] of slots.entries()) {
      const inThisSecond = slots.filter((other) => other >= slot && other < slot + 1000);
      expect(inThisSecond.length).toBeLessThanOrEqual(perSecond);
      if (i > 0) expect(slot - (slots[i - 1] ?? 0)).toBeGreaterThanOrEqual(1000 / perSecond - 1);
    }
    // Nor is it slower than it need be: forty at five a second take some eight seconds.
    expect((slots.at(-1) ?? 0) - start).toBeLessThan(12_000);
  });

  it('puts off what has no slot yet: later and later, with a pointer for each, not as an attempt', async () => {
    const runtime = shortTimes(testRuntime(), { leaseMs: 60_000 });
    const from = sender();
    await call('PUT', `/v1/senders/${encodeURIComponent(from)}`, { messages_per_second: 1 });
    const ids = await waitingMessages(from, 6, runtime);
    const webhook = fake('webhook');
    await deliver(runtime, shardFor(runtime, 'c'), ids, bookOf(webhook));
    expect(webhook.calls.length).toBeLessThanOrEqual(2);
    const rows = await Promise.all(ids.map(storedMessage));
    const putOff = rows.filter((row) => row.state === 'queued');
    expect(putOff).toHaveLength(6 - webhook.calls.length);
    expect(putOff.every((row) => row.reason === 'paced' && row.attempts === 0)).toBe(true);
    expect(new Set(putOff.map((row) => row.due_at)).size).toBe(putOff.length);
    const delays = runtime.sent
      .filter(({ delaySeconds }) => delaySeconds > 0)
      .map(({ delaySeconds }) => delaySeconds);
    expect(new Set(delays).size).toBe(putOff.length);
  });

  it('may be set for all by SENDER_MPS, and is of each sender alone', async () => {
    const runtime = testRuntime();
    const [a, b] = [sender(), sender()];
    const ids = [...(await waitingMessages(a, 4, runtime)), ...(await waitingMessages(b, 4, runtime))];
    const now = runtime.now();
    const { claimed, putOff } = await claimBatch(runtime.db, ids, unique('clm'), now, now + 60_000, {
      ...routing,
      gapMs: 1000,
    });
    expect(claimed.map((message) => message.sender).sort()).toEqual([a, a, b, b].sort());
    expect(putOff).toHaveLength(4);
  });

  it('does not hold up a sender without one', async () => {
    const runtime = testRuntime();
    const ids = await waitingMessages(sender(), 20, runtime);
    const now = runtime.now();
    const { claimed } = await claimBatch(runtime.db, ids, unique('clm'), now, now + 60_000, routing);
    expect(claimed).toHaveLength(20);
    expect(claimed.every((message) => message.sendAt === null)).toBe(true);
  });

  it('is repeated with its claim, not counted twice', async () => {
    const runtime = testRuntime();
    const from = sender();
    await call('PUT', `/v1/senders/${encodeURIComponent(from)}`, { messages_per_second: 1 });
    const [first, second] = await waitingMessages(from, 2, runtime);
    const now = runtime.now();
    const claimId = unique('clm');
    const claim = (id: string | undefined, name: string) =>
      claimBatch(runtime.db, [id ?? ''], name, now, now + 60_000, routing);
    const once = await claim(first, claimId);
    expect(await claim(first, claimId)).toEqual(once);
    expect((await claim(second, unique('clm'))).claimed[0]?.sendAt).toBe(now + 1000);
  });

  it.each([
    [{ messages_per_second: 0 }],
    [{ messages_per_second: 'fast' }],
    [{}],
    [{ messages_per_second: 5000 }],
  ])('refuses %j', async (body) => {
    expect((await call('PUT', '/v1/senders/OptiText', body)).status).toBe(422);
  });
});
