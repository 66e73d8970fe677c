/** `/v1/feeds`: where profiles come from. */
import { Hono } from 'hono';
import { type AccessEnv, requires } from '../../access/requires.ts';
import { readJson } from '../../platform/json.ts';
import { invalid, Problem } from '../../platform/problem.ts';
import type { Runtime } from '../../platform/runtime.ts';
import { parse } from '../../platform/validate.ts';
import { cancelRun } from '../sync/engine.ts';
import { openRunsOf } from '../sync/runs.ts';
import { type FeedSettings, feedFields, feedId } from './feed.ts';
import { addressProblems } from './https-fields.ts';
import { feedJson, listFeeds, putFeed, readFeed, removeFeed } from './store.ts';

export const feedRoutes = new Hono<AccessEnv>();

feedRoutes.get('/', requires('read'), async (c) =>
  c.json({ feeds: (await listFeeds(c.var.runtime)).map(feedJson) }),
);

feedRoutes.get('/:id', requires('read'), async (c) => {
  const stored = await readFeed(c.var.runtime, c.req.param('id'));
  if (!stored) throw noFeed();
  return c.json(feedJson(stored));
});

feedRoutes.put('/:id', requires('admin'), async (c) => {
  const { runtime } = c.var;
  const id = c.req.param('id');
  const checked = feedId.safeParse(id);
  if (!checked.success)
    throw invalid([{ path: 'id', message: checked.error.issues[0]?.message ?? 'is not valid' }]);
  const settings = parse(feedFields, await readJson(c.req.raw));
  refuseAddress(runtime, settings);
  await refuseSecondFull(runtime, id, settings);
  await putFeed(runtime, id, settings);
  const stored = await readFeed(runtime, id);
  return c.json(stored && feedJson(stored));
});

feedRoutes.delete('/:id', requires('admin'), async (c) => {
  const { runtime } = c.var;
  const id = c.req.param('id');
  if (!(await removeFeed(runtime, id))) throw noFeed();
  for (const run of await openRunsOf(runtime.db, id)) {
    await cancelRun(runtime, run, 'canceled', 'Its feed was deleted.');
  }
  return c.body(null, 204);
});

/** Each of two full feeds would clear the customers of the other, every time. */
async function refuseSecondFull(runtime: Runtime, id: string, settings: FeedSettings): Promise<void> {
  if (settings.mode !== 'full' || !settings.enabled) return;
  const other = (await listFeeds(runtime)).find(
    ({ feed }) => feed.id !== id && feed.enabled && feed.mode === 'full',
  );
  if (!other) return;
  throw new Problem(
    409,
    `The feed "${other.feed.id}" is full already, and each would clear the other's customers. Make one of them "delta", or disable it.`,
  );
}

/** An address that no run could ask is told at once. */
function refuseAddress(runtime: Runtime, settings: FeedSettings): void {
  const problems =
    settings.kind === 'https'
      ? addressProblems(runtime, 'url', settings.url, settings.ports)
      : settings.kind === 's3'
        ? addressProblems(runtime, 'endpoint', settings.endpoint, settings.ports)
        : [];
  if (problems.length > 0) throw invalid(problems);
}

function noFeed(): Problem {
  return new Problem(404, 'There is no feed with this id; see GET /v1/feeds.');
}
