/** Sync runs in D1: one run is the import of one version of one document, and its row is all that a run knows. */
import { jsonChunks } from '../../platform/sql.ts';
import type { FeedDocument, LastRead } from '../feeds/connector.ts';
import type { Feed } from '../feeds/feed.ts';

export type RunState = 'running' | 'refused' | 'done' | 'failed' | 'superseded' | 'canceled';

/**
 * `read`: into staged chunks. `compare`: who is not in a full feed. `write`: chunks into profiles. `clear`: who was absent.
 */
export type RunPhase = 'read' | 'compare' | 'write' | 'clear';

/** A row of `sync_runs`; the migration says what each column is. */
export interface Run {
  readonly id: string;
  readonly feed_id: string;
  readonly document_key: string;
  readonly document_version: string | null;
  readonly document_time: number;
  readonly mode: 'delta' | 'full';
  readonly dry_run: number;
  readonly state: RunState;
  readonly phase: RunPhase;
  readonly detail: string | null;
  readonly approved: number;
  readonly cursor: string;
  readonly chunks: number;
  readonly chunks_written: number;
  readonly absent_chunks: number;
  readonly absent_cleared: number;
  readonly bytes_total: number | null;
  readonly bytes_read: number;
  readonly rows_read: number;
  readonly rows_rejected: number;
  readonly rows_duplicate: number;
  readonly rows_applied: number;
  readonly rows_written: number;
  readonly rows_stale: number;
  readonly rows_known: number;
  readonly rows_absent: number;
  readonly rows_cleared: number;
  readonly claim_id: string;
  readonly lease_until: number;
  readonly attempts: number;
  readonly started_at: number;
  readonly updated_at: number;
  readonly finished_at: number | null;
}

const HELD = `id = ?1 AND claim_id = ?2 AND state = 'running'`;

export const RUN_SQL = {
  known: 'SELECT id FROM sync_runs WHERE id IN (SELECT value FROM json_each(?1))',
  start: `INSERT INTO sync_runs (id, feed_id, document_key, document_version, document_time, bytes_total, mode, dry_run, state,
      claim_id, lease_until, started_at, updated_at)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'running', ?9, ?10, ?11, ?11
    WHERE NOT EXISTS (SELECT 1 FROM sync_runs WHERE feed_id = ?2 AND state = 'running')
    ON CONFLICT (id) DO NOTHING RETURNING *`,
  /** A run of this feed that nobody works on: its worker used up its time, or died. */
  resume: `UPDATE sync_runs SET claim_id = ?2, lease_until = ?3, attempts = attempts + 1
    WHERE feed_id = ?1 AND state = 'running' AND lease_until <= ?4 RETURNING *`,
  /** A run that was recorded without being worked on: superseded by a newer document, or a document that can't be listed. */
  record: `INSERT INTO sync_runs (id, feed_id, document_key, document_version, document_time, bytes_total, mode, state, detail,
      claim_id, lease_until, started_at, updated_at, finished_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, '', 0, ?10, ?10, ?10)
    ON CONFLICT (id) DO UPDATE SET attempts = attempts + 1, updated_at = excluded.updated_at, finished_at = excluded.finished_at
    WHERE sync_runs.state = excluded.state`,
  release: `UPDATE sync_runs SET lease_until = ?3, attempts = iif(?4, 0, attempts), updated_at = ?5, detail = coalesce(?6, detail) WHERE ${HELD}`,
  phase: `UPDATE sync_runs SET phase = ?3, cursor = '{}', attempts = 0, lease_until = ?4, updated_at = ?5 WHERE ${HELD} RETURNING *`,
  finish: `UPDATE sync_runs SET state = ?3, detail = ?4, finished_at = ?5, updated_at = ?5 WHERE ${HELD} RETURNING id`,
  /** A person says yes to what the guards refused. */
  approve: `UPDATE sync_runs SET state = 'running', approved = 1, detail = NULL, finished_at = NULL, claim_id = ?2, lease_until = ?3, attempts = 1, updated_at = ?4
    WHERE id = ?1 AND state = 'refused' AND NOT EXISTS (SELECT 1 FROM sync_runs o WHERE o.feed_id = sync_runs.feed_id AND o.state = 'running') RETURNING *`,
  end: `UPDATE sync_runs SET state = ?2, detail = ?3, finished_at = ?4, updated_at = ?4
    WHERE id = ?1 AND state IN ('refused', 'running') RETURNING *`,
  openOf: `SELECT id FROM sync_runs WHERE feed_id = ?1 AND state IN ('refused', 'running') ORDER BY started_at DESC LIMIT 100`,
  forgotten: `SELECT id FROM sync_runs WHERE state = 'refused' AND started_at < ?1 LIMIT 20`,
  refusedOf: `SELECT id FROM sync_runs WHERE feed_id = ?1 AND state = 'refused' AND id <> ?2 ORDER BY started_at DESC LIMIT 100`,
  /** Rows of the last full run that was believed. */
  lastGood: `SELECT rows_read - rows_rejected AS rows FROM sync_runs
    WHERE feed_id = ?1 AND state = 'done' AND mode = 'full' AND dry_run = 0 ORDER BY started_at DESC LIMIT 1`,
  /** Of the document that was read last, whatever became of it. */
  lastRead: `SELECT id, document_key AS key, document_version AS version FROM sync_runs
    WHERE feed_id = ?1 AND dry_run = 0 AND document_key <> '' ORDER BY started_at DESC LIMIT 1`,
  read: 'SELECT * FROM sync_runs WHERE id = ?1',
  list: 'SELECT * FROM sync_runs ORDER BY started_at DESC LIMIT ?1',
  listOf: 'SELECT * FROM sync_runs WHERE feed_id = ?2 ORDER BY started_at DESC LIMIT ?1',
} as const;

/** Of these runs, those that were begun before, whatever became of them. */
export async function knownRuns(db: D1Database, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  for (const chunk of jsonChunks(ids)) {
    const { results } = await db.prepare(RUN_SQL.known).bind(chunk).all<{ id: string }>();
    for (const { id } of results) known.add(id);
  }
  return known;
}

export interface Claim {
  readonly id: string;
  readonly leaseUntil: number;
  readonly now: number;
}

/** Begins a run. @returns null where the feed has a running one, or this one is known. */
export async function startRun(
  db: D1Database,
  id: string,
  feed: Feed,
  document: FeedDocument,
  dryRun: boolean,
  claim: Claim,
): Promise<Run | null> {
  const { key, version, modifiedAt, sizeBytes } = document;
  return await db
    .prepare(RUN_SQL.start)
    .bind(
      ...[id, feed.id, key, version, modifiedAt, sizeBytes, feed.mode, Number(dryRun)],
      ...[claim.id, claim.leaseUntil, claim.now],
    )
    .first<Run>();
}

export async function resumeRun(db: D1Database, feedId: string, claim: Claim): Promise<Run | null> {
  return await db.prepare(RUN_SQL.resume).bind(feedId, claim.id, claim.leaseUntil, claim.now).first<Run>();
}

export async function approveRun(db: D1Database, id: string, claim: Claim): Promise<Run | null> {
  return await db.prepare(RUN_SQL.approve).bind(id, claim.id, claim.leaseUntil, claim.now).first<Run>();
}

/** Records what became of a document that no run was begun for. The same again only moves its time. */
export async function recordRun(
  db: D1Database,
  id: string,
  feed: Feed,
  document: FeedDocument,
  state: 'superseded' | 'failed',
  detail: string,
  now: number,
): Promise<void> {
  const { key, version, modifiedAt, sizeBytes } = document;
  await db
    .prepare(RUN_SQL.record)
    .bind(id, feed.id, key, version, modifiedAt, sizeBytes, feed.mode, state, detail, now)
    .run();
}

/** Ends a refused or running run; a worker that holds it writes nothing more. @returns null where it has ended. */
export async function endRun(
  db: D1Database,
  id: string,
  state: 'superseded' | 'canceled',
  detail: string,
  now: number,
): Promise<Run | null> {
  return await db.prepare(RUN_SQL.end).bind(id, state, detail, now).first<Run>();
}

export async function refusedRunsOf(db: D1Database, feedId: string, besides: string): Promise<string[]> {
  const { results } = await db.prepare(RUN_SQL.refusedOf).bind(feedId, besides).all<{ id: string }>();
  return results.map((row) => row.id);
}

/** Runs of a feed that have not ended. */
export async function openRunsOf(db: D1Database, feedId: string): Promise<string[]> {
  const { results } = await db.prepare(RUN_SQL.openOf).bind(feedId).all<{ id: string }>();
  return results.map((row) => row.id);
}

/** Refused runs about which nobody decided since then. */
export async function forgottenRuns(db: D1Database, before: number): Promise<string[]> {
  const { results } = await db.prepare(RUN_SQL.forgotten).bind(before).all<{ id: string }>();
  return results.map((row) => row.id);
}

/** Rows of the feed's last good full run; null where there is none yet. */
export async function lastGoodRows(db: D1Database, feedId: string): Promise<number | null> {
  const row = await db.prepare(RUN_SQL.lastGood).bind(feedId).first<{ rows: number }>();
  return row?.rows ?? null;
}

/** The document that the feed's last run read; null where there was none. */
export async function lastReadOf(db: D1Database, feedId: string): Promise<LastRead | null> {
  return await db.prepare(RUN_SQL.lastRead).bind(feedId).first<LastRead>();
}

export async function readRun(db: D1Database, id: string): Promise<Run | null> {
  return await db.prepare(RUN_SQL.read).bind(id).first<Run>();
}

export async function listRuns(db: D1Database, limit: number, feedId?: string): Promise<Run[]> {
  const statement =
    feedId === undefined
      ? db.prepare(RUN_SQL.list).bind(limit)
      : db.prepare(RUN_SQL.listOf).bind(limit, feedId);
  return (await statement.all<Run>()).results;
}
