/** A run that is killed again and again ends like an undisturbed one; runs that overlap lose nothing. */
import { env } from 'cloudflare:test';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Runtime } from '../../src/platform/runtime.ts';
import { readProfile } from '../../src/profiles/store.ts';
import { call, goodEvent, putCampaign, testRuntime, unique } from '../support.ts';
import { seededRandom } from '../system/harness/random.ts';
import {
  gzip,
  makeFeed,
  ndjson,
  profilesTable,
  type ShownRun,
  shownRun,
  type TestFeed,
} from './feed-support.ts';

vi.setConfig({ testTimeout: 120_000 });

class Killed extends Error {}

/** A runtime whose process dies at the n-th thing that it asks of the world: before it happens, or after. */
function mortal(
  base: Runtime,
  life: number,
  afterwards: boolean,
): { readonly runtime: Runtime; readonly wasKilled: () => boolean } {
  let left = life;
  const io = async <T>(operation: () => Promise<T>): Promise<T> => {
    left--;
    if (left < 0) throw new Killed();
    if (left > 0) return await operation();
    if (afterwards) await operation();
    throw new Killed();
  };
  const tame = (statement: D1PreparedStatement): D1PreparedStatement => {
    const bind = statement.bind.bind(statement);
    const first = statement.first.bind(statement) as () => Promise<unknown>;
    const all = statement.all.bind(statement);
    const run = statement.run.bind(statement);
    return Object.assign(statement, {
      bind: (...values: unknown[]) => tame(bind(...values)),
      first: () => io(first),
      all: () => io(all),
      run: () => io(run),
    });
  };
  const db = {
    prepare: (sql: string) => tame(base.db.prepare(sql)),
    batch: (statements: D1PreparedStatement[]) => io(() => base.db.batch(statements)),
  } as unknown as D1Database;
  const feeds = {
    list: (options: R2ListOptions) => io(() => base.feeds.list(options)),
    get: (key: string, options: R2GetOptions) => io(() => base.feeds.get(key, options)),
    put: (key: string, value: string) => io(() => base.feeds.put(key, value)),
    delete: (keys: string[]) => io(() => base.feeds.delete(keys)),
  } as unknown as R2Bucket;
  return { runtime: { ...base, db, feeds }, wasKilled: () => left <= 0 };
}

const CUSTOMERS = 1_900;
const id = (n: number): string => `k-${String(n).padStart(5, '0')}`;

/** Every kind of row: good, bad, twice in one document, with times of their own that go back and forth. */
function documents(random: ReturnType<typeof seededRandom>): { csv: string; full: string } {
  const row = (n: number): string => {
    const number = random.pick(['+14155550101', '(415) 555-0102', '', 'call me', '+442079460018']);
    const time = random.pick(['', '', `2026-0${random.int(1, 9)}-01T00:00:00Z`]);
    const flag = random.pick(['yes', 'no', '', '1', random.int(0, 40) === 0 ? 'perhaps' : 'off']);
    return `${id(n)},${number},${flag},${time},"Ada, ""A""\n${random.int(0, 9)}"`;
  };
  const lines = Array.from({ length: CUSTOMERS }, (_, n) => row(n));
  for (let n = 0; n < 80; n++)
    lines.splice(random.int(0, lines.length), 0, row(random.int(0, CUSTOMERS - 1)));
  const present = Array.from({ length: CUSTOMERS }, (_, n) => n).filter(() => random.int(0, 5) > 0);
  return {
    csv: `customer_id,phone,Allow_SMS,updated_at,note\n${lines.join('\n')}\n`,
    full: ndjson(
      ...present.map((n) => ({ customer_id: id(n), SMS_VALID: random.int(0, 1), attributes: { n } })),
    ),
  };
}

const GUARDS = { max_bad_share: 1, min_share: 0, max_clear_share: 1 };

beforeEach(async () => {
  for (const table of ['profiles', 'feeds', 'sync_runs', 'sync_chunks', 'sync_rejects']) {
    await env.DB.prepare(`DELETE FROM ${table}`).run();
  }
  const left = await env.FEEDS.list();
  if (left.objects.length > 0) await env.FEEDS.delete(left.objects.map(({ key }) => key));
});

function small(base: Runtime): Runtime {
  return { ...base, config: { ...base.config, syncChunkRows: 15, syncTickSubrequests: 25 } };
}

/** What must not differ: the table, and what the run says of itself. */
async function outcome(run: ShownRun): Promise<unknown> {
  const {
    rows_read,
    rows_written,
    rows_unchanged,
    rows_stale,
    rows_duplicate,
    rows_rejected,
    rows_cleared,
    errors,
  } = run;
  const counts = {
    rows_read,
    rows_written,
    rows_unchanged,
    rows_stale,
    rows_duplicate,
    rows_rejected,
    rows_cleared,
  };
  return { state: run.state, counts, errors, table: await profilesTable() };
}

/** Ticks until the run has ended. */
async function toTheEnd(feed: TestFeed, runtime: Runtime): Promise<ShownRun> {
  for (;;) {
    const [run] = await feed.tick(runtime);
    if (run.state !== 'running') return run;
  }
}

async function prepared(content: { csv: string; full: string }, mode: 'delta' | 'full'): Promise<TestFeed> {
  const feed = await makeFeed({ mode: 'delta', guards: GUARDS });
  await env.FEEDS.put(`${feed.prefix}1`, content.csv);
  if (mode === 'delta') return feed;
  const [run] = await feed.tick();
  expect(run).toMatchObject({ state: 'done' });
  await feed.configure({ mode: 'full', guards: GUARDS });
  await env.FEEDS.put(`${feed.prefix}2`, await gzip(content.full));
  return feed;
}

const attempts = async (runId: string): Promise<number> =>
  (await env.DB.prepare('SELECT attempts FROM sync_runs WHERE id = ?1')
    .bind(runId)
    .first<number>('attempts')) ?? 0;

describe('a run that is killed at 20 random moments', () => {
  it.each(['delta', 'full'] as const)('ends like an undisturbed one: %s', async (mode) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    const content = documents(random);
    // The time of the documents is the time of their upload, so they are uploaded once and read twice.
    const feed = await prepared(content, mode);
    await env.DB.prepare('CREATE TABLE profiles_before AS SELECT * FROM profiles').run();
    const run = await toTheEnd(feed, small(testRuntime()));
    const undisturbed = await outcome(run);
    expect(run).toMatchObject({ state: 'done' });
    expect(run.rows_duplicate + run.rows_cleared).toBeGreaterThan(50);

    await env.DB.prepare('DELETE FROM profiles').run();
    await env.DB.prepare('DELETE FROM sync_runs WHERE id = ?1').bind(run.id).run();
    await env.DB.prepare('DELETE FROM sync_rejects WHERE run_id = ?1').bind(run.id).run();
    await env.DB.prepare('INSERT INTO profiles SELECT * FROM profiles_before').run();
    await env.DB.prepare('DROP TABLE profiles_before').run();
    let kills = 0;
    let elapsed = 0;
    while (kills < 20) {
      const clock = testRuntime();
      clock.advance(elapsed);
      // Five times at one place, and a run is given up; so after three it is left alone until its tick is over.
      const life = (await attempts(run.id)) >= 3 ? Number.POSITIVE_INFINITY : random.int(3, 16);
      const { runtime, wasKilled } = mortal(small({ ...clock }), life, random.int(0, 1) === 1);
      await feed.tick(runtime).catch(() => undefined);
      if (wasKilled()) {
        kills++;
        elapsed += 121_000;
      } else if ((await shownRun(run.id)).state !== 'running') break;
    }
    expect(kills, `kills that met the run (seed ${seed})`).toBe(20);
    const clock = testRuntime();
    clock.advance(elapsed);
    const after = await toTheEnd(feed, small({ ...clock }));
    expect(after.id).toBe(run.id);
    expect(await outcome(after), `seed ${seed}`).toEqual(undisturbed);
    expect((await env.FEEDS.list({ prefix: '.optitext/' })).objects, 'leftovers').toEqual([]);
  });
});

describe('workers that overlap', () => {
  it('never work on one run at once, and nothing of it is done twice', async () => {
    const feed = await prepared(documents(seededRandom(7)), 'delta');
    const runs = (await Promise.all(Array.from({ length: 5 }, () => feed.tick(small(testRuntime()))))).flat();
    const ids = new Set(runs.map((run) => run.id));
    expect(ids.size).toBe(1);
    const [run] = runs;
    expect(run.rows_written + run.rows_unchanged + run.rows_stale).toBeLessThanOrEqual(run.rows_read);
  });

  it('one that lost its lease writes nothing any more', async () => {
    const feed = await prepared(documents(seededRandom(8)), 'delta');
    const clock = testRuntime();
    // The first worker is held up at its second chunk until another one has taken the run and ended it.
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let puts = 0;
    const slowFeeds = {
      list: env.FEEDS.list.bind(env.FEEDS),
      get: env.FEEDS.get.bind(env.FEEDS),
      delete: env.FEEDS.delete.bind(env.FEEDS),
      put: async (key: string, value: string) => {
        if (++puts === 2) await held;
        return await env.FEEDS.put(key, value);
      },
    } as unknown as R2Bucket;
    const slow = feed.tick(small({ ...clock, feeds: slowFeeds }));
    await vi.waitFor(() => expect(puts).toBe(2));
    clock.advance(121_000);
    const run = await toTheEnd(feed, small({ ...clock }));
    expect(run).toMatchObject({ state: 'done' });
    const table = await profilesTable();
    release();
    await slow;
    expect(await profilesTable()).toEqual(table);
    expect(await env.DB.prepare('SELECT state FROM sync_runs WHERE id = ?1').bind(run.id).first()).toEqual({
      state: 'done',
    });
  });

  it('a PUT between comparing and clearing of a full run is not cleared', async () => {
    const feed = await makeFeed({ mode: 'full', guards: GUARDS });
    await feed.import(ndjson({ customer_id: 'stays' }, { customer_id: 'absent', SMS_CONSENT: true }));
    await feed.put('2', ndjson({ customer_id: 'stays' }));
    const base = testRuntime();
    const db = {
      prepare: base.db.prepare.bind(base.db),
      batch: async (statements: D1PreparedStatement[]) => {
        const { n } = (await env.DB.prepare('SELECT sum(absent_chunks) AS n FROM sync_runs').first<{
          n: number;
        }>()) ?? { n: 0 };
        if (n > 0) await call('PUT', '/v1/profiles/absent', { SMS_CONSENT: false });
        return await base.db.batch(statements);
      },
    } as unknown as D1Database;
    expect(await feed.tick({ ...base, db })).toMatchObject([
      { state: 'done', rows_absent: 1, rows_cleared: 0 },
    ]);
    expect(await readProfile(env.DB, 'absent')).toMatchObject({ sms_consent: 0 });
  });

  it('a run during heavy ingest and PUTs: no update is lost, and every event is answered', async () => {
    const { trigger } = await putCampaign();
    const feed = await prepared(documents(seededRandom(9)), 'delta');
    const newer = new Date(Date.now() + 3_600_000).toISOString();
    const importing = toTheEnd(feed, small(testRuntime()));
    const puts = Array.from({ length: 60 }, (_, n) =>
      call('PUT', `/v1/profiles/${id(n * 15)}`, { SMS_CONSENT: n % 2 === 0, updated_at: newer }),
    );
    const events = Array.from({ length: 60 }, (_, n) =>
      call('POST', '/v1/events', goodEvent(trigger, { id: unique('e'), customer_id: id(n * 7) })),
    );
    expect(new Set((await Promise.all(puts)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set((await Promise.all(events)).map(({ status }) => status))).toEqual(new Set([202]));
    expect(await importing).toMatchObject({ state: 'done' });
    const { results } = await env.DB.prepare(
      'SELECT customer_id, sms_consent FROM profiles WHERE updated_at = ?1 ORDER BY 1',
    )
      .bind(Date.parse(newer))
      .all();
    expect(results).toEqual(
      Array.from({ length: 60 }, (_, n) => ({ customer_id: id(n * 15), sms_consent: n % 2 === 0 ? 1 : 0 })),
    );
  });
});
