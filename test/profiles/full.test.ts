/** Full feeds: who is not in one is cleared, unless the feed is not to be believed. */
import { env } from 'cloudflare:test';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { readProfile } from '../../src/profiles/store.ts';
import { call, testRuntime } from '../support.ts';
import { makeFeed, ndjson, profilesTable } from './feed-support.ts';

vi.setConfig({ testTimeout: 60_000 });

beforeEach(async () => {
  await env.DB.prepare('DELETE FROM profiles').run();
  await env.DB.prepare('DELETE FROM feeds').run();
});

const customers = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => ({
    customer_id: `c-${String(from + n).padStart(6, '0')}`,
    SMS_CONSENT: true,
    first_name: 'Ada',
  }));
const CLEARED = { mobile_number: null, e164: null, sms_consent: null, sms_valid: null, attributes: '{}' };

describe('a full feed', () => {
  it('clears who is not in it, in the same run, and says so', async () => {
    const feed = await makeFeed({ mode: 'full' });
    await feed.import(ndjson(...customers(10)));
    const run = await feed.import(ndjson(...customers(9)));
    expect(run).toMatchObject({
      state: 'done',
      rows_unchanged: 9,
      rows_written: 0,
      rows_absent: 1,
      rows_cleared: 1,
    });
    expect(await readProfile(env.DB, 'c-000009')).toMatchObject(CLEARED);
    expect(await readProfile(env.DB, 'c-000008')).toMatchObject({ sms_consent: 1 });
  });

  it('clears also who came otherwise, and once', async () => {
    await call('PUT', '/v1/profiles/by-hand', { SMS_CONSENT: true });
    const feed = await makeFeed({ mode: 'full' });
    await new Promise((resume) => setTimeout(resume, 5));
    expect(await feed.import(ndjson(...customers(3)))).toMatchObject({ rows_cleared: 1 });
    expect(await feed.import(ndjson(...customers(3)))).toMatchObject({ rows_cleared: 0, rows_absent: 0 });
  });

  it('does not clear what is newer than itself, and what it cleared stays so against older rows', async () => {
    const feed = await makeFeed({ mode: 'full' });
    await feed.import(ndjson(...customers(10)));
    const key = await feed.put('2.ndjson', ndjson(...customers(8)));
    await new Promise((resume) => setTimeout(resume, 5));
    await call('PUT', '/v1/profiles/c-000009', { SMS_CONSENT: false });
    await feed.tick();
    expect(await readProfile(env.DB, 'c-000009')).toMatchObject({ sms_consent: 0 });
    expect(await readProfile(env.DB, 'c-000008')).toMatchObject(CLEARED);
    const time = (await env.FEEDS.head(key))?.uploaded.getTime() ?? 0;
    const delta = await makeFeed();
    const old = { customer_id: 'c-000008', SMS_CONSENT: true, updated_at: new Date(time - 1).toISOString() };
    expect(await delta.import(ndjson(old))).toMatchObject({ rows_stale: 1 });
    expect(await readProfile(env.DB, 'c-000008')).toMatchObject(CLEARED);
  });

  it('never touches an opt-out', async () => {
    const number = '+14155550177';
    await call('PUT', `/v1/suppressions/${encodeURIComponent(number)}`, {});
    const feed = await makeFeed({ mode: 'full' });
    await feed.import(ndjson({ customer_id: 'c-1', MOBILE_NUMBER: number, SMS_CONSENT: true }));
    expect((await call('GET', `/v1/suppressions/${encodeURIComponent(number)}`)).status).toBe(200);
  });

  it('of which several are there counts by its newest, which states all', async () => {
    const feed = await makeFeed({ mode: 'full' });
    await feed.put('1.ndjson', ndjson(...customers(10)));
    await new Promise((resume) => setTimeout(resume, 5));
    await feed.put('2.ndjson', ndjson(...customers(9)));
    expect(await feed.tick()).toMatchObject([{ document: `${feed.prefix}2.ndjson`, rows_written: 9 }]);
    const { body } = await call('GET', `/v1/sync/runs?feed=${feed.id}`);
    expect(body.runs.map((run: { state: string }) => run.state).sort()).toEqual(['done', 'superseded']);
    expect(await feed.tick()).toEqual([]);
  });

  it('that unchanged is read again writes no profile', async () => {
    const feed = await makeFeed({ mode: 'full' });
    await feed.import(ndjson(...customers(6_000)));
    const before = await env.DB.prepare('SELECT * FROM profiles ORDER BY customer_id').all();
    expect(await feed.import(ndjson(...customers(6_000)))).toMatchObject({
      rows_unchanged: 6_000,
      rows_written: 0,
    });
    expect((await env.DB.prepare('SELECT * FROM profiles ORDER BY customer_id').all()).results).toEqual(
      before.results,
    );
  });

  it('cannot be configured beside another one: each would clear the other’s customers', async () => {
    await makeFeed({ mode: 'full' });
    const answer = await call('PUT', '/v1/feeds/second', { kind: 'r2', prefix: 'x/', mode: 'full' });
    expect(answer.status).toBe(409);
    expect(answer.body.detail).toContain('is full already');
    expect((await call('PUT', '/v1/feeds/second', { kind: 'r2', prefix: 'x/' })).status).toBe(200);
  });
});

describe('a full feed that is suspiciously small', () => {
  it('is refused, changes nothing, and is applied when a person says yes', async () => {
    const feed = await makeFeed({ mode: 'full' });
    await feed.import(ndjson(...customers(10)));
    const before = await profilesTable();
    const run = await feed.import(ndjson(...customers(7)));
    expect(run).toMatchObject({
      state: 'refused',
      detail: expect.stringContaining('7 rows, less than 80 % of the 10'),
    });
    expect(await profilesTable()).toEqual(before);
    expect(await feed.tick()).toEqual([]);
    const approved = await call('POST', `/v1/sync/runs/${run.id}/approve`);
    expect(approved.body).toMatchObject({ state: 'done', approved: true, rows_cleared: 3 });
    expect(await readProfile(env.DB, 'c-000009')).toMatchObject(CLEARED);
    expect((await call('POST', `/v1/sync/runs/${run.id}/approve`)).status).toBe(409);
    expect((await env.FEEDS.list({ prefix: '.optitext/' })).objects).toEqual([]);
  });

  it('is measured against the last one that was believed, not against refused ones', async () => {
    const feed = await makeFeed({ mode: 'full' });
    await feed.import(ndjson(...customers(100)));
    for (const count of [70, 60, 50]) {
      expect(await feed.import(ndjson(...customers(count)))).toMatchObject({ state: 'refused' });
    }
    expect(await feed.import(ndjson(...customers(80)))).toMatchObject({ state: 'done', rows_cleared: 20 });
    const { body } = await call('GET', `/v1/sync/runs?feed=${feed.id}`);
    const states = body.runs.map((run: { state: string }) => run.state).sort();
    expect(states).toEqual(['done', 'done', 'superseded', 'superseded', 'superseded']);
    expect((await env.FEEDS.list({ prefix: '.optitext/' })).objects).toEqual([]);
  });

  it('is refused also where it would clear most customers, whatever its history', async () => {
    const delta = await makeFeed();
    await delta.import(ndjson(...customers(400)));
    await new Promise((resume) => setTimeout(resume, 5));
    const feed = await makeFeed({ mode: 'full' });
    expect(await feed.import(ndjson(...customers(100)))).toMatchObject({
      state: 'refused',
      detail: expect.stringContaining('would clear 300 of 400 customers'),
    });
  });

  it('can be canceled', async () => {
    const feed = await makeFeed({ mode: 'full' });
    await feed.import(ndjson(...customers(10)));
    const run = await feed.import(ndjson(...customers(2)));
    expect((await call('POST', `/v1/sync/runs/${run.id}/cancel`)).body).toMatchObject({ state: 'canceled' });
    expect((await call('POST', `/v1/sync/runs/${run.id}/cancel`)).status).toBe(409);
    expect((await env.FEEDS.list({ prefix: `.optitext/staged/${run.id}/` })).objects).toEqual([]);
  });
});

describe('a dry run', () => {
  it('counts and rejects, writes no profile, and does not stand for the import', async () => {
    const feed = await makeFeed({ mode: 'full', guards: { max_bad_share: 0.5 } });
    await feed.import(ndjson(...customers(10)));
    const before = await profilesTable();
    const key = await feed.put(
      'next.ndjson',
      ndjson({ customer_id: 'new', SMS_CONSENT: true }, ...customers(8), {
        customer_id: 'bad',
        SMS_CONSENT: 'hm',
      }),
    );
    const start = { feed: feed.id, object_key: key, dry_run: true };
    const { body } = await call('POST', '/v1/sync/runs', start);
    expect(body.runs).toMatchObject([
      {
        dry_run: true,
        state: 'done',
        rows_read: 10,
        rows_written: 1,
        rows_unchanged: 8,
        rows_rejected: 1,
        rows_absent: 2,
        rows_cleared: 0,
      },
    ]);
    expect(await profilesTable()).toEqual(before);
    expect(await feed.tick()).toMatchObject([{ state: 'done', rows_written: 1, rows_cleared: 2 }]);
  });
});

describe('a full feed of many customers', () => {
  it('is compared and cleared over many ticks with the same result', async () => {
    const feed = await makeFeed({ mode: 'full', guards: { min_share: 0, max_clear_share: 1 } });
    await feed.import(ndjson(...customers(12_000)));
    const base = testRuntime();
    const slow = { ...base, config: { ...base.config, syncTickSubrequests: 1, syncChunkRows: 1_000 } };
    await feed.put('2.ndjson', ndjson(...customers(5_000, 6_000)));
    let ticks = 0;
    let run: { state: string } | undefined;
    do {
      [run] = await feed.tick(slow);
      ticks++;
    } while (run?.state === 'running');
    expect(run).toMatchObject({ state: 'done', rows_unchanged: 5_000, rows_cleared: 7_000 });
    expect(ticks).toBeGreaterThan(15);
    const { results } = await env.DB.prepare(
      'SELECT count(*) AS n, min(customer_id) AS first, max(customer_id) AS last FROM profiles WHERE sms_consent = 1',
    ).all();
    expect(results).toEqual([{ n: 5_000, first: 'c-006000', last: 'c-010999' }]);
  });
});
