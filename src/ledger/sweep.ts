/**
 * Sweep: what the cron run finds by `due_at`, one guarded statement each, so that two runs at once take different rows.
 *
 * - `queued` and long due: its pointer was lost with a queue or a process; it gets a new one.
 * - `held` and due: it is released. What waits for a profile is not: it is decided again, see waiting.ts.
 * - `sending` and past its lease: its worker died or lost its tongue; whether the provider took it is `unknown`.
 * - `unknown` and due: the provider is asked.
 */

const DUE = `SELECT id FROM messages WHERE due_at <= ?1 AND state =`;

export const SWEEP_SQL = {
  requeueLost: `UPDATE messages SET due_at = ?2, updated_at = ?2
    WHERE id IN (${DUE} 'queued' ORDER BY due_at LIMIT ?3) RETURNING id`,
  release: `UPDATE messages SET state = 'queued', reason = NULL, detail = NULL, due_at = ?1, updated_at = ?1
    WHERE id IN (${DUE} 'held' AND reason IS NOT 'waiting_for_profile' ORDER BY due_at LIMIT ?2) RETURNING id`,
  giveUpLeases: `UPDATE messages SET state = 'unknown', reason = 'lease_expired', due_at = ?1 + ?2, updated_at = ?1
    WHERE id IN (${DUE} 'sending' ORDER BY due_at LIMIT ?3) RETURNING id`,
  takeUnknown: `UPDATE messages SET due_at = ?1 + ?2 * (1 << min(asks, 10)), asks = asks + 1, claim_id = ?3, updated_at = ?1
    WHERE id IN (${DUE} 'unknown' ORDER BY due_at LIMIT ?4)
    RETURNING id, asks, attempts, provider, provider_message_id AS providerMessageId, sender, number,
      (SELECT max(at) FROM message_transitions t WHERE t.message_id = messages.id AND t.state = 'sending') AS calledAt,
      (SELECT on_unknown FROM campaigns c WHERE c.id = messages.campaign_id) AS on_unknown`,
} as const;

export interface UnknownMessage {
  readonly id: string;
  /** Which question this is; 1 for the first. */
  readonly asks: number;
  readonly attempts: number;
  /** `null` where the worker died before it could say whom it called. */
  readonly provider: string | null;
  readonly providerMessageId: string | null;
  readonly sender: string;
  readonly number: string;
  /** When the provider was last called, milliseconds since 1970. */
  readonly calledAt: number;
  readonly resendUnknown: boolean;
}

/** Queued messages that have waited longer than the grace time; their grace starts anew. */
export async function requeueLost(
  db: D1Database,
  now: number,
  graceMs: number,
  limit: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(SWEEP_SQL.requeueLost)
    .bind(now - graceMs, now, limit)
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

export async function release(db: D1Database, now: number, limit: number): Promise<string[]> {
  const { results } = await db.prepare(SWEEP_SQL.release).bind(now, limit).all<{ id: string }>();
  return results.map((row) => row.id);
}

/** @param askAfterMs how long after the lease the provider is first asked: a call may still be in the air. */
export async function giveUpLeases(
  db: D1Database,
  now: number,
  askAfterMs: number,
  limit: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(SWEEP_SQL.giveUpLeases)
    .bind(now, askAfterMs, limit)
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

/**
 * Takes messages whose provider is to be asked, under a new claim; the next question is due twice as late. From here on
 * the worker that called the provider can no longer settle: the answer of the provider itself decides.
 */
export async function takeUnknown(
  db: D1Database,
  now: number,
  askAgainMs: number,
  claimId: string,
  limit: number,
): Promise<UnknownMessage[]> {
  const { results } = await db
    .prepare(SWEEP_SQL.takeUnknown)
    .bind(now, askAgainMs, claimId, limit)
    .all<Omit<UnknownMessage, 'resendUnknown'> & { on_unknown: string | null }>();
  return results.map(({ on_unknown, ...row }) => ({ ...row, resendUnknown: on_unknown === 'resend' }));
}
