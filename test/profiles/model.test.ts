/**
 * The law of the batch sync: any sequence of deltas, full feeds, events, opt-outs and PUTs, with times in any order of
 * arrival, ends in the state that a simple model predicts, however small chunks and ticks are.
 */
import { env } from 'cloudflare:test';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Runtime } from '../../src/platform/runtime.ts';
import { readFeed } from '../../src/profiles/feeds/store.ts';
import { syncFeed } from '../../src/profiles/sync/engine.ts';
import { Budget } from '../../src/profiles/sync/work.ts';
import { call, goodEvent, putCampaign, testRuntime } from '../support.ts';
import { makeFeed, ndjson, profilesTable, shownRun } from './feed-support.ts';

vi.setConfig({ testTimeout: 120_000 });

const CUSTOMERS = ['c-1', 'c-2', 'c-3', 'c-4'];
const NUMBERS = ['+14155550101', '+14155550102', '+14155550103'];
const BASE = Date.UTC(2026, 0, 1);
const timeOf = (hour: number): number => BASE + hour * 3_600_000;
const hour = fc.integer({ min: 0, max: 9 });

interface Row {
  readonly customer_id: string;
  readonly MOBILE_NUMBER?: string | undefined;
  readonly SMS_CONSENT?: boolean | '' | undefined;
  readonly SMS_VALID?: boolean | '' | undefined;
  readonly city?: string | undefined;
  readonly plan?: string | undefined;
  readonly hour?: number | undefined;
}

const row: fc.Arbitrary<Row> = fc.record(
  {
    customer_id: fc.constantFrom(...CUSTOMERS),
    MOBILE_NUMBER: fc.constantFrom(...NUMBERS, ''),
    SMS_CONSENT: fc.constantFrom<boolean | ''>(true, false, ''),
    SMS_VALID: fc.constantFrom<boolean | ''>(true, false, ''),
    city: fc.constantFrom('Paris', 'Oslo', ''),
    plan: fc.constantFrom('Gold', ''),
    hour,
  },
  { requiredKeys: ['customer_id'] },
);

type Step =
  | {
      readonly kind: 'delta' | 'full';
      readonly at: number;
      readonly blank: 'keep' | 'clear';
      readonly rows: Row[];
    }
  | { readonly kind: 'put'; readonly at: number; readonly row: Row }
  | { readonly kind: 'event'; readonly row: Row }
  | { readonly kind: 'stop'; readonly number: string };

const blank = fc.constantFrom<'keep' | 'clear'>('keep', 'clear');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('delta' as const),
      at: hour,
      blank,
      rows: fc.array(row, { minLength: 1, maxLength: 7 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('full' as const),
      at: hour,
      blank,
      rows: fc.array(row, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('put' as const), at: hour, row }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('event' as const), row }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('stop' as const), number: fc.constantFrom(...NUMBERS) }),
  },
);

/** A profile as the model knows it. */
interface Known {
  readonly number: string | null;
  readonly consent: boolean | null;
  readonly valid: boolean | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly at: number;
}
const NOTHING: Omit<Known, 'at'> = { number: null, consent: null, valid: null, attributes: {} };
const sorted = (attributes: Readonly<Record<string, string>>) => Object.entries(attributes).sort();
const same = (a: Omit<Known, 'at'>, b: Omit<Known, 'at'>): boolean =>
  a.number === b.number &&
  a.consent === b.consent &&
  a.valid === b.valid &&
  JSON.stringify(sorted(a.attributes)) === JSON.stringify(sorted(b.attributes));

class Model {
  readonly profiles = new Map<string, Known>();
  readonly stopped = new Set<string>();

  apply(step: Step): void {
    if (step.kind === 'stop') this.stopped.add(step.number);
    if (step.kind === 'put') this.#write(step.row.customer_id, wholeOf(step.row), timeOf(step.at), true);
    if (step.kind !== 'delta' && step.kind !== 'full') return;
    for (const row of step.rows) {
      const before = this.profiles.get(row.customer_id) ?? NOTHING;
      const at = timeOf(row.hour ?? step.at);
      this.#write(row.customer_id, merged(before, row, step.blank), at, row.hour !== undefined);
    }
    if (step.kind !== 'full') return;
    const present = new Set(step.rows.map((row) => row.customer_id));
    for (const [id, known] of this.profiles) {
      if (present.has(id) || known.at > timeOf(step.at) || same(known, NOTHING)) continue;
      this.profiles.set(id, { ...NOTHING, at: timeOf(step.at) });
    }
  }

  /** Newest wins; who says the same again moves the time only with one of their own. */
  #write(id: string, values: Omit<Known, 'at'>, at: number, ownTime: boolean): void {
    const stored = this.profiles.get(id);
    if (stored && stored.at > at) return;
    if (!stored || !same(stored, values) || (ownTime && stored.at < at))
      this.profiles.set(id, { ...values, at });
  }
}

function wholeOf(row: Row): Omit<Known, 'at'> {
  return merged(NOTHING, row, 'clear');
}

function merged(before: Omit<Known, 'at'>, row: Row, blank: 'keep' | 'clear'): Omit<Known, 'at'> {
  const said = <T>(value: T | '' | undefined, stored: T | null): T | null => {
    if (value === undefined) return stored;
    if (value === '') return blank === 'clear' ? null : stored;
    return value;
  };
  const attributes: Record<string, string> = { ...before.attributes };
  for (const name of ['city', 'plan'] as const) {
    const value = said(row[name], before.attributes[name] ?? null);
    if (value === null) delete attributes[name];
    else attributes[name] = value;
  }
  return {
    number: said(row.MOBILE_NUMBER, before.number),
    consent: said(row.SMS_CONSENT, before.consent),
    valid: said(row.SMS_VALID, before.valid),
    attributes,
  };
}

/** The bucket with documents of times in hand: R2 itself gives them the time of their upload. */
function bucketAt(at: number): R2Bucket {
  return {
    list: async (options: R2ListOptions) => {
      const page = await env.FEEDS.list(options);
      return {
        ...page,
        objects: page.objects.map(({ key, version, size }) => ({
          key,
          version,
          size,
          uploaded: new Date(at),
        })),
      };
    },
    get: env.FEEDS.get.bind(env.FEEDS),
    put: env.FEEDS.put.bind(env.FEEDS),
    delete: env.FEEDS.delete.bind(env.FEEDS),
  } as unknown as R2Bucket;
}

/** Chunks of two rows, and ticks that end after the first thing they did. */
function smallRuntime(at: number): Runtime {
  const base = testRuntime({ feeds: bucketAt(at) });
  return { ...base, config: { ...base.config, syncChunkRows: 2, syncTickSubrequests: 1 } };
}

const GUARDS = { max_bad_share: 1, min_share: 0, max_clear_share: 1 };

async function play(step: Step, trigger: string): Promise<void> {
  if (step.kind === 'stop') await call('PUT', `/v1/suppressions/${encodeURIComponent(step.number)}`, {});
  else if (step.kind === 'event') await call('POST', '/v1/events', eventOf(step.row, trigger));
  else if (step.kind === 'put') await call('PUT', `/v1/profiles/${step.row.customer_id}`, putOf(step));
  else {
    await env.DB.prepare('DELETE FROM feeds').run();
    const feed = await makeFeed({ mode: step.kind, blank: step.blank, guards: GUARDS });
    await feed.put('document.ndjson', ndjson(...step.rows.map(recordOf)));
    const runtime = smallRuntime(timeOf(step.at));
    for (let ticks = 0; ; ticks++) {
      const stored = await readFeed(runtime, feed.id);
      if (!stored) throw new Error('no feed');
      const [id] = await syncFeed(runtime, stored, new Budget(runtime));
      const run = await shownRun(id ?? '');
      if (run.state === 'done') break;
      if (run.state !== 'running' || ticks > 50) throw new Error(JSON.stringify(run));
    }
  }
}

const recordOf = ({ hour, ...fields }: Row) => ({
  ...fields,
  ...(hour !== undefined && { updated_at: new Date(timeOf(hour)).toISOString() }),
});

function putOf({ row, at }: { readonly row: Row; readonly at: number }) {
  const { customer_id: _, hour: __, city, plan, ...flags } = row;
  const attributes = Object.fromEntries(Object.entries({ city, plan }).filter(([, value]) => value));
  return { ...flags, attributes, updated_at: new Date(timeOf(at)).toISOString() };
}

const eventOf = ({ customer_id, hour: _, ...data }: Row, trigger: string) =>
  goodEvent(trigger, {
    customer_id,
    data: Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)),
  });

function tableOf(model: Model): unknown[] {
  const bit = (flag: boolean | null): number | null => (flag === null ? null : Number(flag));
  return [...model.profiles]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([customer_id, { number, consent, valid, attributes, at }]) => ({
      customer_id,
      mobile_number: number,
      e164: number,
      sms_consent: bit(consent),
      sms_valid: bit(valid),
      attributes: sorted(attributes),
      updated_at: at,
    }));
}

async function table(): Promise<unknown[]> {
  const rows = (await profilesTable()) as { attributes: string }[];
  return rows.map((row) => ({
    ...row,
    attributes: sorted(JSON.parse(row.attributes) as Record<string, string>),
  }));
}

describe('any sequence of deltas, full feeds, events, opt-outs and PUTs', () => {
  it('ends in the state that a simple model predicts', async () => {
    const { trigger } = await putCampaign();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 9 }), async (steps) => {
        await env.DB.batch([
          env.DB.prepare('DELETE FROM profiles'),
          env.DB.prepare('DELETE FROM suppressions'),
        ]);
        const model = new Model();
        for (const each of steps) {
          model.apply(each);
          await play(each, trigger);
        }
        expect(await table()).toEqual(tableOf(model));
        const { results } = await env.DB.prepare('SELECT number FROM suppressions').all<{ number: string }>();
        expect(new Set(results.map(({ number }) => number))).toEqual(model.stopped);
      }),
      { numRuns: 60 },
    );
  });
});
