/**
 * The second phase of a full run: which customers of whom something is known are not in the document.
 *
 * A mark on every row that was read would cost a write for each, every night. Instead the profiles are walked in the order of
 * their ids, so many at a time; what the staged chunks do not name of them is absent. Nothing is written but the list.
 */
import { jsonChunks } from '../../platform/sql.ts';
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

/** @returns whether all customers were compared. @throws BrokenFeed, LostClaim */
export async function compareAll(work: Work): Promise<boolean> {
  for (;;) {
    const { after = '' } = JSON.parse(work.run.cursor) as { after?: string };
    const window = await knownAfter(work, after);
    const last = window.at(-1);
    if (last === undefined) {
      await keep(work, {}, 'write', 0, []);
      return true;
    }
    await keep(work, { after: last }, 'compare', window.length, await absentAmong(work, window));
    if (work.budget.isSpent) return false;
  }
}

async function knownAfter(work: Work, after: string): Promise<string[]> {
  const known: string[] = [];
  for (let from = after; known.length < WINDOW; ) {
    const { results } = await work.db
      .prepare(PROFILE_SQL.clearable)
      .bind(from, work.run.document_time, PAGE)
      .all<{ customer_id: string }>();
    work.budget.use(1);
    for (const row of results) known.push(row.customer_id);
    const last = results.at(-1);
    if (!last || results.length < PAGE) break;
    from = last.customer_id;
  }
  return known;
}

async function absentAmong(work: Work, known: readonly string[]): Promise<string[]> {
  const absent = new Set(known);
  for await (const { text } of chunksFrom(work.runtime, work.run.id, 'rows', 0)) {
    work.budget.use(1);
    for (const wave of wavesOf(text)) for (const [id] of JSON.parse(wave) as [string][]) absent.delete(id);
  }
  return [...absent];
}

async function keep(
  work: Work,
  cursor: { readonly after?: string },
  phase: 'compare' | 'write',
  known: number,
  absent: readonly string[],
): Promise<void> {
  const { run, db, runtime } = work;
  const statements: D1PreparedStatement[] = [];
  for (const [index, text] of idChunks(absent, runtime.config.syncChunkRows).entries()) {
    const n = run.absent_chunks + index;
    const chunk = { n, key: chunkKey(run, 'absent', n), rows: text.count };
    await runtime.feeds.put(chunk.key, text.json);
    work.budget.use(1);
    statements.push(addChunk(db, run, 'absent', chunk));
  }
  const advance = db
    .prepare(COMPARE_SQL.advance)
    .bind(
      ...[run.id, run.claim_id, JSON.stringify(cursor), phase, statements.length, known, absent.length],
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
