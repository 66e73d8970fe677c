/** `/v1/sync/runs`: imports of profile feeds, their progress, and starting one by hand. */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import { queryInt } from '../platform/http.ts';
import { readOptionalJson } from '../platform/json.ts';
import { Problem } from '../platform/problem.ts';
import { parse } from '../platform/validate.ts';
import { syncFeeds } from './sync.ts';
import { listRuns, readRun } from './sync-runs.ts';

const fields = z.strictObject({
  object_key: z
    .string('must be a string')
    .min(1, 'must not be empty')
    .refine((key) => new TextEncoder().encode(key).length <= 1024, 'must have at most 1024 bytes')
    .optional(),
  again: z.boolean('must be true or false').optional(),
});

export const syncRoutes = new Hono<AccessEnv>();

syncRoutes.get('/runs', requires('read'), async (c) => {
  const limit = queryInt(c, 'limit', 50, 1, 200);
  return c.json({ runs: await listRuns(c.var.runtime.db, limit) });
});

syncRoutes.get('/runs/:id', requires('read'), async (c) => {
  const run = await readRun(c.var.runtime.db, c.req.param('id'));
  if (!run) throw new Problem(404, 'There is no sync run with this id; see GET /v1/sync/runs.');
  return c.json(run);
});

/** Imports what is new now, without waiting for the cron run. */
syncRoutes.post('/runs', requires('admin'), async (c) => {
  const { runtime } = c.var;
  const { object_key, again } = parse(fields, await readOptionalJson(c.req.raw));
  if (object_key !== undefined && !(await runtime.feeds.head(object_key))) {
    throw new Problem(404, 'There is no object with this key in the feed bucket.');
  }
  const ids = await syncFeeds(runtime, { objectKey: object_key, again });
  const runs = await Promise.all(ids.map((id) => readRun(runtime.db, id)));
  return c.json({ runs: runs.filter((run) => run !== null) });
});
