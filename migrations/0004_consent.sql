-- The last text that went to a number: which message a person answers, and from which sender an answer goes back.
CREATE INDEX messages_by_number ON messages (number) WHERE number IS NOT NULL;
-- The list of opt-outs, newest first, and what a person still has to look at.
CREATE INDEX suppressions_by_time ON suppressions (created_at);
CREATE INDEX consent_records_in_review ON consent_records (at) WHERE review = 1;
