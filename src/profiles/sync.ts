/**
 * Batch sync: new feed objects in R2 become profiles.
 *
 * Each object is read twice. The first pass writes nothing: a feed that cannot be read, or of which most rows are
 * wrong, changes no profile. The second pass upserts in batches. A run that dies is begun again by the next cron run
 * when its lease is over; repeating it is harmless, because unchanged rows write nothing and older rows change nothing.
 */
import { derivedId, newId } from '../platform/ids.ts';
import { errorText, log } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import { groupByShard } from '../platform/shard.ts';
import { BrokenFeed, feedRecords } from './feeds/format.ts';
import type { ProfileWrite } from './profile.ts';
import { readRecord } from './record.ts';
import { upsertProfiles } from './store.ts';
import {
  claimRun,
  finishRun,
  type RowError,
  type RunCounts,
  reportProgress,
  settledRuns,
} from './sync-runs.ts';

const BATCH_ROWS = 500;
const MAX_ERRORS = 100;
/** A feed that ends its worker each time must not keep newer feeds waiting for ever. */
const MAX_ATTEMPTS = 5;
/** Rows of the first pass after which the lease is renewed. */
const ROWS_PER_RENEWAL = 5000;
/** Objects that one cron run takes; the next one goes on. */
const MAX_OBJECTS = 20;

export interface SyncOptions {
  /** Only this object; by default every new one below the prefix. */
  readonly objectKey?: string | undefined;
  /** Also objects that were imported before. */
  readonly again?: boolean | undefined;
}

/** Imports new feed objects, oldest first. @returns ids of the runs that this call did. */
export async function syncFeeds(runtime: Runtime, options: SyncOptions = {}): Promise<string[]> {
  const done: string[] = [];
  for (const object of await pendingObjects(runtime, options)) {
    if (await importObject(runtime, object, options.again ?? false)) done.push(object.id);
  }
  return done;
}

interface FeedObject {
  readonly id: string;
  readonly key: string;
  readonly etag: string;
  readonly uploadedAt: number;
}

async function pendingObjects(runtime: Runtime, options: SyncOptions): Promise<FeedObject[]> {
  const objects: FeedObject[] = [];
  const prefix = options.objectKey ?? runtime.config.feedPrefix;
  let cursor: string | undefined;
  do {
    const page = await runtime.feeds.list({ prefix, ...(cursor && { cursor }) });
    for (const { key, etag, uploaded } of page.objects) {
      if (options.objectKey !== undefined && key !== options.objectKey) continue;
      objects.push({ id: await derivedId('run', key, etag), key, etag, uploadedAt: uploaded.getTime() });
    }
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor);
  const ids = objects.map((object) => object.id);
  const settled = options.again ? new Set<string>() : await settledRuns(runtime.db, ids, runtime.now());
  return objects
    .filter((object) => !settled.has(object.id))
    .sort((a, b) => a.uploadedAt - b.uploadedAt)
    .slice(0, MAX_OBJECTS);
}

async function importObject(runtime: Runtime, object: FeedObject, again: boolean): Promise<boolean> {
  const claimId = newId('clm');
  const leaseUntil = (): number => runtime.now() + runtime.config.leaseMs;
  const attempt = await claimRun(runtime.db, object, claimId, leaseUntil(), runtime.now(), again);
  if (attempt === null) return false;
  const counts: RunCounts = {
    rows_read: 0,
    rows_changed: 0,
    rows_unchanged: 0,
    rows_stale: 0,
    rows_failed: 0,
  };
  const errors: RowError[] = [];
  const progress = (): Promise<boolean> =>
    reportProgress(runtime.db, object.id, claimId, counts, errors, leaseUntil());
  const finish = (state: 'done' | 'failed', detail: string | null): Promise<void> =>
    finishRun(runtime.db, object.id, claimId, state, detail, runtime.now());
  try {
    if (attempt > MAX_ATTEMPTS)
      throw new BrokenFeed(`The import was interrupted ${MAX_ATTEMPTS} times; start it by hand.`);
    if (!(await checkFeed(runtime, object, counts, errors, progress))) return false;
    for await (const batch of batches(runtime, object)) {
      for (const { shard, items } of groupByShard(
        runtime,
        batch.profiles,
        (profile) => profile.customer_id,
      )) {
        const { changed, unchanged, stale } = await upsertProfiles(shard.db, items, runtime.now());
        counts.rows_changed += changed;
        counts.rows_unchanged += unchanged;
        counts.rows_stale += stale;
      }
      counts.rows_stale += batch.merged;
      if (!(await progress())) return false;
    }
    await finish('done', null);
  } catch (error) {
    if (!(error instanceof BrokenFeed)) {
      // The lease runs out and the next cron run begins again.
      log('error', 'sync.run_interrupted', { run: object.id, error: errorText(error) });
      return false;
    }
    await progress();
    await finish('failed', error.message);
  }
  log('info', 'sync.run_ended', { run: object.id, ...counts });
  return true;
}

/**
 * The first pass: counts rows and collects their errors. @returns false where the run was lost to another worker.
 * @throws BrokenFeed where nothing may be applied.
 */
async function checkFeed(
  runtime: Runtime,
  object: FeedObject,
  counts: RunCounts,
  errors: RowError[],
  progress: () => Promise<boolean>,
): Promise<boolean> {
  for await (const parsed of parsedRows(runtime, object)) {
    counts.rows_read++;
    if (counts.rows_read % ROWS_PER_RENEWAL === 0 && !(await progress())) return false;
    if (parsed.ok) continue;
    counts.rows_failed++;
    if (errors.length < MAX_ERRORS) errors.push(...parsed.errors.slice(0, MAX_ERRORS - errors.length));
  }
  if (counts.rows_read === 0) throw new BrokenFeed('The feed has no rows; nothing was changed.');
  if (counts.rows_failed * 2 > counts.rows_read) {
    throw new BrokenFeed(`${counts.rows_failed} of ${counts.rows_read} rows are wrong; nothing was changed.`);
  }
  return await progress();
}

/** The second pass: good rows in batches with distinct customers; several rows for one customer are merged. */
async function* batches(
  runtime: Runtime,
  object: FeedObject,
): AsyncGenerator<{ profiles: ProfileWrite[]; merged: number }> {
  let profiles = new Map<string, ProfileWrite>();
  let merged = 0;
  for await (const parsed of parsedRows(runtime, object)) {
    if (!parsed.ok) continue;
    const earlier = profiles.get(parsed.profile.customer_id);
    if (earlier) merged++;
    profiles.set(parsed.profile.customer_id, earlier ? mergeWrites(earlier, parsed.profile) : parsed.profile);
    if (profiles.size >= BATCH_ROWS) {
      yield { profiles: [...profiles.values()], merged };
      profiles = new Map();
      merged = 0;
    }
  }
  if (profiles.size > 0) yield { profiles: [...profiles.values()], merged };
}

/** Two rows for one customer: the newer one's word, and the older one's where the newer does not speak. */
function mergeWrites(first: ProfileWrite, second: ProfileWrite): ProfileWrite {
  const [older, newer] = first.updated_at > second.updated_at ? [second, first] : [first, second];
  return {
    customer_id: newer.customer_id,
    MOBILE_NUMBER: newer.MOBILE_NUMBER === undefined ? older.MOBILE_NUMBER : newer.MOBILE_NUMBER,
    SMS_CONSENT: newer.SMS_CONSENT === undefined ? older.SMS_CONSENT : newer.SMS_CONSENT,
    SMS_VALID: newer.SMS_VALID === undefined ? older.SMS_VALID : newer.SMS_VALID,
    attributes: newer.attributes === undefined ? older.attributes : newer.attributes,
    updated_at: newer.updated_at,
  };
}

type ParsedRow =
  | { readonly ok: true; readonly profile: ProfileWrite }
  | { readonly ok: false; readonly errors: readonly RowError[] };

async function* parsedRows(runtime: Runtime, object: FeedObject): AsyncGenerator<ParsedRow> {
  const stored = await runtime.feeds.get(object.key, { onlyIf: { etagMatches: object.etag } });
  if (!stored || !('body' in stored))
    throw new BrokenFeed('The object was replaced or deleted while it was read.');
  for await (const item of feedRecords(object.key, stored.body)) {
    if ('problem' in item) {
      yield { ok: false, errors: [{ row: item.row, path: '(row)', message: item.problem }] };
      continue;
    }
    const parsed = readRecord(item.record, { updatedAt: object.uploadedAt });
    yield parsed.ok
      ? parsed
      : { ok: false, errors: parsed.errors.map((error) => ({ row: item.row, ...error })) };
  }
}
