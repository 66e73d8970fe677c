-- Where profiles come from, and how each import went. A feed without a row is the built-in one (FEED_PREFIX).
CREATE TABLE feeds (
  id          TEXT PRIMARY KEY,
  document    TEXT NOT NULL,                   -- JSON as validated by src/profiles/feeds/feed.ts; secrets by name only
  next_due_at INTEGER NOT NULL DEFAULT 0,      -- by its schedule; 0: at every tick
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;

-- One run is the import of one version of one document. It reads into chunks first, and writes only what was read whole.
DROP INDEX sync_runs_by_start;
ALTER TABLE sync_runs RENAME TO sync_runs_0001;
CREATE TABLE sync_runs (
  id               TEXT PRIMARY KEY,           -- derived from feed, key and version: the same content is one run
  feed_id          TEXT NOT NULL,
  document_key     TEXT NOT NULL,
  document_version TEXT,
  document_time    INTEGER NOT NULL,           -- the time of values that name none themselves
  mode             TEXT NOT NULL CHECK (mode IN ('delta', 'full')),
  dry_run          INTEGER NOT NULL DEFAULT 0,
  state            TEXT NOT NULL CHECK (state IN ('running', 'refused', 'done', 'failed', 'superseded', 'canceled')),
  phase            TEXT NOT NULL DEFAULT 'read' CHECK (phase IN ('read', 'compare', 'write', 'clear')),
  detail           TEXT,                       -- for the operator; no personal data
  approved         INTEGER NOT NULL DEFAULT 0, -- a person said yes to what the guards refused
  cursor           TEXT NOT NULL DEFAULT '{}', -- where reading or comparing goes on
  chunks           INTEGER NOT NULL DEFAULT 0, -- staged chunks of rows, and how many of them are written
  chunks_written   INTEGER NOT NULL DEFAULT 0,
  absent_chunks    INTEGER NOT NULL DEFAULT 0, -- the same for customers who are not in a full feed
  absent_cleared   INTEGER NOT NULL DEFAULT 0,
  bytes_total      INTEGER,                    -- as stored (compressed, where it is); null: not known
  bytes_read       INTEGER NOT NULL DEFAULT 0,
  rows_read        INTEGER NOT NULL DEFAULT 0,
  rows_rejected    INTEGER NOT NULL DEFAULT 0,
  rows_duplicate   INTEGER NOT NULL DEFAULT 0,
  rows_applied     INTEGER NOT NULL DEFAULT 0, -- of written chunks; what is neither written nor stale is unchanged
  rows_written     INTEGER NOT NULL DEFAULT 0,
  rows_stale       INTEGER NOT NULL DEFAULT 0,
  rows_known       INTEGER NOT NULL DEFAULT 0, -- full: customers who were compared, and those of them who are absent
  rows_absent      INTEGER NOT NULL DEFAULT 0,
  rows_cleared     INTEGER NOT NULL DEFAULT 0,
  claim_id         TEXT NOT NULL,
  lease_until      INTEGER NOT NULL,
  attempts         INTEGER NOT NULL DEFAULT 1, -- claims since the last progress
  started_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  finished_at      INTEGER
) STRICT;
INSERT INTO sync_runs (id, feed_id, document_key, document_version, document_time, mode, state, detail, rows_read, rows_rejected,
    rows_applied, rows_written, rows_stale, claim_id, lease_until, attempts, started_at, updated_at, finished_at)
  SELECT id, 'profiles', object_key, etag, started_at, 'delta', iif(state = 'running', 'failed', state), detail, rows_read, rows_failed,
    rows_changed + rows_unchanged + rows_stale, rows_changed, rows_stale, claim_id, lease_until, attempts, started_at,
    coalesce(finished_at, started_at), finished_at
  FROM sync_runs_0001;
DROP TABLE sync_runs_0001;
CREATE INDEX sync_runs_by_start ON sync_runs (started_at);
CREATE INDEX sync_runs_by_feed ON sync_runs (feed_id, started_at);
CREATE INDEX sync_runs_refused ON sync_runs (started_at) WHERE state = 'refused';
-- One run per feed at a time, whoever asks for it.
CREATE UNIQUE INDEX sync_runs_running ON sync_runs (feed_id) WHERE state = 'running';

-- What a run has staged in R2, in order. Its row comes with the cursor, so that a chunk without a row does not count.
CREATE TABLE sync_chunks (
  run_id TEXT NOT NULL,
  kind   TEXT NOT NULL CHECK (kind IN ('rows', 'absent')),
  n      INTEGER NOT NULL,
  key    TEXT NOT NULL,                        -- of the R2 object
  rows   INTEGER NOT NULL,
  PRIMARY KEY (run_id, kind, n)
) STRICT, WITHOUT ROWID;

-- Rejected rows of a run: line, field, reason. Bounded; nothing of a row is quoted.
CREATE TABLE sync_rejects (
  run_id     TEXT NOT NULL,
  part       INTEGER NOT NULL,
  rows       TEXT NOT NULL,                    -- JSON: [[line, field, reason], …]
  created_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, part)
) STRICT, WITHOUT ROWID;
