/**
 * Messages of the system itself: the confirmation of an opt-out or opt-in, the answer to HELP. They belong to no
 * campaign, event or customer, take the same way as all others, and each stands once in the ledger whatever was
 * delivered how often: its id is derived from the text that it answers.
 */
import type { Decision } from '../domain/decision.ts';
import { iso } from '../platform/sql.ts';
import type { SystemKind } from './replies.ts';

/** No policy can have this name. */
export const SYSTEM_POLICY = '(system)';

/** The law presumes consent to one confirmation within five minutes (47 CFR 64.1200(a)(12)); later ones expire. */
export const REPLY_WITHIN_MS = 5 * 60_000;

/** Two robots that answer each other's HELP would never end. */
const HELP_EVERY_MS = 3_600_000;

const INSERT = `INSERT INTO messages (id, event_id, campaign_id, customer_id, channel, sender, number, body, decision, state,
    due_at, expires_at, provider, created_at, updated_at, kind)
  SELECT ?1, ?2, '', '', 'sms', ?3, ?4, ?5, ?6, 'queued', ?7, ?8, ?9, ?7, ?7, ?10`;
const ONCE = 'ON CONFLICT (id) DO NOTHING';

export const SYSTEM_MESSAGE_SQL = {
  /** Only where this word is new (`?2`), opts out what was not out already, and no newer opt-in stands against it. */
  opt_out_confirmation: `${INSERT} WHERE NOT EXISTS (SELECT 1 FROM consent_records WHERE id = ?2)
    AND NOT EXISTS (SELECT 1 FROM suppressions WHERE number = ?4 AND scope IN ('all', ?12))
    AND NOT EXISTS (SELECT 1 FROM consent_records WHERE number = ?4 AND at > ?11 + 999 AND kind = 'opt_in' AND origin <> 'review')
    ${ONCE}`,
  /** Only where this word is new and lifts something. */
  opt_in_confirmation: `${INSERT} WHERE NOT EXISTS (SELECT 1 FROM consent_records WHERE id = ?2)
    AND EXISTS (SELECT 1 FROM suppressions WHERE number = ?4 AND created_at <= ?11 + 999) ${ONCE}`,
  help: `${INSERT} WHERE NOT EXISTS (SELECT 1 FROM messages WHERE number = ?4 AND kind = 'help' AND created_at > ?7 - ${HELP_EVERY_MS})
    ${ONCE}`,
  /** A newer word makes an answer that still waits untrue. */
  withdraw: `UPDATE messages SET state = 'canceled', reason = 'superseded', due_at = NULL, updated_at = ?3
    WHERE number = ?1 AND kind = ?2 AND state = 'queued' AND created_at <= ?3`,
  waiting: `SELECT id FROM messages WHERE id = ?1 AND state = 'queued'`,
  /** What went to a number last, and what it was. */
  last: `SELECT id, sender, kind, created_at FROM messages WHERE number = ?1 AND state NOT IN ('suppressed', 'canceled', 'expired', 'held')
    ORDER BY rowid DESC LIMIT 1`,
} as const;

export interface SystemMessage {
  readonly id: string;
  readonly kind: SystemKind;
  /** Id of the word that it answers. */
  readonly recordId: string;
  readonly sender: string;
  /** E.164. */
  readonly number: string;
  readonly body: string;
  /** The provider that brought the word. */
  readonly provider: string;
  /** When the word was said and when it came in, milliseconds since 1970. */
  readonly saidAt: number;
  readonly now: number;
  readonly scope: string;
}

export function systemMessageStatement(db: D1Database, message: SystemMessage): D1PreparedStatement {
  const { id, kind, recordId, sender, number, body, provider, saidAt, now, scope } = message;
  const all = [
    ...[id, recordId, sender, number, body, JSON.stringify(decisionOf(message)), now],
    ...[saidAt + REPLY_WITHIN_MS, provider, kind],
  ];
  const further = { opt_out_confirmation: [saidAt, scope], opt_in_confirmation: [saidAt], help: [] }[kind];
  const sql = SYSTEM_MESSAGE_SQL[kind];
  return db.prepare(sql).bind(...all, ...further);
}

const WHY: Readonly<Record<SystemKind, string>> = {
  opt_out_confirmation: 'Sent: confirms an opt-out, once and without marketing.',
  opt_in_confirmation: 'Sent: confirms an opt-in.',
  help: 'Sent: answers a call for help, which anybody may make.',
};

/** No rules were asked: the person wrote first. */
function decisionOf({ kind, number, now }: SystemMessage): Decision {
  return {
    outcome: 'deliver',
    reason: null,
    text: WHY[kind],
    number: { value: number, from: 'event' },
    policy: { name: SYSTEM_POLICY, version: 1 },
    decided_at: iso(now),
    candidates: [],
    rules: [],
    counterfactuals: [],
  };
}
