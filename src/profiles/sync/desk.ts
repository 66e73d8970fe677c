/** What a push needs of the engine: where its documents lie, and their runs. */
import { newId } from '../../platform/ids.ts';
import { Problem } from '../../platform/problem.ts';
import type { Runtime } from '../../platform/runtime.ts';
import { type Feed, pushPrefix } from '../feeds/feed.ts';
import type { ImportDesk } from '../feeds/push.ts';
import { removePushed } from '../feeds/push-store.ts';
import { readFeed } from '../feeds/store.ts';
import { runIdOf, workOn } from './engine.ts';
import { type Run, readRun, startRun } from './runs.ts';
import { runJson } from './view.ts';
import { Budget, newClaim } from './work.ts';

export const importDesk: ImportDesk = {
  async prefixOf(runtime, feedId) {
    const feed = await pushFeed(runtime, feedId);
    return feed && pushPrefix(feed.id);
  },

  async startImport(runtime, { feedId, document, again, dryRun }) {
    const feed = await pushFeed(runtime, feedId);
    if (!feed) throw new Problem(404, 'There is no push feed with this id; see GET /v1/feeds.');
    const id = again || dryRun ? newId('run') : await runIdOf(feed, document);
    const run = await startRun(runtime.db, id, feed, document, dryRun, newClaim(runtime));
    if (run) {
      runtime.background(workOn(runtime, feed, run, new Budget(runtime)));
      return { id, run: runJson(run), duplicate: false };
    }
    const known = await readRun(runtime.db, id);
    if (known) {
      await removeTaken(runtime, known);
      return { id, run: runJson(known), duplicate: true };
    }
    if (again || dryRun) {
      await removePushed(runtime.feeds, document.key);
      throw new Problem(
        409,
        'Another import of this feed is under way; send this one again when it has ended.',
        {
          headers: { 'retry-after': '10' },
        },
      );
    }
    return { id, run: null, duplicate: false };
  },
};

/** Removes a pushed document that its run needs no more: it holds personal data, and what it said is in the profiles. */
async function removeTaken(runtime: Runtime, run: Run): Promise<void> {
  if (run.state !== 'running') await removePushed(runtime.feeds, run.document_key);
}

async function pushFeed(runtime: Runtime, feedId: string): Promise<Feed | null> {
  const stored = await readFeed(runtime, feedId);
  return stored?.feed.kind === 'push' && stored.feed.enabled ? stored.feed : null;
}
