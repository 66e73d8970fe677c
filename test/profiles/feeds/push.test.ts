import { env } from 'cloudflare:test';
import { Hono } from 'hono';
import { beforeEach, describe, expect, it } from 'vitest';
import type { AccessEnv } from '../../../src/access/requires.ts';
import { Problem } from '../../../src/platform/problem.ts';
import { type PushedDocument, pushRoutes } from '../../../src/profiles/feeds/push.ts';
import { removePushed, sweepIncoming } from '../../../src/profiles/feeds/push-store.ts';
import { DEMO_KEY, type TestRuntime, testRuntime } from '../../support.ts';

const MIB = 1024 * 1024;
const CSV = 'customer_id,phone\nc-1,+14155550123\n';
const MAX = 20 * MIB;

let started: PushedDocument[];
let isBusy: boolean;
let runtime: TestRuntime;
const base = testRuntime();

beforeEach(async () => {
  started = [];
  isBusy = false;
  runtime = testRuntime({ config: { ...base.config, pushMaxBytes: MAX } });
  for (const key of await keys()) await env.FEEDS.delete(key);
});

async function keys(): Promise<string[]> {
  return (await env.FEEDS.list()).objects.map(({ key }) => key);
}

/** The route with an engine that only notes what it was given. */
async function push(
  body: BodyInit | null,
  { query = '', headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const app = new Hono<AccessEnv>();
  app.use(async (c, next) => {
    c.set('runtime', runtime);
    await next();
  });
  app.onError((error) =>
    error instanceof Problem ? error.toResponse('req_1') : new Response(String(error), { status: 500 }),
  );
  app.route(
    '/v1/profiles',
    pushRoutes({
      prefixOf: async (_, id) => (id === 'push' ? 'pushed/' : null),
      startImport: async (_, pushed) => {
        started.push(pushed);
        const id = `run_${pushed.document.version}`;
        return { id, run: isBusy ? null : { id, state: 'running' }, duplicate: false };
      },
    }),
  );
  const response = await app.request(`/v1/profiles/import${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${DEMO_KEY}`, 'content-type': 'text/csv', ...headers },
    body,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** A stream of no declared length: so many bytes in chunks of an odd size. */
function stream(bytes: number, seed = 1, failAt = Number.POSITIVE_INFINITY): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent >= failAt) return controller.error(new Error('reset'));
      const size = Math.min(700_001, bytes - sent);
      if (size === 0) return controller.close();
      controller.enqueue(new Uint8Array(size).fill((seed + sent) % 251));
      sent += size;
    },
  });
}

describe('a push', () => {
  it('is stored, begins a run, and says where to follow it', async () => {
    const answer = await push(CSV);
    expect(answer.status).toBe(202);
    const [pushed] = started;
    expect(pushed).toMatchObject({ feedId: 'push', again: false, dryRun: false });
    expect(pushed?.document).toMatchObject({
      key: expect.stringMatching(/^pushed\/[0-9a-f]{64}$/),
      sizeBytes: CSV.length,
    });
    expect(answer.body).toEqual({
      id: `run_${pushed?.document.version}`,
      state: 'running',
      duplicate: false,
    });
    expect(answer.headers.get('location')).toBe(`/v1/sync/runs/${answer.body.id}`);
    const object = await env.FEEDS.get(pushed?.document.key ?? '', {
      onlyIf: { etagMatches: pushed?.document.version ?? '' },
    });
    expect(object && 'text' in object && (await object.text())).toBe(CSV);
  });

  it.each([
    ['exactly one part', 5 * MIB],
    ['a byte more', 5 * MIB + 1],
    ['several parts', 10 * MIB + 345],
  ])('of %s without a length arrives whole, twice as one object', { timeout: 60_000 }, async (_, size) => {
    expect((await push(stream(size))).status).toBe(202);
    const [first] = started;
    const object = await env.FEEDS.get(first?.document.key ?? '');
    const expected = new Uint8Array(await new Response(stream(size)).arrayBuffer());
    const stored = new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(0));
    expect(stored.byteLength).toBe(size);
    expect(Buffer.compare(stored, expected)).toBe(0);

    await push(stream(size));
    expect(started[1]?.document).toEqual(first?.document);
    await push(stream(size, 2));
    expect(started[2]?.document.key).not.toBe(first?.document.key);
    expect((await keys()).sort()).toEqual([first?.document.key ?? '', started[2]?.document.key ?? ''].sort());
  });

  it('of the same bytes is one document', async () => {
    await push(CSV);
    await push(CSV);
    expect(started[1]).toEqual(started[0]);
    expect(await keys()).toHaveLength(1);
  });

  it.each(['again', 'dry_run'])('with %s has a document of its own, where no tick looks', async (option) => {
    await push(CSV, { query: `?${option}=true` });
    await push(CSV, { query: `?${option}=true` });
    const [first, second] = started;
    expect(first).toMatchObject({ again: option === 'again', dryRun: option === 'dry_run' });
    expect(first?.document.key).toMatch(/^\.optitext\/incoming\//);
    expect(second?.document.key).not.toBe(first?.document.key);
  });

  it('waits its turn while another import of the feed is under way', async () => {
    isBusy = true;
    const answer = await push(CSV);
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({
      state: 'queued',
      detail: expect.stringContaining('begins when it has ended'),
    });
  });

  it.each([
    'text/csv; charset=utf-8',
    'application/x-ndjson',
    'application/gzip',
    'application/octet-stream',
    'TEXT/CSV',
  ])('may be %s', async (type) => {
    expect((await push(CSV, { headers: { 'content-type': type } })).status).toBe(202);
  });
});

describe('a push is refused, and leaves nothing behind,', () => {
  const cases: [string, () => BodyInit | null, Parameters<typeof push>[1], number, RegExp][] = [
    [
      'of another type',
      () => CSV,
      { headers: { 'content-type': 'application/json' } },
      415,
      /text\/csv.*--data-binary @FILE/,
    ],
    [
      'from a form',
      () => CSV,
      { headers: { 'content-type': 'multipart/form-data; boundary=x' } },
      415,
      /--data-binary/,
    ],
    ['packed otherwise', () => CSV, { headers: { 'content-encoding': 'br' } }, 415, /gzip, or not at all/],
    ['that is empty', () => '', undefined, 422, /is empty/],
    ['without a body', () => null, undefined, 422, /is empty/],
    [
      'that says that it is too large',
      () => CSV,
      { headers: { 'content-length': String(MAX + 1) } },
      413,
      /larger than 20971520 bytes/,
    ],
    ['that turns out too large', () => stream(MAX + 1), undefined, 413, /larger than 20971520 bytes/],
    ['that breaks off at once', () => stream(3 * MIB, 1, MIB), undefined, 400, /broke off before its end/],
    ['that breaks off later', () => stream(MAX, 1, 13 * MIB), undefined, 400, /broke off before its end/],
    ['for a feed that is none', () => CSV, { query: '?feed=other' }, 404, /no push feed/],
    ['with an unknown option', () => CSV, { query: '?dryrun=true' }, 422, /dryrun is not a known field/],
    ['with an odd flag', () => CSV, { query: '?dry_run=yes' }, 422, /dry_run must be true or false/],
    ['without a key', () => CSV, { headers: { authorization: '' } }, 401, /authorization/],
  ];
  it.each(cases)('%s', async (_, body, options, status, words) => {
    const answer = await push(body(), options);
    expect(answer.status).toBe(status);
    expect(answer.body.detail).toMatch(words);
    expect(started).toEqual([]);
    expect(await keys()).toEqual([]);
  });
});

it('uploads that were never taken are removed after a day, and no younger ones', async () => {
  await env.FEEDS.put('.optitext/incoming/x', 'x');
  await env.FEEDS.put('pushed/y', 'y');
  const now = Date.now();
  await sweepIncoming(env.FEEDS, now);
  expect(await keys()).toHaveLength(2);
  await sweepIncoming(env.FEEDS, now + 90_000_000);
  expect(await keys()).toEqual(['pushed/y']);
});

it('a document is removed after its run, and never one of another feed', async () => {
  for (const key of ['.optitext/push/push/a', '.optitext/incoming/u/b', 'profiles/c.csv']) {
    await env.FEEDS.put(key, 'x');
    await removePushed(env.FEEDS, key);
  }
  expect(await keys()).toEqual(['profiles/c.csv']);
});
