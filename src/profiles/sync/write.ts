/**
 * The last phases of a run: staged chunks become profiles, and who was absent from a full feed is cleared. One chunk is one
 * transaction that also counts it as written, so it is written once, whoever is killed when.
 */
import { profilesWritten } from '../../ledger/waiting.ts';
import { PROFILE_SQL } from '../store.ts';
import { wavesOf } from './pack.ts';
import { type ChunkKind, chunksFrom } from './staging.ts';
import type { Work } from './work.ts';

const held = (counter: string, parameter: string): string =>
  `WHERE id = ?1 AND claim_id = ?2 AND ${counter} = ${parameter} AND state = 'running'`;

export const WRITE_SQL = {
  /** Bound as the profile statements: the rows come first. */
  stale: `UPDATE sync_runs SET rows_stale = rows_stale + (SELECT count(*) FROM json_each(?4) j
      CROSS JOIN profiles p ON p.customer_id = j.value ->> 0 WHERE p.updated_at > j.value ->> 7) ${held('chunks_written', '?3')}`,
  /** `changes()` is what the statement before it has written. */
  written: `UPDATE sync_runs SET rows_written = rows_written + changes() ${held('chunks_written', '?3')}`,
  advance: `UPDATE sync_runs SET chunks_written = chunks_written + 1, rows_applied = rows_applied + ?4, attempts = 0, lease_until = ?5, updated_at = ?6
    ${held('chunks_written', '?3')} RETURNING *`,
  /** A dry run counts what the chunk would have written. */
  advanceDry: `UPDATE sync_runs SET chunks_written = chunks_written + 1, rows_applied = rows_applied + ?4, attempts = 0, lease_until = ?5, updated_at = ?6,
      rows_written = rows_written + ?7, rows_stale = rows_stale + ?8 ${held('chunks_written', '?3')} RETURNING *`,
  cleared: `UPDATE sync_runs SET absent_cleared = absent_cleared + 1, rows_cleared = rows_cleared + changes(), attempts = 0, lease_until = ?4, updated_at = ?5
    ${held('absent_cleared', '?3')} RETURNING *`,
} as const;

/** @returns whether all chunks are written. @throws BrokenFeed, LostClaim */
export async function writeChunks(work: Work): Promise<boolean> {
  const write = work.run.dry_run ? countChunk : writeChunk;
  return await eachChunk(work, 'rows', work.run.chunks_written, write);
}

/** @returns whether all who were absent are cleared. @throws BrokenFeed, LostClaim */
export async function clearAbsent(work: Work): Promise<boolean> {
  return await eachChunk(work, 'absent', work.run.absent_cleared, clearChunk);
}

async function eachChunk(
  work: Work,
  kind: ChunkKind,
  from: number,
  write: (work: Work, text: string, rows: number) => Promise<void>,
): Promise<boolean> {
  for await (const { chunk, text } of chunksFrom(work.runtime, work.run.id, kind, from)) {
    if (work.budget.isSpent) return false;
    work.budget.use(1, chunk.rows);
    await write(work, text, chunk.rows);
  }
  return true;
}

async function writeChunk(work: Work, text: string, rows: number): Promise<void> {
  const { run, db, runtime } = work;
  const { id, claim_id, chunks_written: n } = run;
  const now = runtime.now();
  const statements = wavesOf(text).flatMap((wave) => [
    db.prepare(WRITE_SQL.stale).bind(id, claim_id, n, wave),
    db.prepare(PROFILE_SQL.upsertChunk).bind(wave, now, id, claim_id, n),
    db.prepare(WRITE_SQL.written).bind(id, claim_id, n),
    ...profilesWritten(db, wave, now),
  ]);
  const advance = db.prepare(WRITE_SQL.advance).bind(id, claim_id, n, rows, work.leaseUntil, now);
  await work.apply([...statements, advance]);
}

async function countChunk(work: Work, text: string, rows: number): Promise<void> {
  const { run, db, runtime } = work;
  const { id, claim_id, chunks_written: n } = run;
  const counts = await db.batch<{ n?: number; 'count(*)'?: number }>(
    wavesOf(text).flatMap((wave) => [
      db.prepare(PROFILE_SQL.news).bind(wave),
      db.prepare(PROFILE_SQL.stale).bind(wave),
    ]),
  );
  const found = counts.flatMap((result) => result.results);
  const news = found.reduce((sum, row) => sum + (row.n ?? 0), 0);
  const stale = found.reduce((sum, row) => sum + (row['count(*)'] ?? 0), 0);
  await work.apply([
    db.prepare(WRITE_SQL.advanceDry).bind(id, claim_id, n, rows, work.leaseUntil, runtime.now(), news, stale),
  ]);
}

async function clearChunk(work: Work, text: string): Promise<void> {
  const { run, db, runtime } = work;
  const { id, claim_id, absent_cleared: n, document_time } = run;
  const now = runtime.now();
  await work.apply([
    db.prepare(PROFILE_SQL.clearChunk).bind(text, now, id, claim_id, n, document_time),
    db.prepare(WRITE_SQL.cleared).bind(id, claim_id, n, work.leaseUntil, now),
  ]);
}
