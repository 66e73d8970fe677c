/** What tests of profile feeds share: feeds of their own, so that no test meets another one's documents. */
import { env } from 'cloudflare:test';
import type { Runtime } from '../../src/platform/runtime.ts';
import { type Feed, feedFields } from '../../src/profiles/feeds/feed.ts';
import { putFeed, readFeed } from '../../src/profiles/feeds/store.ts';
import { syncFeed } from '../../src/profiles/sync/engine.ts';
import { firstRejects } from '../../src/profiles/sync/rejects.ts';
import { readRun } from '../../src/profiles/sync/runs.ts';
import { runJson } from '../../src/profiles/sync/view.ts';
import { Budget } from '../../src/profiles/sync/work.ts';
import { testRuntime, unique } from '../support.ts';

/** A run as the API shows it, with the first rejected rows. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into runs of every shape
export type ShownRun = any;

export async function shownRun(id: string): Promise<ShownRun> {
  const run = await readRun(env.DB, id);
  return run && { ...runJson(run), errors: await firstRejects(env.DB, id, 100) };
}

export interface TestFeed {
  readonly id: string;
  readonly prefix: string;
  /** Stores an object in the feed. */
  put(name: string, content: string | Uint8Array): Promise<string>;
  /** One tick of this feed alone. */
  tick(runtime?: Runtime): Promise<ShownRun[]>;
  /** Puts a document and imports it. */
  import(content: string | Uint8Array, name?: string): Promise<ShownRun>;
  configure(settings: Record<string, unknown>): Promise<void>;
  feed(): Promise<Feed>;
}

export async function makeFeed(settings: Record<string, unknown> = {}): Promise<TestFeed> {
  const id = unique('feed').toLowerCase();
  const prefix = `${id}/`;
  const configure = async (changes: Record<string, unknown>): Promise<void> =>
    await putFeed(testRuntime(), id, feedFields.parse({ kind: 'r2', prefix, ...changes }));
  await configure(settings);
  const stored = async () => {
    const found = await readFeed(testRuntime(), id);
    if (!found) throw new Error(`no feed ${id}`);
    return found;
  };
  let serial = 0;
  const put = async (name: string, content: string | Uint8Array): Promise<string> => {
    const key = `${prefix}${name}`;
    await env.FEEDS.put(key, content);
    return key;
  };
  const tick = async (runtime: Runtime = testRuntime()): Promise<ShownRun[]> => {
    const ids = await syncFeed(runtime, await stored(), new Budget(runtime));
    return await Promise.all(ids.map(shownRun));
  };
  return {
    id,
    prefix,
    put,
    tick,
    configure,
    feed: async () => (await stored()).feed,
    import: async (content, name) => {
      await put(name ?? `${++serial}.txt`, content);
      return (await tick())[0];
    },
  };
}

export async function gzip(content: string | Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The profiles table as it is, but for the times of writing. */
export async function profilesTable(): Promise<unknown[]> {
  const { results } = await env.DB.prepare(
    'SELECT customer_id, mobile_number, e164, sms_consent, sms_valid, attributes, updated_at FROM profiles ORDER BY customer_id',
  ).all();
  return results;
}

/** An NDJSON document. */
export function ndjson(...rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
