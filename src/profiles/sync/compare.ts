/**
 * The second phase of a full run: which customers of whom something is known are not in the document.
 *
 * A mark on every row that was read would cost a write for each, every night. Instead the profiles are walked in the order of
 * their ids, a window at a time; what the staged chunks do not name of a window is absent. Nothing is written but the list.
 */
import { jsonChunks } from '../../platform/sql.ts';
import { BrokenFeed } from '../formats/broken.ts';
import { PROFILE_SQL } from '../store.ts';
import { wavesOf } from './pack.ts';
import { addChunk, chunkKey, chunksFrom } from './staging.ts';
import type { Work } from './work.ts';

export const COMPARE_SQL = {
  advance: `UPDATE sync_runs SET cursor = ?3, phase = ?4, absent_chunks = absent_chunks + ?5, rows_known = rows_known + ?6,
      rows_absent = rows_absent + ?7, attempts = 0, lease_until = ?8, updated_at = ?9
    WHERE id = ?1 AND claim_id = ?2 AND state = 'running' RETURNING *`,
} as const;

/** Ids in memory at a time: some 20 MB. The chunks are read once for each so many customers. */
const WINDOW = 250_000;
/** Ids that one query returns. */
const PAGE = 25_000;

/** Where comparing goes on. */
interface CompareCursor {
  /** The last customer of the windows that are done. */
  readonly after: string;
  /** A window that was begun. */
  readonly parked?: {
    readonly last: string;
    readonly known: number;
    /** The next chunk to look into, and the object that holds whom the earlier ones do not name. */
    readonly chunk: number;
    readonly key: string;
  };
}

interface Window {
  readonly last: string;
  readonly known: number;
  /** Customers whom no chunk so far names. */
  readonly unmet: Set<string>;
  chunk: number;
}

/** @returns whether all customers were compared. @throws BrokenFeed, LostClaim */
export async function compareAll(work: Work): Promise<boolean> {
  for (;;) {
    const cursor: CompareCursor = { after: '', ...(JSON.parse(work.run.cursor) as Partial<CompareCursor>) };
    const window = cursor.parked ? await unparked(work, cursor.parked) : await nextWindow(work, cursor.after);
    if (window === null) {
      await keep(work, cursor, 'write');
      return true;
    }
    if (!(await strikePresent(work, window))) {
      await park(work, cursor.after, window);
      return false;
    }
    await keep(work, { after: window.last }, 'compare', window.known, [...window.unmet]);
    if (work.budget.isSpent) return false;
  }
}

async function nextWindow(work: Work, after: string): Promise<Window | null> {
  const unmet = new Set<string>();
  let last = after;
  while (unmet.size < WINDOW) {
    const { results } = await work.db
      .prepare(PROFILE_SQL.clearable)
      .bind(last, work.run.document_time, PAGE)
      .all<{ customer_id: string }>();
    work.budget.use(1);
    for (const row of results) unmet.add(row.customer_id);
    last = results.at(-1)?.customer_id ?? last;
    if (results.length < PAGE) break;
  }
  return unmet.size === 0 ? null : { last, known: unmet.size, unmet, chunk: 0 };
}

/** @returns whether every chunk was looked into, within the budget; at least one is. */
async function strikePresent(work: Work, window: Window): Promise<boolean> {
  const begun = window.chunk;
  for await (const { chunk, text } of chunksFrom(work.runtime, work.run.id, 'rows', begun)) {
    if (work.budget.isSpent && chunk.n > begun) return false;
    work.budget.use(1);
    for (const wave of wavesOf(text)) {
      for (const [id] of JSON.parse(wave) as [string][]) window.unmet.delete(id);
    }
    window.chunk = chunk.n + 1;
  }
  return true;
}

async function park(work: Work, after: string, window: Window): Promise<void> {
  const { run, runtime } = work;
  const key = `${chunkKey(run, 'absent', run.absent_chunks)}-window-${window.chunk}`;
  await runtime.feeds.put(key, JSON.stringify([...window.unmet]));
  const { last, known, chunk } = window;
  await keep(work, { after, parked: { last, known, chunk, key } }, 'compare');
}

async function unparked(work: Work, parked: NonNullable<CompareCursor['parked']>): Promise<Window> {
  const { last, known, chunk, key } = parked;
  const object = await work.runtime.feeds.get(key);
  work.budget.use(1);
  if (!object) throw new BrokenFeed('A staged part of this run is gone; import the document again.');
  return { last, known, chunk, unmet: new Set(await object.json<string[]>()) };
}

async function keep(
  work: Work,
  cursor: CompareCursor,
  phase: 'compare' | 'write',
  known = 0,
  absent: readonly string[] = [],
): Promise<void> {
  const { run, db, runtime } = work;
  const statements: D1PreparedStatement[] = [];
  for (const { json, count } of idChunks(absent, runtime.config.syncChunkRows)) {
    const n = run.absent_chunks + statements.length;
    const chunk = { n, key: chunkKey(run, 'absent', n), rows: count };
    await runtime.feeds.put(chunk.key, json);
    work.budget.use(1);
    statements.push(addChunk(db, run, 'absent', chunk));
  }
  const next = phase === 'write' ? {} : cursor;
  const advance = db
    .prepare(COMPARE_SQL.advance)
    .bind(
      ...[run.id, run.claim_id, JSON.stringify(next), phase, statements.length, known, absent.length],
      ...[work.leaseUntil, runtime.now()],
    );
  await work.apply([...statements, advance]);
}

function idChunks(ids: readonly string[], size: number): { json: string; count: number }[] {
  const chunks: { json: string; count: number }[] = [];
  for (let at = 0; at < ids.length; at += size) {
    // Of the longest ids a transaction's worth takes more than one parameter.
    for (const json of jsonChunks(ids.slice(at, at + size))) {
      chunks.push({ json, count: (JSON.parse(json) as string[]).length });
    }
  }
  return chunks;
}
