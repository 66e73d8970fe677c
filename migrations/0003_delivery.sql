-- Delivery through routes of providers: who was asked, what they said, who rests, and how fast a sender may send.

-- What the provider said last, in our words (`error`, see src/delivery/errors.ts) and in its own.
ALTER TABLE messages ADD COLUMN error TEXT;
ALTER TABLE messages ADD COLUMN provider_code TEXT;
ALTER TABLE messages ADD COLUMN tried TEXT NOT NULL DEFAULT '{}';             -- JSON: provider → "no" for good, or not before a time
ALTER TABLE messages ADD COLUMN attempts_base INTEGER NOT NULL DEFAULT 0;     -- attempts before the last retry by hand
ALTER TABLE messages ADD COLUMN in_doubt INTEGER NOT NULL DEFAULT 0;          -- 1: sent again though an earlier call may have been taken
ALTER TABLE messages ADD COLUMN called_at INTEGER;                            -- when it was last claimed
ALTER TABLE messages ADD COLUMN send_at INTEGER;                              -- the slot that pacing gave it
ALTER TABLE messages ADD COLUMN parts INTEGER;                                -- as the provider counted them

CREATE INDEX messages_unknown ON messages (called_at) WHERE state = 'unknown';
CREATE INDEX messages_resting ON messages (reason, provider, sender)
  WHERE state = 'held' AND reason IN ('sender_paused', 'provider_resting', 'no_provider');
CREATE INDEX messages_refused ON messages (updated_at) WHERE state IN ('failed', 'expired');

-- The timeline names the provider and its code at every step.
ALTER TABLE message_transitions ADD COLUMN provider TEXT;
ALTER TABLE message_transitions ADD COLUMN error TEXT;
ALTER TABLE message_transitions ADD COLUMN provider_code TEXT;
DROP TRIGGER messages_inserted;
DROP TRIGGER messages_changed;
CREATE TRIGGER messages_inserted AFTER INSERT ON messages
BEGIN
  INSERT INTO message_transitions (message_id, seq, at, state, reason, detail, attempt)
  VALUES (NEW.id, 1, NEW.updated_at, NEW.state, NEW.reason, NEW.detail, NEW.attempts);
END;
CREATE TRIGGER messages_changed AFTER UPDATE OF state, reason ON messages
WHEN OLD.state IS NOT NEW.state OR OLD.reason IS NOT NEW.reason
BEGIN
  INSERT INTO message_transitions (message_id, seq, at, state, reason, detail, attempt, provider, error, provider_code)
  SELECT NEW.id, max(seq) + 1, NEW.updated_at, NEW.state, NEW.reason, NEW.detail, NEW.attempts,
    NEW.provider, NEW.error, NEW.provider_code
  FROM message_transitions WHERE message_id = NEW.id;
END;

-- Receipts that found no message: kept for a day.
ALTER TABLE receipts ADD COLUMN error TEXT;
CREATE INDEX receipts_by_time ON receipts (received_at);

-- Receipts of single parts, where a provider reports each part of a long text by itself.
CREATE TABLE receipt_parts (
  provider            TEXT NOT NULL,
  provider_message_id TEXT NOT NULL,
  part                TEXT NOT NULL,
  state               TEXT NOT NULL,
  code                TEXT,
  error               TEXT,
  received_at         INTEGER NOT NULL,
  PRIMARY KEY (provider, provider_message_id, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_parts_by_time ON receipt_parts (received_at);

-- What providers found out about numbers: no mobile, or no number at all. SMS_VALID is false for them.
CREATE TABLE number_findings (
  number        TEXT PRIMARY KEY,              -- E.164
  error         TEXT NOT NULL,
  provider      TEXT NOT NULL,
  provider_code TEXT,
  message_id    TEXT NOT NULL,
  found_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Senders that rest at a provider because sender or account have a problem there. Sender '*' is the whole account.
CREATE TABLE sender_pauses (
  provider      TEXT NOT NULL,
  sender        TEXT NOT NULL,
  error         TEXT NOT NULL,
  provider_code TEXT,
  message_id    TEXT NOT NULL,                 -- the message that met the problem
  since         INTEGER NOT NULL,
  probes        INTEGER NOT NULL DEFAULT 0,
  probe_at      INTEGER NOT NULL,              -- from then on one message may try
  probe_claim   TEXT,                          -- the claim whose message tries
  PRIMARY KEY (provider, sender)
) STRICT, WITHOUT ROWID;

-- The circuit breaker of each provider.
CREATE TABLE provider_state (
  provider     TEXT PRIMARY KEY,
  window_start INTEGER NOT NULL,
  calls        INTEGER NOT NULL,
  failures     INTEGER NOT NULL,
  opens        INTEGER NOT NULL DEFAULT 0,     -- how often in a row it was opened; 0: closed
  open_since   INTEGER,
  open_until   INTEGER NOT NULL DEFAULT 0,
  probe_claim  TEXT                            -- the claim whose messages try whether it works again
) STRICT, WITHOUT ROWID;

-- How fast a sender may send, and which slots are given away. Times in milliseconds, with fractions.
CREATE TABLE sender_pace (
  sender              TEXT PRIMARY KEY,
  messages_per_second REAL,                    -- null: the default
  next_slot           REAL NOT NULL DEFAULT 0, -- the first slot that is free
  queue_end           REAL NOT NULL DEFAULT 0, -- when the last message that was put off comes again
  last_claim          TEXT
) STRICT, WITHOUT ROWID;
