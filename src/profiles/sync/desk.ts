/** What pushing a document needs of the engine: where documents wait, and a run that begins at once. */

import { newId } from '../../platform/ids.ts';
import type { Runtime } from '../../platform/runtime.ts';
import type { FeedDocument } from '../feeds/connector.ts';
import { pushPrefix } from '../feeds/feed.ts';
import { readFeed } from '../feeds/store.ts';
import { runIdOf, workOn } from './engine.ts';
import { readRun, startRun } from './runs.ts';
import { runJson } from './view.ts';
import { Budget, newClaim } from './work.ts';

export interface PushedDocument {
  readonly feedId: string;
  readonly document: FeedDocument;
  /** A new run, though these bytes have one. */
  readonly again: boolean;
  readonly dryRun: boolean;
}

/** What became of a pushed document. */
export interface ImportStart {
  readonly id: string;
  /** The run as the API shows it; null: it waits, because another run of its feed is under way. */
  readonly run: Readonly<Record<string, unknown>> | null;
  /** The same bytes were pushed before, and this is their run. */
  readonly duplicate: boolean;
}

export const importDesk = {
  /** Below which prefix documents that are pushed to this feed wait for the ticks; null: there is no such push feed. */
  async prefixOf(runtime: Runtime, feedId: string): Promise<string | null> {
    const stored = await readFeed(runtime, feedId);
    return stored?.feed.kind === 'push' && stored.feed.enabled ? pushPrefix(feedId) : null;
  },

  /** Begins the run, works on it in the background as far as one tick's budget goes, and leaves the rest to the ticks. */
  async startImport(runtime: Runtime, pushed: PushedDocument): Promise<ImportStart> {
    const stored = await readFeed(runtime, pushed.feedId);
    if (!stored) throw new Error('the push feed was deleted in between');
    const { feed } = stored;
    const { document, again, dryRun } = pushed;
    const id = again || dryRun ? newId('run') : await runIdOf(feed, document);
    const run = await startRun(runtime.db, id, feed, document, dryRun, newClaim(runtime));
    if (run) {
      runtime.background(workOn(runtime, feed, run, new Budget(runtime)));
      return { id, run: runJson(run), duplicate: false };
    }
    const known = await readRun(runtime.db, id);
    return { id, run: known && runJson(known), duplicate: known !== null };
  },
};
