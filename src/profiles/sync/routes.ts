/** `/v1/sync/runs`: imports of profile feeds, their progress, and starting, approving and ending them by hand. */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../../access/requires.ts';
import { queryInt } from '../../platform/http.ts';
import { readOptionalJson } from '../../platform/json.ts';
import { invalid, Problem } from '../../platform/problem.ts';
import type { Runtime } from '../../platform/runtime.ts';
import { parse } from '../../platform/validate.ts';
import { connectorOf } from '../feeds/connect.ts';
import { DEFAULT_FEED, type Feed } from '../feeds/feed.ts';
import { readFeed, type StoredFeed } from '../feeds/store.ts';
import { BrokenFeed } from '../formats/broken.ts';
import { cancelRun, importDocument, syncFeed, syncFeeds, workOn } from './engine.ts';
import { firstRejects, rejectsCsv } from './rejects.ts';
import { approveRun, listRuns, type Run, readRun } from './runs.ts';
import { runJson } from './view.ts';
import { Budget, newClaim } from './work.ts';

const fields = z.strictObject({
  feed: z.string('must be the id of a feed').optional(),
  object_key: z
    .string('must be a string')
    .min(1, 'must not be empty')
    .refine((key) => new TextEncoder().encode(key).length <= 1024, 'must have at most 1024 bytes')
    .optional(),
  again: z.boolean('must be true or false').default(false),
  dry_run: z.boolean('must be true or false').default(false),
});

/** Rejected rows shown with a run; the rest is in the file. */
const ERRORS_SHOWN = 100;

export const syncRoutes = new Hono<AccessEnv>();

syncRoutes.get('/runs', requires('read'), async (c) => {
  const limit = queryInt(c, 'limit', 50, 1, 200);
  const runs = await listRuns(c.var.runtime.db, limit, c.req.query('feed'));
  return c.json({ runs: runs.map(runJson) });
});

syncRoutes.get('/runs/:id', requires('read'), async (c) => {
  const { runtime } = c.var;
  return c.json(await whole(runtime, await runOf(runtime, c.req.param('id'))));
});

/** The rejected rows as a file: page, line, field, reason. */
syncRoutes.get('/runs/:id/rejected.csv', requires('read'), async (c) => {
  const { id } = await runOf(c.var.runtime, c.req.param('id'));
  return new Response(rejectsCsv(c.var.runtime.db, id), {
    headers: {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="rejected-${id}.csv"`,
      'cache-control': 'no-store',
    },
  });
});

/** Imports what is new now, without waiting for the tick, as far as one tick's budget goes. */
syncRoutes.post('/runs', requires('admin'), async (c) => {
  const { runtime } = c.var;
  const options = parse(fields, await readOptionalJson(c.req.raw));
  const ids = await start(runtime, options);
  const runs = await Promise.all(ids.map((id) => readRun(runtime.db, id)));
  return c.json({ runs: await Promise.all(runs.flatMap((run) => (run ? [whole(runtime, run)] : []))) });
});

/** A person says yes to a full feed that the guards refused. */
syncRoutes.post('/runs/:id/approve', requires('admin'), async (c) => {
  const { runtime } = c.var;
  const { id, state, feed_id } = await runOf(runtime, c.req.param('id'));
  const stored = await readFeed(runtime, feed_id);
  if (state !== 'refused' || !stored) {
    throw new Problem(409, 'Only a refused run waits for approval, and its feed must still be there.');
  }
  const run = await approveRun(runtime.db, id, newClaim(runtime));
  if (!run)
    throw new Problem(409, 'Another run of this feed is under way; approve this one when it has ended.');
  await workOn(runtime, stored.feed, run, new Budget(runtime));
  return c.json(await whole(runtime, await runOf(runtime, id)));
});

/** Ends a refused or running run. What it has written stays. */
syncRoutes.post('/runs/:id/cancel', requires('admin'), async (c) => {
  const { runtime } = c.var;
  const { id } = await runOf(runtime, c.req.param('id'));
  const run = await cancelRun(runtime, id, 'canceled', 'Canceled by hand.');
  if (!run) throw new Problem(409, 'This run has ended already.');
  return c.json(runJson(run));
});

type Start = z.output<typeof fields>;

async function start(runtime: Runtime, options: Start): Promise<string[]> {
  const { feed: id, object_key: key, again, dry_run: dryRun } = options;
  if (id === undefined && key === undefined && !again && !dryRun) return await syncFeeds(runtime);
  const stored = await readFeed(runtime, id ?? DEFAULT_FEED);
  if (!stored) throw invalid([{ path: 'feed', message: 'is not known; see GET /v1/feeds' }]);
  if (key === undefined && !again && !dryRun) {
    return await syncFeed(runtime, { ...stored, nextDueAt: 0 }, new Budget(runtime));
  }
  const ids: string[] = [];
  for (const document of await documentsOf(runtime, stored, key)) {
    const run = await importDocument(runtime, stored.feed, document, { again, dryRun });
    if (run !== null) ids.push(run);
  }
  return ids;
}

/** The document of that key, or the newest one. */
async function documentsOf(runtime: Runtime, { feed }: StoredFeed, key: string | undefined) {
  const documents = await listed(runtime, feed);
  if (key === undefined) return documents.slice(-1);
  const found = documents.filter((document) => document.key === key);
  if (found.length === 0) throw new Problem(404, 'There is no document with this key in the feed.');
  return found;
}

async function listed(runtime: Runtime, feed: Feed) {
  try {
    return await connectorOf(runtime, feed).list();
  } catch (error) {
    throw error instanceof BrokenFeed ? new Problem(409, error.message) : error;
  }
}

async function runOf(runtime: Runtime, id: string): Promise<Run> {
  const run = await readRun(runtime.db, id);
  if (!run) throw new Problem(404, 'There is no sync run with this id; see GET /v1/sync/runs.');
  return run;
}

async function whole(runtime: Runtime, run: Run): Promise<Record<string, unknown>> {
  return { ...runJson(run), errors: await firstRejects(runtime.db, run.id, ERRORS_SHOWN) };
}
