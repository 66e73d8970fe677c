/** A run as the API shows it. */
import { iso } from '../../platform/sql.ts';
import type { Run } from './runs.ts';

/** Reading is half of a run; writing and clearing the other half. */
const READ_SHARE = 0.5;

export function runJson(run: Run): Record<string, unknown> {
  const seconds = Math.max((run.finished_at ?? run.updated_at) - run.started_at, 0) / 1000;
  const progress = progressOf(run);
  const isRunning = run.state === 'running';
  return {
    id: run.id,
    feed: run.feed_id,
    document: run.document_key,
    version: run.document_version,
    document_time: iso(run.document_time),
    mode: run.mode,
    dry_run: run.dry_run === 1,
    state: run.state,
    phase: isRunning ? run.phase : null,
    detail: run.detail,
    approved: run.approved === 1,
    progress,
    bytes_read: run.bytes_read,
    bytes_total: run.bytes_total,
    rows_read: run.rows_read,
    rows_written: run.rows_written,
    rows_unchanged: run.rows_applied - run.rows_written - run.rows_stale,
    rows_stale: run.rows_stale,
    rows_duplicate: run.rows_duplicate,
    rows_rejected: run.rows_rejected,
    rows_cleared: run.rows_cleared,
    rows_absent: run.rows_absent,
    rows_per_second: seconds > 0 ? Math.round(run.rows_read / seconds) : null,
    eta_seconds:
      isRunning && progress !== null && progress > 0
        ? Math.round((seconds * (1 - progress)) / progress)
        : null,
    attempts: run.attempts,
    started_at: iso(run.started_at),
    updated_at: iso(run.updated_at),
    finished_at: run.finished_at === null ? null : iso(run.finished_at),
  };
}

/** From 0 to 1; null where the size is not known yet. */
function progressOf(run: Run): number | null {
  if (run.state === 'done') return 1;
  if (run.phase === 'read') {
    if (run.bytes_total === null || run.bytes_total === 0) return null;
    return rounded(Math.min(run.bytes_read / run.bytes_total, 1) * READ_SHARE);
  }
  const all = run.chunks + run.absent_chunks;
  const done = all === 0 ? 0 : (run.chunks_written + run.absent_cleared) / all;
  return rounded(READ_SHARE + done * (1 - READ_SHARE));
}

const rounded = (share: number): number => Math.round(share * 1000) / 1000;
