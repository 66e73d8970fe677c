-- Tools and pages that fire webhooks: how each proves itself and what its deliveries mean.
CREATE TABLE trigger_sources (
  id               TEXT PRIMARY KEY,
  kind             TEXT NOT NULL,              -- typeform, shopify, generic, form, …
  name             TEXT,
  secrets          TEXT,                       -- AES-GCM under SOURCES_KEY: a JSON list; null where none is set
  fingerprints     TEXT NOT NULL,              -- JSON: what may be shown of the secrets
  event_type       TEXT,                       -- null: the tool's own word
  mapping          TEXT NOT NULL,              -- JSON, as are the next five
  vouches          TEXT,
  allowed_origins  TEXT NOT NULL,
  rate             TEXT NOT NULL,
  countries        TEXT,                       -- null: any
  options          TEXT NOT NULL,
  default_country  TEXT,
  tolerance_seconds INTEGER NOT NULL,
  publishable_hash TEXT,                       -- SHA-256 of the key that pages carry
  state            TEXT NOT NULL CHECK (state IN ('on', 'off')),
  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What became of the last deliveries, masked. Good and refused ones are kept apart, so that a flood of one hides none of the other.
CREATE TABLE source_deliveries (
  seq       INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id TEXT NOT NULL,
  good      INTEGER NOT NULL CHECK (good IN (0, 1)),
  at        INTEGER NOT NULL,
  document  TEXT NOT NULL                      -- JSON: stage, status, reason, hint, event ids, outcome, what was seen
) STRICT;
CREATE INDEX source_deliveries_of ON source_deliveries (source_id, good, seq);

-- Counters of sources that have limits: one row for each counted thing and window.
CREATE TABLE source_counts (
  source_id TEXT NOT NULL,
  counted   TEXT NOT NULL,                     -- 'minute', or a calling code such as '+44'
  window    INTEGER NOT NULL,                  -- its begin, milliseconds since 1970
  n         INTEGER NOT NULL,
  PRIMARY KEY (source_id, counted, window)
) STRICT, WITHOUT ROWID;
