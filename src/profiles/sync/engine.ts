/**
 * Batch sync: documents of profile feeds become profiles.
 *
 * A run reads the whole document into staged chunks, judges it, and only then writes, one chunk a transaction. All it knows is
 * in its row, so a run that used up its tick, or whose worker died, goes on from there and ends as if nothing had been.
 */
import { derivedId, newId } from '../../platform/ids.ts';
import { errorText, log } from '../../platform/log.ts';
import type { Runtime } from '../../platform/runtime.ts';
import { connectorOf } from '../feeds/connect.ts';
import type { FeedDocument } from '../feeds/connector.ts';
import type { Feed } from '../feeds/feed.ts';
import { InterruptedFeed } from '../feeds/interrupted.ts';
import { removePushed } from '../feeds/push-store.ts';
import { nextRun } from '../feeds/schedule.ts';
import { listFeeds, type StoredFeed, setNextDue } from '../feeds/store.ts';
import { BrokenFeed } from '../formats/broken.ts';
import { compareAll } from './compare.ts';
import { judge } from './guards.ts';
import { readDocument } from './read.ts';
import {
  endRun,
  forgottenRuns,
  knownRuns,
  lastGoodRows,
  lastReadOf,
  type Run,
  recordRun,
  refusedRunsOf,
  resumeRun,
  startRun,
} from './runs.ts';
import { removeStaged } from './staging.ts';
import { Budget, LostClaim, newClaim, Work } from './work.ts';
import { clearAbsent, writeChunks } from './write.ts';

/** A run that ends its worker each time must not keep newer documents waiting for ever. */
const MAX_ATTEMPTS = 5;
/** After an error that nobody foresaw, such as a database that can't be reached. */
const PAUSE_MS = 10_000;

/** A source that could not be asked is not left alone until its schedule comes again: the night's feed would be lost. */
const LOOK_AGAIN_MS = 600_000;

/** Nobody decided about a refused run for so long; what it has staged is personal data. */
const FORGOTTEN_MS = 14 * 86_400_000;

/** The cron job: every enabled feed whose time has come, within one budget. @returns ids of the runs that were worked on. */
export async function syncFeeds(runtime: Runtime): Promise<string[]> {
  const budget = new Budget(runtime);
  for (const id of await forgottenRuns(runtime.db, runtime.now() - FORGOTTEN_MS)) {
    await cancelRun(runtime, id, 'canceled', 'Nobody approved it for 14 days.');
  }
  const feeds = (await listFeeds(runtime)).filter(({ feed }) => feed.enabled);
  // Another one comes first each minute, so that a large import of one feed does not keep the others waiting.
  const first = Math.floor(runtime.now() / 60_000) % Math.max(feeds.length, 1);
  const worked: string[] = [];
  for (const stored of [...feeds.slice(first), ...feeds.slice(0, first)]) {
    if (budget.isSpent) break;
    worked.push(...(await syncFeed(runtime, stored, budget)));
  }
  return worked;
}

/** One feed: the run that is under way, then what is new. */
export async function syncFeed(runtime: Runtime, stored: StoredFeed, budget: Budget): Promise<string[]> {
  const { feed } = stored;
  const worked: string[] = [];
  const unfinished = await resumeRun(runtime.db, feed.id, newClaim(runtime));
  if (unfinished) {
    worked.push(unfinished.id);
    if (!(await workOn(runtime, feed, unfinished, budget))) return worked;
  }
  if (stored.nextDueAt > runtime.now()) return worked;
  const listed = await listDocuments(runtime, feed);
  if (typeof listed === 'string') {
    await planNextLook(runtime, feed, LOOK_AGAIN_MS);
    return [...worked, listed];
  }
  const fresh = await newDocuments(runtime, feed, listed);
  if (fresh.length === 0) await planNextLook(runtime, feed);
  for (const [index, { id, document }] of fresh.entries()) {
    if (budget.isSpent) return worked;
    const run = await startRun(runtime.db, id, feed, document, false, newClaim(runtime));
    if (!run) return worked;
    if (index === fresh.length - 1) await planNextLook(runtime, feed);
    worked.push(id);
    if (!(await workOn(runtime, feed, run, budget))) return worked;
  }
  return worked;
}

/**
 * Once the last new document is taken; what a tick leaves over is not kept waiting until the schedule comes again.
 *
 * @param withinMs the look is no later than that.
 */
async function planNextLook(
  runtime: Runtime,
  feed: Feed,
  withinMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  if (feed.schedule === null) return;
  const now = runtime.now();
  const next = nextRun(feed.schedule, now) ?? Number.MAX_SAFE_INTEGER;
  await setNextDue(runtime, feed.id, Math.min(next, now + withinMs));
}

export interface ImportOptions {
  /** Also where this version was imported before. */
  readonly again: boolean;
  /** Counts and rejects only; no profile is written. */
  readonly dryRun: boolean;
}

/** Imports one document now, as far as one tick's budget goes. @returns null where it was imported before, or the feed is busy. */
export async function importDocument(
  runtime: Runtime,
  feed: Feed,
  document: FeedDocument,
  { again, dryRun }: ImportOptions,
): Promise<string | null> {
  const id = again || dryRun ? newId('run') : await runIdOf(feed, document);
  const run = await startRun(runtime.db, id, feed, document, dryRun, newClaim(runtime));
  if (!run) return null;
  await workOn(runtime, feed, run, new Budget(runtime));
  return id;
}

/** Works on a run that this worker has claimed. @returns whether it has ended. */
export async function workOn(runtime: Runtime, feed: Feed, run: Run, budget: Budget): Promise<boolean> {
  const work = new Work(runtime, budget, run);
  try {
    if (run.attempts > MAX_ATTEMPTS) throw interruptedTooOften(run.detail);
    const ended = await advance(work, feed);
    if (!ended) await work.release(0);
    return ended;
  } catch (error) {
    if (error instanceof LostClaim) return false;
    const isAway = error instanceof InterruptedFeed;
    const last = isAway && work.run.attempts >= MAX_ATTEMPTS ? interruptedTooOften(error.message) : error;
    if (last instanceof BrokenFeed) {
      await end(work, 'failed', last.message);
      return true;
    }
    log('error', 'sync.run_interrupted', { run: run.id, error: errorText(error) });
    const pause = isAway ? patience(work.run.attempts) : PAUSE_MS;
    await work.release(pause, isAway ? error.message : null).catch(() => undefined); // else the lease runs out
    return false;
  }
}

function interruptedTooOften(last: string | null): BrokenFeed {
  const words = last === null ? '' : ` The last time: ${last}`;
  return new BrokenFeed(
    `The import was interrupted ${MAX_ATTEMPTS} times at one place; import it again.${words}`,
  );
}

/** A source that is away gets six times more with each attempt: the last one comes after three quarters of an hour. */
function patience(attempts: number): number {
  return PAUSE_MS * 6 ** Math.max(attempts - 1, 0);
}

/** The phases in their order, from the one that the run is in. @returns whether the run has ended. */
async function advance(work: Work, feed: Feed): Promise<boolean> {
  if (work.run.phase === 'read' && !(await readDocument(work, feed, connectorOf(work.runtime, feed))))
    return false;
  if (work.run.phase === 'compare' && !(await compareAll(work))) return false;
  if (work.run.phase === 'write') {
    if (work.run.chunks_written === 0) {
      const verdict = judge(work.run, feed, await lastGoodRows(work.db, feed.id));
      if (!verdict.ok && !(work.run.dry_run && verdict.state === 'refused')) {
        await end(work, verdict.state, verdict.detail);
        return true;
      }
      if (!work.run.dry_run) await supersedeRefused(work);
    }
    if (!(await writeChunks(work))) return false;
    if (work.run.mode === 'full' && !work.run.dry_run) await work.enter('clear');
  }
  if (work.run.phase === 'clear' && !(await clearAbsent(work))) return false;
  await end(work, 'done', null);
  return true;
}

/** What was staged goes first, so that a worker that dies in between leaves nothing behind. A refused run keeps it. */
async function end(work: Work, state: 'done' | 'failed' | 'refused', detail: string | null): Promise<void> {
  // A refused run goes on from what is staged, and needs its document no more.
  if (state === 'refused') await removePushed(work.runtime.feeds, work.run.document_key);
  else await removeStaged(work.runtime, work.run);
  await work.finish(state, detail);
  const { id, rows_read, rows_written, rows_rejected, rows_cleared } = work.run;
  log('info', 'sync.run_ended', { run: id, state, rows_read, rows_written, rows_rejected, rows_cleared });
}

/** What waits for a yes is overtaken by a newer document that is believed. */
async function supersedeRefused(work: Work): Promise<void> {
  const { runtime, run } = work;
  for (const id of await refusedRunsOf(work.db, run.feed_id, run.id)) {
    await cancelRun(runtime, id, 'superseded', 'A newer document was imported.');
  }
}

/** Ends a run that is under way or waits for a yes. @returns null where it has ended before */
export async function cancelRun(
  runtime: Runtime,
  id: string,
  state: 'superseded' | 'canceled',
  detail: string,
): Promise<Run | null> {
  const run = await endRun(runtime.db, id, state, detail, runtime.now());
  if (run) await removeStaged(runtime, run);
  return run;
}

/** Documents that no run knows, oldest first. Of a full feed only the newest counts: it states all. */
async function newDocuments(
  runtime: Runtime,
  feed: Feed,
  listed: readonly FeedDocument[],
): Promise<readonly { readonly id: string; readonly document: FeedDocument }[]> {
  const documents = await Promise.all(
    listed.map(async (document) => ({ id: await runIdOf(feed, document), document })),
  );
  const known = await knownRuns(
    runtime.db,
    documents.map(({ id }) => id),
  );
  const fresh = documents.filter(({ id }) => !known.has(id));
  if (feed.mode === 'delta') return fresh;
  for (const { id, document } of fresh.slice(0, -1)) {
    const detail = 'A newer full document is there, which states all.';
    await recordRun(runtime.db, id, feed, document, 'superseded', detail, runtime.now());
  }
  return fresh.slice(-1);
}

/** A source that can't be asked is told as a failed run, one for each complaint. @returns its id then */
async function listDocuments(runtime: Runtime, feed: Feed): Promise<readonly FeedDocument[] | string> {
  try {
    return await connectorOf(runtime, feed, () => lastReadOf(runtime.db, feed.id)).list();
  } catch (error) {
    if (!(error instanceof BrokenFeed)) throw error;
    const id = await derivedId('run', feed.id, 'list', error.message);
    const nothing = { key: '', version: null, sizeBytes: null, modifiedAt: runtime.now() };
    await recordRun(runtime.db, id, feed, nothing, 'failed', error.message, runtime.now());
    return id;
  }
}

/** The same version of a document is the same run; where nothing names a version, each reading is a new one. */
export async function runIdOf(feed: Feed, { key, version, follows }: FeedDocument): Promise<string> {
  if (version === null) return newId('run');
  return await derivedId('run', feed.id, key, version, ...(follows === undefined ? [] : [follows]));
}
