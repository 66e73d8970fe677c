import { env } from 'cloudflare:test';
import { expect, it } from 'vitest';
import { readFeed } from '../../../src/profiles/feeds/store.ts';
import { readProfile } from '../../../src/profiles/store.ts';
import { syncFeed } from '../../../src/profiles/sync/engine.ts';
import { Budget } from '../../../src/profiles/sync/work.ts';
import { call, testRuntime, unique } from '../../support.ts';
import { shownRun } from '../feed-support.ts';
import { fakeWorld } from './fake.ts';

/** A server that shows one document by address, tagged with what it says, and a feed that reads from it. */
async function servedFeed() {
  const id = unique('feed').toLowerCase();
  const documents = new Map<string, { tag: string; text: string }>();
  const { fetch } = fakeWorld(({ url, headers }) => {
    const document = documents.get(new URL(url).search);
    if (!document) return new Response(null, { status: 503 });
    const { tag, text } = document;
    if (headers.get('if-none-match') === tag) return new Response(null, { status: 304 });
    return new Response(text, { headers: { 'content-type': 'text/csv', etag: tag } });
  });
  return {
    serve: (query: string, tag: string, text: string) => void documents.set(query, { tag, text }),
    configure: async (query: string, fields: Record<string, unknown> = {}) =>
      await call('PUT', `/v1/feeds/${id}`, {
        kind: 'https',
        url: `https://cdp.example.com/c.csv${query}`,
        ...fields,
      }),
    async tick(day: number) {
      const runtime = testRuntime({ fetch });
      runtime.advance(day * 86_400_000);
      const feed = await readFeed(runtime, id);
      const ids = feed === null ? [] : await syncFeed(runtime, feed, new Budget(runtime));
      return await Promise.all(ids.map(shownRun));
    },
  };
}

it('A document that goes back to what it was is imported again, as often as it does', async () => {
  const feed = await servedFeed();
  const id = unique('c');
  await feed.configure('');
  for (const [day, consent] of ['false', 'true', 'false', 'true', 'false'].entries()) {
    feed.serve('', `"${consent}"`, `customer_id,SMS_CONSENT\n${id},${consent}\n`);
    expect(await feed.tick(day)).toMatchObject([{ state: 'done', rows_written: 1 }]);
    expect(await feed.tick(day)).toEqual([]);
  }
  expect((await readProfile(env.DB, id))?.sms_consent).toBe(0);
});

it('A feed that is led to another address reads what is there, though it carry the same tag', async () => {
  const feed = await servedFeed();
  const ids = [unique('c'), unique('c')];
  for (const [day, id] of ids.entries()) {
    feed.serve(`?list=${day}`, '"1"', `customer_id,SMS_CONSENT\n${id},true\n`);
    await feed.configure(`?list=${day}`);
    expect(await feed.tick(day)).toMatchObject([{ state: 'done', rows_written: 1 }]);
  }
});

it('A server that fails when the schedule comes is asked again in ten minutes, not the next day', async () => {
  const feed = await servedFeed();
  await feed.configure('', { schedule: { cron: '30 4 * * *' } });
  expect(await feed.tick(1)).toMatchObject([
    { state: 'failed', detail: expect.stringContaining('HTTP 503'), attempts: 1 },
  ]);
  feed.serve('', '"1"', `customer_id\n${unique('c')}\n`);
  const minute = 1 / 1440;
  expect(await feed.tick(1 + 8 * minute)).toEqual([]);
  expect(await feed.tick(1 + 11 * minute)).toMatchObject([{ state: 'done' }]);
});

it('An import that is asked for by hand says why the feed could not be asked', async () => {
  const id = unique('feed').toLowerCase();
  await call('PUT', `/v1/feeds/${id}`, {
    kind: 's3',
    endpoint: 'https://s3.example.com',
    region: 'auto',
    bucket: 'exports',
    access_key_id: 'FEED_NOT_SET',
    secret_access_key: 'FEED_NOT_SET',
  });
  const { status, body } = await call('POST', '/v1/sync/runs', { feed: id });
  expect(status).toBe(200);
  expect(body.runs).toMatchObject([{ state: 'failed', detail: expect.stringContaining('FEED_NOT_SET') }]);
});

it('An outage of half an hour in the middle of an import is waited out', async () => {
  const feed = await servedFeed();
  await feed.configure('', { pages: { by: 'link' }, schedule: { cron: '30 4 * * *' } });
  const minute = 1 / 1440;
  for (let at = 0; at < 30; at++) {
    for (const run of await feed.tick(1 + at * minute)) {
      expect(run).toMatchObject({ state: 'running', detail: expect.stringContaining('HTTP 503') });
    }
  }
  feed.serve('', '"1"', `customer_id\n${unique('c')}\n`);
  const runs = [];
  for (let at = 30; at < 70; at += 5) runs.push(...(await feed.tick(1 + at * minute)));
  expect(runs).toMatchObject([{ state: 'done', rows_written: 1 }]);
});

it('A source that stays away is given up after five attempts, so that newer documents get their turn', async () => {
  const feed = await servedFeed();
  await feed.configure('', { pages: { by: 'link' }, schedule: { cron: '30 4 * * *' } });
  const runs = [];
  for (let at = 0; at < 50; at++) runs.push(...(await feed.tick(1 + at / 1440)));
  expect(runs.map(({ state }) => state)).toEqual(['running', 'running', 'running', 'running', 'failed']);
  expect(runs.at(-1).detail).toMatch(/interrupted 5 times at one place; import it again.*HTTP 503/);
});
