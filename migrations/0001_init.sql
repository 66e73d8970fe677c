-- OptiText's truth. Times are integers: milliseconds since 1970 (UTC). JSON stands in TEXT.
-- Every index earns its place: it costs one more row written per touch. docs/storage.md says what each is for.

-- Who may call, by the hash of their key. A key itself is shown once and stored nowhere.
CREATE TABLE sources (
  id              TEXT PRIMARY KEY,
  name            TEXT NOT NULL,
  key_hash        TEXT NOT NULL UNIQUE,
  scopes          TEXT NOT NULL,               -- JSON array of ingest, read, admin
  default_country TEXT,                        -- ISO 3166, for numbers in national format
  created_at      INTEGER NOT NULL,
  revoked_at      INTEGER
) STRICT;

CREATE TABLE campaigns (
  id             TEXT PRIMARY KEY,
  name           TEXT NOT NULL,
  trigger        TEXT NOT NULL,                -- the event type that starts it
  channel        TEXT NOT NULL CHECK (channel IN ('sms', 'mms')),
  sender         TEXT NOT NULL,
  body           TEXT NOT NULL,                -- Liquid
  media_urls     TEXT NOT NULL DEFAULT '[]',
  policy         TEXT NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('draft', 'live', 'paused')),
  ttl_seconds    INTEGER NOT NULL,             -- a message that waits longer expires
  resend_unknown INTEGER NOT NULL DEFAULT 0,   -- prefers a duplicate to a loss
  created_at     INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX campaigns_by_trigger ON campaigns (trigger, state);

-- Versions of policies. A version never changes; a change is a new version. Presets live in the code.
CREATE TABLE policies (
  name       TEXT NOT NULL,
  version    INTEGER NOT NULL,
  document   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE profiles (
  customer_id   TEXT PRIMARY KEY,
  mobile_number TEXT,                          -- as it was given
  e164          TEXT,                          -- as it is understood; null where missing or unusable
  sms_consent   INTEGER,                       -- 1, 0 or null: missing
  sms_valid     INTEGER,
  attributes    TEXT NOT NULL DEFAULT '{}',
  updated_at    INTEGER NOT NULL,              -- the source's time of these values
  written_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE events (
  id          TEXT PRIMARY KEY,
  source_id   TEXT NOT NULL,
  type        TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  body_hash   TEXT NOT NULL,                   -- tells a repeated event from another one under the same id
  data        TEXT NOT NULL,
  inputs      TEXT NOT NULL,                   -- what profile, event and suppressions said when it was decided
  answer      TEXT NOT NULL,                   -- messages of the first answer: [{id, campaign, state, reason, policy}]
  accept_id   TEXT NOT NULL                    -- the request that won the race for this id
) STRICT;

-- For what-if replays over a range of time.
CREATE INDEX events_by_time ON events (received_at);

CREATE TABLE messages (
  id                  TEXT PRIMARY KEY,        -- derived from campaign and event: a retry meets its own row
  event_id            TEXT NOT NULL,
  campaign_id         TEXT NOT NULL,
  customer_id         TEXT NOT NULL,
  channel             TEXT NOT NULL,
  sender              TEXT NOT NULL,
  number              TEXT,                    -- E.164
  body                TEXT,
  media_urls          TEXT NOT NULL DEFAULT '[]',
  decision            TEXT NOT NULL,
  state               TEXT NOT NULL,
  reason              TEXT,
  detail              TEXT,
  due_at              INTEGER,                 -- when to look again: earliest send, release or end of life, end of lease, next question; null: never
  expires_at          INTEGER NOT NULL,
  claim_id            TEXT,
  attempts            INTEGER NOT NULL DEFAULT 0,
  asks                INTEGER NOT NULL DEFAULT 0, -- questions to the provider about an unknown outcome
  provider            TEXT,
  provider_message_id TEXT,
  created_at          INTEGER NOT NULL,
  updated_at          INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_due ON messages (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX messages_by_provider ON messages (provider_message_id, provider) WHERE provider_message_id IS NOT NULL;
CREATE INDEX messages_by_customer ON messages (customer_id);
CREATE INDEX messages_held ON messages (campaign_id) WHERE state = 'held';

-- The timeline of each message. Written by triggers, so that no statement can change a state and not say so.
CREATE TABLE message_transitions (
  message_id TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  state      TEXT NOT NULL,
  reason     TEXT,
  detail     TEXT,
  attempt    INTEGER NOT NULL,
  PRIMARY KEY (message_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER messages_inserted AFTER INSERT ON messages
BEGIN
  INSERT INTO message_transitions VALUES (NEW.id, 1, NEW.updated_at, NEW.state, NEW.reason, NEW.detail, NEW.attempts);
END;

CREATE TRIGGER messages_changed AFTER UPDATE OF state, reason ON messages
WHEN OLD.state IS NOT NEW.state OR OLD.reason IS NOT NEW.reason
BEGIN
  INSERT INTO message_transitions
  SELECT NEW.id, max(seq) + 1, NEW.updated_at, NEW.state, NEW.reason, NEW.detail, NEW.attempts
  FROM message_transitions WHERE message_id = NEW.id;
END;

-- Receipts that came before the ledger knew the provider's id; the furthest state of each.
CREATE TABLE receipts (
  provider            TEXT NOT NULL,
  provider_message_id TEXT NOT NULL,
  state               TEXT NOT NULL,
  code                TEXT,
  received_at         INTEGER NOT NULL,
  PRIMARY KEY (provider, provider_message_id)
) STRICT, WITHOUT ROWID;

-- Numbers that must not be texted, from any customer, whatever anybody else says.
CREATE TABLE suppressions (
  number     TEXT PRIMARY KEY,                 -- E.164
  origin     TEXT NOT NULL,                    -- 'sms' or 'api'
  note       TEXT,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What people said about consent, in their order. Append-only.
CREATE TABLE consent_records (
  id     TEXT PRIMARY KEY,
  number TEXT NOT NULL,
  kind   TEXT NOT NULL CHECK (kind IN ('opt_out', 'opt_in')),
  origin TEXT NOT NULL,
  note   TEXT,
  at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_records_by_number ON consent_records (number, at);
CREATE TRIGGER consent_records_keep BEFORE UPDATE ON consent_records
BEGIN SELECT RAISE(ABORT, 'consent_records is append-only'); END;
CREATE TRIGGER consent_records_stay BEFORE DELETE ON consent_records
BEGIN SELECT RAISE(ABORT, 'consent_records is append-only'); END;

-- One run is the import of one version of one feed object.
CREATE TABLE sync_runs (
  id             TEXT PRIMARY KEY,             -- derived from object key and etag: the same object is one run
  object_key     TEXT NOT NULL,
  etag           TEXT NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
  detail         TEXT,
  rows_read      INTEGER NOT NULL DEFAULT 0,
  rows_changed   INTEGER NOT NULL DEFAULT 0,
  rows_unchanged INTEGER NOT NULL DEFAULT 0,
  rows_stale     INTEGER NOT NULL DEFAULT 0,
  rows_failed    INTEGER NOT NULL DEFAULT 0,
  errors         TEXT NOT NULL DEFAULT '[]',   -- the first hundred: [{row, path, message}]
  claim_id       TEXT NOT NULL,
  lease_until    INTEGER NOT NULL,
  attempts       INTEGER NOT NULL DEFAULT 1,
  started_at     INTEGER NOT NULL,
  finished_at    INTEGER
) STRICT;
CREATE INDEX sync_runs_by_start ON sync_runs (started_at);

-- The sandbox carrier's own memory: what it took, and the receipts that it still owes. Not part of the ledger.
CREATE TABLE sandbox_messages (
  id             TEXT PRIMARY KEY,
  reference      TEXT NOT NULL,                -- our message id
  recipient      TEXT NOT NULL,
  sender         TEXT NOT NULL,
  body           TEXT NOT NULL,
  media_urls     TEXT NOT NULL,
  accepted_at    INTEGER NOT NULL,
  receipt_state  TEXT,
  receipt_due_at INTEGER
) STRICT;
CREATE INDEX sandbox_messages_by_reference ON sandbox_messages (reference);
CREATE INDEX sandbox_messages_by_recipient ON sandbox_messages (recipient);
CREATE INDEX sandbox_messages_owed ON sandbox_messages (receipt_due_at) WHERE receipt_due_at IS NOT NULL;

-- How often the sandbox carrier was called for a message, whatever it answered.
CREATE TABLE sandbox_calls (
  reference TEXT PRIMARY KEY,
  calls     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
