/** What the ledger answered when an event first came: the same answer is given to every repetition. */
import type { Decision } from '../domain/decision.ts';

/** A message as the answer to an event names it. */
export interface AnswerMessage {
  readonly id: string;
  readonly campaign: string;
  readonly state: string;
  readonly reason: string | null;
}

export interface StoredAnswer {
  readonly bodyHash: string;
  readonly acceptId: string;
  readonly messages: readonly (AnswerMessage & { readonly decision: Decision | null })[];
}

/** Looked up by event id; `?1` is a JSON array of ids. */
export const STORED_SQL = {
  events: `SELECT id, body_hash, accept_id, answer FROM events WHERE id IN (SELECT value FROM json_each(?1))`,
  /** Of messages that were decided again since, the first decision. */
  messages: `SELECT m.id, coalesce((SELECT d.decision FROM message_decisions d WHERE d.message_id = m.id AND d.seq = 1),
      m.decision) AS decision FROM events e, json_each(e.answer) a
    JOIN messages m ON m.id = a.value ->> 'id' WHERE e.id IN (SELECT value FROM json_each(?1))`,
} as const;

export interface StoredEventRow {
  readonly id: string;
  readonly body_hash: string;
  readonly accept_id: string;
  readonly answer: string;
}

export interface StoredMessageRow {
  readonly id: string;
  readonly decision: string;
}

/** Stored answers by event id. */
export function storedAnswers(
  events: readonly StoredEventRow[],
  messages: readonly StoredMessageRow[],
): ReadonlyMap<string, StoredAnswer> {
  const decisions = new Map(messages.map((row) => [row.id, row.decision]));
  return new Map(
    events.map((row) => {
      const answer: readonly AnswerMessage[] = JSON.parse(row.answer);
      const withDecision = answer.map(({ id, campaign, state, reason }) => {
        const decision = decisions.get(id);
        return {
          id,
          campaign,
          state,
          reason,
          decision: decision === undefined ? null : (JSON.parse(decision) as Decision),
        };
      });
      return [row.id, { bodyHash: row.body_hash, acceptId: row.accept_id, messages: withDecision }];
    }),
  );
}
