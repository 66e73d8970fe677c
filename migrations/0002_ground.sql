-- Keys of callers get a name of their own: a source is where triggers come from.
ALTER TABLE sources RENAME TO api_keys;

-- What a campaign says about purpose, providers, unknown outcomes, and profiles that are not there yet.
ALTER TABLE campaigns ADD COLUMN purpose TEXT NOT NULL DEFAULT 'marketing' CHECK (purpose IN ('marketing', 'transactional'));
ALTER TABLE campaigns ADD COLUMN providers TEXT NOT NULL DEFAULT '[]';          -- JSON array of names, tried in this order; empty: the configured one
ALTER TABLE campaigns ADD COLUMN on_unknown TEXT NOT NULL DEFAULT 'keep' CHECK (on_unknown IN ('keep', 'resend'));
ALTER TABLE campaigns ADD COLUMN unknown_after_seconds INTEGER NOT NULL DEFAULT 28800; -- then an unknown outcome is reported and counts as sent
ALTER TABLE campaigns ADD COLUMN wait_seconds INTEGER;                          -- how long a trigger waits for a profile; null: not at all
UPDATE campaigns SET on_unknown = 'resend' WHERE resend_unknown = 1;
ALTER TABLE campaigns DROP COLUMN resend_unknown;

-- Messages of the system itself (a confirmation of an opt-out, an answer to HELP) belong to no campaign.
ALTER TABLE messages ADD COLUMN kind TEXT NOT NULL DEFAULT 'campaign';

ALTER TABLE suppressions ADD COLUMN scope TEXT NOT NULL DEFAULT 'all' CHECK (scope IN ('all', 'marketing'));

-- Consent records say more: how far the word reaches, by which message or source, with which evidence. A CHECK cannot
-- be altered, so the table is made anew; its rows stay as they are.
DROP TRIGGER consent_records_keep;
DROP TRIGGER consent_records_stay;
DROP INDEX consent_records_by_number;
ALTER TABLE consent_records RENAME TO consent_records_0001;
CREATE TABLE consent_records (
  id         TEXT PRIMARY KEY,
  number     TEXT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('opt_out', 'opt_in', 'consent_given')), -- consent_given: a form's word; it lifts nothing
  scope      TEXT NOT NULL DEFAULT 'all' CHECK (scope IN ('all', 'marketing')),
  origin     TEXT NOT NULL,                    -- sms, api, link, mail, call, web, provider, event
  note       TEXT,
  message_id TEXT,                             -- the message that it answers or came with, where known
  source_id  TEXT,                             -- the key or trigger source that reported it
  evidence   TEXT,                             -- JSON: the text as received, the disclosure shown, the provider's code
  review     INTEGER NOT NULL DEFAULT 0,       -- 1: read in doubt; a person should look
  at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO consent_records (id, number, kind, origin, note, at) SELECT id, number, kind, origin, note, at FROM consent_records_0001;
DROP TABLE consent_records_0001;
CREATE INDEX consent_records_by_number ON consent_records (number, at);
CREATE TRIGGER consent_records_keep BEFORE UPDATE ON consent_records
BEGIN SELECT RAISE(ABORT, 'consent_records is append-only'); END;
CREATE TRIGGER consent_records_stay BEFORE DELETE ON consent_records
BEGIN SELECT RAISE(ABORT, 'consent_records is append-only'); END;
