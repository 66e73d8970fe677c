/** Sync runs in D1: one run is the import of one version of one feed object. A lease keeps two importers apart. */
import type { FieldError } from '../domain/attributes.ts';
import { iso } from '../platform/sql.ts';

export type RowError = FieldError & { readonly row: number };

export interface RunCounts {
  rows_read: number;
  rows_changed: number;
  rows_unchanged: number;
  rows_stale: number;
  rows_failed: number;
}

export interface SyncRun extends Readonly<RunCounts> {
  readonly id: string;
  readonly object_key: string;
  readonly etag: string;
  readonly state: 'running' | 'done' | 'failed';
  readonly detail: string | null;
  readonly errors: readonly RowError[];
  readonly attempts: number;
  readonly started_at: string;
  readonly finished_at: string | null;
}

const NO_COUNTS = `rows_read = 0, rows_changed = 0, rows_unchanged = 0, rows_stale = 0, rows_failed = 0, errors = '[]'`;

export const RUN_SQL = {
  known: `SELECT id FROM sync_runs WHERE id IN (SELECT value FROM json_each(?1)) AND (state <> 'running' OR lease_until > ?2)`,
  /** A new run, or one whose worker has died. `?6`: also one that has ended. */
  claim: `INSERT INTO sync_runs (id, object_key, etag, state, claim_id, lease_until, started_at)
    VALUES (?1, ?2, ?3, 'running', ?4, ?5, ?7)
    ON CONFLICT (id) DO UPDATE SET state = 'running', claim_id = excluded.claim_id, lease_until = excluded.lease_until,
      attempts = iif(sync_runs.state = 'running', attempts + 1, 1), started_at = excluded.started_at, finished_at = NULL, detail = NULL, ${NO_COUNTS}
      WHERE (sync_runs.state = 'running' AND sync_runs.lease_until <= ?7) OR (sync_runs.state <> 'running' AND ?6)
    RETURNING attempts`,
  progress: `UPDATE sync_runs SET rows_read = ?3, rows_changed = ?4, rows_unchanged = ?5, rows_stale = ?6, rows_failed = ?7,
      errors = ?8, lease_until = ?9 WHERE id = ?1 AND claim_id = ?2 AND state = 'running' RETURNING id`,
  finish: `UPDATE sync_runs SET state = ?3, detail = ?4, finished_at = ?5 WHERE id = ?1 AND claim_id = ?2`,
  read: 'SELECT * FROM sync_runs WHERE id = ?1',
  list: 'SELECT * FROM sync_runs ORDER BY started_at DESC LIMIT ?1',
} as const;

/** Of these runs, those that nobody need start: they have ended, or a worker holds them. */
export async function settledRuns(
  db: D1Database,
  ids: readonly string[],
  now: number,
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const { results } = await db.prepare(RUN_SQL.known).bind(JSON.stringify(ids), now).all<{ id: string }>();
  return new Set(results.map((row) => row.id));
}

/** @returns which attempt this is, where this claim holds the run now. @param again also take a run that has ended. */
export async function claimRun(
  db: D1Database,
  run: { id: string; key: string; etag: string },
  claimId: string,
  leaseUntil: number,
  now: number,
  again: boolean,
): Promise<number | null> {
  const row = await db
    .prepare(RUN_SQL.claim)
    .bind(run.id, run.key, run.etag, claimId, leaseUntil, Number(again), now)
    .first<{ attempts: number }>();
  return row?.attempts ?? null;
}

/** Writes progress and renews the lease. @returns false where the run was lost to another worker. */
export async function reportProgress(
  db: D1Database,
  runId: string,
  claimId: string,
  counts: RunCounts,
  errors: readonly RowError[],
  leaseUntil: number,
): Promise<boolean> {
  const row = await db
    .prepare(RUN_SQL.progress)
    .bind(
      runId,
      claimId,
      counts.rows_read,
      counts.rows_changed,
      counts.rows_unchanged,
      counts.rows_stale,
      counts.rows_failed,
      JSON.stringify(errors),
      leaseUntil,
    )
    .first();
  return row !== null;
}

export async function finishRun(
  db: D1Database,
  runId: string,
  claimId: string,
  state: 'done' | 'failed',
  detail: string | null,
  now: number,
): Promise<void> {
  await db.prepare(RUN_SQL.finish).bind(runId, claimId, state, detail, now).run();
}

export async function readRun(db: D1Database, id: string): Promise<SyncRun | null> {
  const row = await db.prepare(RUN_SQL.read).bind(id).first<RunRow>();
  return row && toRun(row);
}

export async function listRuns(db: D1Database, limit: number): Promise<SyncRun[]> {
  const { results } = await db.prepare(RUN_SQL.list).bind(limit).all<RunRow>();
  return results.map(toRun);
}

interface RunRow extends Omit<SyncRun, 'errors' | 'started_at' | 'finished_at'> {
  readonly errors: string;
  readonly started_at: number;
  readonly finished_at: number | null;
  readonly claim_id: string;
  readonly lease_until: number;
}

function toRun({ claim_id: _, lease_until: __, ...row }: RunRow): SyncRun {
  return {
    ...row,
    errors: JSON.parse(row.errors) as RowError[],
    started_at: iso(row.started_at),
    finished_at: row.finished_at === null ? null : iso(row.finished_at),
  };
}
