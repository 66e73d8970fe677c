/**
 * Everything that goes wrong between us and a provider: for each fault the end state, and exactly how often the provider was
 * called. After each fault the sweeper and the queue run on for a while, so that an end state is one.
 */
import { describe, expect, it } from 'vitest';
import { consumeReceipts } from '../../src/callbacks/consumer.ts';
import { optOut } from '../../src/consent/suppressions.ts';
import { consumeDeadLetters, consumeOutbox } from '../../src/delivery/consumer.ts';
import type { OutboundMessage, SendOutcome } from '../../src/delivery/provider.ts';
import { byStatus, request, unknown } from '../../src/delivery/providers/http.ts';
import { sweep } from '../../src/delivery/sweeper.ts';
import type { Pointer, ReceiptNote } from '../../src/platform/runtime.ts';
import { dyingDb, type Fault, faultyDb, queueBatch } from '../faults.ts';
import { putCampaign, storedMessage, testRuntime, uniqueNumber } from '../support.ts';
import { accepted, acceptedBy, bookOf, type Fake, fake, later, receipt, shortTimes, taken } from './world.ts';

const LEASE_MS = 10_000;

interface World {
  readonly id: string;
  readonly number: string;
  readonly runtime: ReturnType<typeof shortTimes>;
  readonly provider: Fake;
  /** One run of the queue's consumer. @returns what it said of each pointer. */
  queue(ids?: readonly string[], db?: D1Database): Promise<string[]>;
  receipts(notes: readonly ReceiptNote[], db?: D1Database): Promise<string[]>;
  sweep(db?: D1Database): Promise<void>;
  stop(): Promise<void>;
}

async function newWorld(campaign: Record<string, unknown> = {}): Promise<World> {
  const runtime = shortTimes(testRuntime(), { leaseMs: LEASE_MS });
  const number = uniqueNumber();
  const provider = fake('webhook');
  const book = bookOf(provider);
  const id = await accepted(runtime, number, { providers: ['webhook'], ...campaign });
  return {
    id,
    number,
    runtime,
    provider,
    queue: async (ids = [id], db = runtime.db) => {
      const pointers = ids.map((message): Pointer => ({ message, shard: 'main' }));
      const batch = queueBatch('optitext-outbox', pointers);
      await consumeOutbox({ ...runtime, db }, batch, book);
      return batch.fates;
    },
    receipts: async (notes, db = runtime.db) => {
      const batch = queueBatch('optitext-receipts', notes);
      await consumeReceipts({ ...runtime, db }, batch);
      return batch.fates;
    },
    sweep: async (db = runtime.db) => await sweep({ ...runtime, db }, book),
    stop: async () => {
      await optOut(runtime.db, { number, origin: 'sms', note: null, at: runtime.now() });
    },
  };
}

/** Minutes go by: leases end, outcomes are asked about, pointers come again. */
async function afterwards(world: World): Promise<void> {
  for (let round = 0; round < 5; round++) {
    world.runtime.advance(LEASE_MS + 1);
    await world.sweep();
    await world.queue();
  }
}

/** An adapter as they all are: one request, its status, its JSON. */
function overHttp(
  world: World,
  fetch: () => Promise<Response>,
): (message: OutboundMessage) => Promise<SendOutcome> {
  return async () => {
    const providerWorld = { ...world.runtime, fetch: fetch as typeof globalThis.fetch };
    const sent = await request(
      providerWorld,
      'https://provider.test/',
      { method: 'POST' },
      AbortSignal.timeout(1000),
    );
    if ('outcome' in sent) return sent.outcome;
    const said = byStatus(sent.answer, world.runtime.now());
    if (said) return said;
    const { json } = sent.answer;
    return typeof json === 'object' && json !== null && 'id' in json && typeof json.id === 'string'
      ? { kind: 'accepted', providerMessageId: json.id }
      : unknown('no JSON with an id', null);
  };
}

const never = (): Promise<never> => new Promise(() => {});
const ok = (world: World) => async () => Response.json({ id: `pid-${world.id}` });

interface Row {
  readonly fault: string;
  readonly state: string;
  readonly reason?: string | null;
  readonly calls: number;
  readonly campaign?: Record<string, unknown>;
  run(world: World): Promise<void>;
}

const ROWS: readonly Row[] = [
  {
    fault: 'the pointer comes twice before the claim',
    state: 'sent',
    calls: 1,
    run: async (w) => void (await w.queue([w.id, w.id])),
  },
  {
    fault: 'the pointer comes again between claim and call',
    state: 'sent',
    calls: 1,
    run: async (w) => {
      w.provider.answers(async (message) => {
        await w.queue();
        return taken(message);
      });
      await w.queue();
    },
  },
  {
    fault: 'the worker dies between claim and call',
    state: 'sent',
    calls: 1,
    run: async (w) => {
      const lost = faultyDb(w.runtime.db, () => 'after');
      expect(await w.queue([w.id], lost)).toEqual(['retry']);
      expect((await storedMessage(w.id)).state).toBe('sending');
      w.provider.lookups({ kind: 'not_taken' });
    },
  },
  {
    fault: 'the worker dies after the call, before settle; the provider knows',
    state: 'sent',
    calls: 1,
    run: async (w) => {
      expect(await w.queue([w.id], dyingDb(w.runtime.db, 1))).toEqual(['retry']);
      expect(await w.queue()).toEqual(['ack']);
      w.provider.lookups({ kind: 'taken', providerMessageId: 'p' });
    },
  },
  {
    fault: 'the worker dies after the call, before settle; the provider can’t tell',
    state: 'unknown',
    reason: 'lease_expired',
    calls: 1,
    run: async (w) => void (await w.queue([w.id], dyingDb(w.runtime.db, 1))),
  },
  {
    fault: 'the pointer comes again after settle, before the ack',
    state: 'sent',
    calls: 1,
    run: async (w) => {
      await w.queue();
      await w.queue();
    },
  },
  {
    fault: 'the handler throws after its acks: the queue delivers what was acknowledged again',
    state: 'sent',
    calls: 1,
    run: async (w) => {
      expect(await w.queue()).toEqual(['ack']);
      expect(await w.queue([w.id, w.id, w.id])).toEqual(['ack', 'ack', 'ack']);
    },
  },
  {
    fault: 'eight consumers at once',
    state: 'sent',
    calls: 1,
    run: async (w) => void (await Promise.all(Array.from({ length: 8 }, () => w.queue()))),
  },
  {
    fault: 'time-out, then a late receipt with our reference',
    state: 'delivered',
    calls: 1,
    run: async (w) => {
      w.provider.answers(never);
      await w.queue();
      expect(await storedMessage(w.id)).toMatchObject({ state: 'unknown', reason: 'provider_timeout' });
      await w.receipts([receipt('webhook', w.id, 'delivered', { reference: w.id })]);
    },
  },
  {
    fault: 'time-out; the provider says that it took it',
    state: 'sent',
    calls: 1,
    run: async (w) => {
      w.provider.answers(never);
      w.provider.lookups({ kind: 'taken', providerMessageId: 'late' });
      await w.queue();
    },
  },
  {
    fault: 'time-out; the provider says that it did not take it',
    state: 'sent',
    calls: 2,
    run: async (w) => {
      w.provider.answers(never, taken({ id: w.id }));
      w.provider.lookups({ kind: 'not_taken' });
      await w.queue();
    },
  },
  {
    fault: 'time-out that nobody can resolve',
    state: 'unknown',
    reason: 'provider_timeout',
    calls: 1,
    run: async (w) => {
      w.provider.answers(never);
      await w.queue();
    },
  },
  {
    fault: 'time-out that nobody can resolve, until unknown_after is over',
    state: 'unknown',
    reason: 'outcome_unknowable',
    calls: 1,
    campaign: { unknown_after: '1m' },
    run: async (w) => {
      w.provider.answers(never);
      await w.queue();
      w.runtime.advance(60_000);
      await w.sweep();
    },
  },
  {
    fault: 'the same where the campaign prefers a duplicate',
    state: 'sent',
    calls: 2,
    campaign: { unknown_after: '1m', on_unknown: 'resend' },
    run: async (w) => {
      w.provider.answers(never, taken({ id: w.id }));
      await w.queue();
      w.runtime.advance(60_000);
      await w.sweep();
    },
  },
  {
    fault: 'HTTP 503',
    state: 'unknown',
    calls: 1,
    run: async (w) => {
      w.provider.answers(overHttp(w, async () => new Response('busy', { status: 503 })));
      await w.queue();
    },
  },
  {
    fault: 'HTTP 429 with Retry-After: not before its time',
    state: 'sent',
    calls: 2,
    run: async (w) => {
      const slow = async () => new Response('', { status: 429, headers: { 'retry-after': '90' } });
      w.provider.answers(overHttp(w, slow), overHttp(w, ok(w)));
      await w.queue();
      const { due_at } = await storedMessage(w.id);
      expect((due_at ?? 0) - w.runtime.now()).toBeGreaterThan(88_000);
      expect(w.runtime.sent.at(-1)?.delaySeconds).toBe(90);
      w.runtime.advance(80_000);
      await w.queue();
      expect(w.provider.calls).toHaveLength(1);
    },
  },
  {
    fault: 'HTTP 429 without Retry-After',
    state: 'sent',
    calls: 2,
    run: async (w) => {
      w.provider.answers(
        overHttp(w, async () => new Response('', { status: 429 })),
        overHttp(w, ok(w)),
      );
      await w.queue();
      expect(await storedMessage(w.id)).toMatchObject({ state: 'queued', reason: 'provider_busy' });
    },
  },
  {
    fault: 'HTTP 429 whose Retry-After is later than the text is worth sending',
    state: 'expired',
    calls: 1,
    campaign: { ttl_seconds: 60 },
    run: async (w) => {
      w.provider.answers(later(3_600_000));
      await w.queue();
      w.runtime.advance(30_000);
    },
  },
  {
    fault: 'the connection is reset before the answer',
    state: 'unknown',
    calls: 1,
    run: async (w) => {
      w.provider.answers(overHttp(w, () => Promise.reject(new TypeError('connection reset'))));
      await w.queue();
    },
  },
  {
    fault: 'the connection is reset within the answer',
    state: 'unknown',
    calls: 1,
    run: async (w) => {
      const torn = new ReadableStream({
        pull(controller) {
          controller.error(new TypeError('connection reset'));
        },
      });
      w.provider.answers(overHttp(w, async () => new Response(torn, { status: 200 })));
      await w.queue();
    },
  },
  {
    fault: 'HTTP 200 that nobody can read',
    state: 'unknown',
    calls: 1,
    run: async (w) => {
      w.provider.answers(overHttp(w, async () => new Response('<html>welcome</html>')));
      await w.queue();
    },
  },
  {
    fault: 'the receipt comes before settle',
    state: 'delivered',
    calls: 1,
    run: async (w) => {
      w.provider.answers(async (message) => {
        await w.receipts([receipt('webhook', w.id, 'delivered')]);
        return taken(message);
      });
      await w.queue();
    },
  },
  {
    fault: 'receipts come doubled and out of order',
    state: 'delivered',
    calls: 1,
    run: async (w) => {
      await w.queue();
      for (const state of ['delivered', 'sent', 'delivered', 'sent', 'undelivered'] as const)
        await w.receipts([receipt('webhook', w.id, state), receipt('webhook', w.id, state)]);
    },
  },
  {
    fault: 'a receipt for another provider’s message of the same id',
    state: 'sent',
    calls: 1,
    run: async (w) => {
      await w.queue();
      await w.receipts([
        receipt('twilio', w.id, 'undelivered'),
        receipt('twilio', w.id, 'failed', { reference: w.id }),
      ]);
    },
  },
  {
    fault: 'the receipt of a first provider that said no comes while the second sends',
    state: 'sent',
    calls: 1,
    campaign: { providers: ['telnyx', 'webhook'] },
    run: async (w) => {
      w.provider.answers(async (message) => {
        await w.receipts([receipt('telnyx', `${w.id}-other`, 'failed', { reference: w.id })]);
        return taken(message);
      });
      await w.queue();
    },
  },
  {
    fault: 'two of three parts are delivered',
    state: 'sent',
    calls: 1,
    run: async (w) => {
      await w.queue();
      for (const part of ['1', '2', '2'])
        await w.receipts([receipt('webhook', w.id, 'delivered', { parts: 3, part })]);
    },
  },
  {
    fault: 'all of three parts are delivered, in any order',
    state: 'delivered',
    calls: 1,
    run: async (w) => {
      await w.queue();
      await w.receipts(['3', '1'].map((part) => receipt('webhook', w.id, 'delivered', { parts: 3, part })));
      await w.receipts([receipt('webhook', w.id, 'delivered', { parts: 3, part: '2' })]);
    },
  },
  {
    fault: 'one of three parts is not delivered',
    state: 'undelivered',
    calls: 1,
    run: async (w) => {
      await w.queue();
      const bad = receipt('webhook', w.id, 'undelivered', { parts: 3, part: '2', code: '30003' });
      await w.receipts([receipt('webhook', w.id, 'delivered', { parts: 3, part: '1' }), bad]);
    },
  },
  {
    fault: 'STOP before the claim',
    state: 'suppressed',
    reason: 'opted_out',
    calls: 0,
    run: async (w) => {
      await w.stop();
      await w.queue();
    },
  },
  {
    fault: 'STOP between claim and call, the claim two seconds old',
    state: 'suppressed',
    reason: 'opted_out',
    calls: 0,
    run: async (w) => {
      const { trigger } = await putCampaign({ providers: ['webhook'] });
      const first = await Promise.all(Array.from({ length: 6 }, () => acceptedBy(w.runtime, trigger)));
      w.provider.answers(async (message) => {
        await w.stop();
        w.runtime.advance(2000);
        return taken(message);
      });
      await w.queue([...first, w.id]);
      expect(w.provider.calls.sort()).toEqual(first.sort());
      expect((await storedMessage(w.id)).attempts).toBe(0);
    },
  },
  {
    fault: 'STOP between claim and call where D1 is gone',
    state: 'suppressed',
    reason: 'opted_out',
    calls: 0,
    run: async (w) => {
      const { trigger } = await putCampaign({ providers: ['webhook'] });
      const first = await Promise.all(Array.from({ length: 6 }, () => acceptedBy(w.runtime, trigger)));
      w.provider.answers(async (message) => {
        await w.stop();
        w.runtime.advance(2000);
        return taken(message);
      });
      const blind = faultyDb(w.runtime.db, ({ sql }) =>
        sql.startsWith('SELECT m.id FROM json_each') ? 'before' : null,
      );
      await w.queue([...first, w.id], blind);
      expect(await storedMessage(w.id)).toMatchObject({ state: 'queued', attempts: 0 });
    },
  },
  {
    fault: 'STOP while a retry waits',
    state: 'suppressed',
    reason: 'opted_out',
    calls: 1,
    run: async (w) => {
      w.provider.answers(later(30_000), taken({ id: w.id }));
      await w.queue();
      await w.stop();
    },
  },
  {
    fault: 'the queue gives up on the pointer: dead letter',
    state: 'sent',
    calls: 1,
    run: async (w) => {
      expect(await w.queue([w.id], dyingDb(w.runtime.db, 0))).toEqual(['retry']);
      const letter = queueBatch<Pointer>('optitext-outbox-dlq', [{ message: w.id, shard: 'main' }]);
      await consumeDeadLetters(w.runtime, letter);
      expect(letter.fates).toEqual(['ack']);
      expect(await storedMessage(w.id)).toMatchObject({ state: 'queued', reason: 'dead_lettered' });
      w.runtime.advance(2000);
      await w.sweep();
      expect(w.runtime.sent.at(-1)?.pointer.message).toBe(w.id);
    },
  },
];

describe('the fault matrix', () => {
  it.each(ROWS)('$fault: $state after $calls call(s)', async ({ run, state, reason, calls, campaign }) => {
    const world = await newWorld(campaign);
    await run(world);
    await afterwards(world);
    const stored = await storedMessage(world.id);
    expect(stored.state).toBe(state);
    if (reason !== undefined) expect(stored.reason).toBe(reason);
    expect(world.provider.calls.filter((id) => id === world.id)).toHaveLength(calls);
  });
});

describe('an error of D1 at any call of the way, before or after it has committed', () => {
  /** The whole way of one message. @returns how many calls to D1 each station made. */
  async function way(
    world: World,
    station: Station | null,
    dbOf: (db: D1Database) => D1Database,
  ): Promise<number> {
    let trips = 0;
    const db = (at: Station): D1Database | undefined => {
      if (at !== station) return undefined;
      return faultyDb(dbOf(world.runtime.db), () => {
        trips++;
        return null;
      });
    };
    // The provider knows what it took, so that a lost settle can be mended.
    world.provider.answers(async (message) => {
      world.provider.lookups({ kind: 'taken', providerMessageId: `pid-${message.id}` });
      return taken(message);
    });
    world.provider.lookups({ kind: 'not_taken' });
    await world.queue([world.id], db('queue'));
    const delivered = receipt('webhook', world.id, 'delivered', { reference: world.id });
    // A receipt comes only of what the provider took.
    const called = world.provider.calls.length > 0;
    const [fate] = called ? await world.receipts([delivered], db('receipts')) : ['retry'];
    world.runtime.advance(LEASE_MS + 1);
    await world.sweep(db('sweep')).catch(() => {});
    await afterwards(world);
    if (fate === 'retry') await world.receipts([delivered]);
    return trips;
  }

  const STATIONS = ['queue', 'receipts', 'sweep'] as const;
  type Station = (typeof STATIONS)[number];
  const CALLS: Record<Station, number> = { queue: 2, receipts: 1, sweep: 6 };

  it('(these are all calls that a way makes)', async () => {
    for (const station of STATIONS)
      expect(await way(await newWorld(), station, (db) => db)).toBeLessThanOrEqual(CALLS[station]);
  });

  const cases = STATIONS.flatMap((station) =>
    Array.from({ length: CALLS[station] }, (_, i) => i + 1).flatMap((n) =>
      (['before', 'after'] as const).flatMap((fault) =>
        (['once', 'from then on'] as const).map((lasting) => ({ station, n, fault, lasting })),
      ),
    ),
  );

  it.each(cases)(
    '$station, call $n, $fault the commit, $lasting: delivered after one call',
    async ({ station, n, fault, lasting }) => {
      const world = await newWorld();
      const faultAt = ({ number }: { number: number }): Fault =>
        number === n || (lasting === 'from then on' && number > n) ? fault : null;
      await way(world, station, (db) => faultyDb(db, faultAt));
      expect((await storedMessage(world.id)).state).toBe('delivered');
      expect(world.provider.calls).toEqual([world.id]);
    },
  );
});
