-- Waiting for the batch: a message whose decision lacks something waits for its customer's profile until `wait_until`.
ALTER TABLE messages ADD COLUMN wait_until INTEGER;
-- Counts what concerns a wait: each write of the profile, each new decision. A decision is stored only under the count
-- that it was taken under, so it cannot overlook a profile that came while it was being taken.
ALTER TABLE messages ADD COLUMN wait_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN decided_by TEXT NOT NULL DEFAULT 'event' CHECK (decided_by IN ('event', 'profile', 'deadline'));
-- What of a decision to send rests on the event's word alone: bits, src/domain/grounds.ts. Null: nothing.
ALTER TABLE messages ADD COLUMN grounds INTEGER;
CREATE INDEX messages_waiting ON messages (customer_id) WHERE reason = 'waiting_for_profile';

-- The decisions of messages that were decided more than once. A message that never was has its only one in `messages`.
CREATE TABLE message_decisions (
  message_id TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  decided_at INTEGER NOT NULL,
  cause      TEXT NOT NULL,
  decision   TEXT NOT NULL,
  PRIMARY KEY (message_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER messages_decided_again AFTER UPDATE OF decision ON messages
WHEN OLD.decision IS NOT NEW.decision
BEGIN
  INSERT INTO message_decisions
  SELECT OLD.id, 1, OLD.created_at, OLD.decided_by, OLD.decision
  WHERE NOT EXISTS (SELECT 1 FROM message_decisions WHERE message_id = OLD.id);
  INSERT INTO message_decisions
  SELECT NEW.id, max(seq) + 1, NEW.updated_at, NEW.decided_by, NEW.decision
  FROM message_decisions WHERE message_id = NEW.id;
END;
