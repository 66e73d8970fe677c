/**
 * Sweep: what the cron run finds, one guarded statement each, so that two runs at once take different rows.
 *
 * - `queued` and long due: its pointer was lost with a queue or a process; it gets a new one.
 * - `held` and due: it is released, where this page knows its reason. What waits for a profile is decided again: waiting.ts.
 * - `held` for a sender or provider that rests: it becomes due when the rest is over; one or a few, when it may be tried.
 * - `sending` and past its lease: its worker died or lost its tongue; whether the provider took it is `unknown`.
 * - `unknown` and due: the provider is asked.
 */

const DUE = `SELECT id FROM messages WHERE due_at <= ?1 AND state =`;

/** Where a message has no campaign (any more): as campaigns have it by default. */
const UNKNOWN_AFTER = `1000 * coalesce((SELECT unknown_after_seconds FROM campaigns c WHERE c.id = messages.campaign_id), 28800)`;

/** How many messages are let go at once to try a provider that rested. */
const TRIES = 3;

/** Word for word the condition of the index `messages_resting`, which is used for nothing else. */
export const RESTING = `m.state = 'held' AND m.reason IN ('sender_paused', 'provider_resting', 'no_provider')`;
const WAITING = `FROM messages m WHERE ${RESTING} AND m.reason =`;

export const SWEEP_SQL = {
  requeueLost: `UPDATE messages SET due_at = ?2, updated_at = ?2
    WHERE id IN (${DUE} 'queued' ORDER BY due_at LIMIT ?3) RETURNING id`,
  release: `UPDATE messages SET state = 'queued', reason = NULL, detail = NULL, due_at = ?1, updated_at = ?1
    WHERE id IN (${DUE} 'held' AND reason IN ('campaign_paused', 'sender_paused', 'provider_resting', 'no_provider')
      ORDER BY due_at LIMIT ?2) RETURNING id`,
  giveUpLeases: `UPDATE messages SET state = 'unknown', reason = 'lease_expired', due_at = ?1 + ?2, updated_at = ?1
    WHERE id IN (${DUE} 'sending' ORDER BY due_at LIMIT ?3) RETURNING id`,
  takeUnknown: `UPDATE messages SET asks = asks + 1, claim_id = ?3, updated_at = ?1,
      due_at = max(?1 + 1, min(?1 + ?2 * (1 << min(asks, 10)), coalesce(called_at, ?1) + ${UNKNOWN_AFTER}))
    WHERE id IN (${DUE} 'unknown' ORDER BY due_at LIMIT ?4)
    RETURNING id, asks, attempts - attempts_base AS attempts, provider, provider_message_id AS providerMessageId, sender, number,
      coalesce(called_at, ?1) AS calledAt, coalesce(called_at, ?1) + ${UNKNOWN_AFTER} AS unknowableAt,
      (SELECT on_unknown FROM campaigns c WHERE c.id = messages.campaign_id) AS on_unknown`,
} as const;

/** `?1` now, `?2` how many. Nothing changes but the time at which they are looked at: `release` and the claim do the rest. */
export const WAKE_SQL = {
  resumed: `UPDATE messages SET due_at = ?1 WHERE id IN (SELECT m.id ${WAITING} 'sender_paused'
    AND NOT EXISTS (SELECT 1 FROM sender_pauses p WHERE p.provider = m.provider AND p.sender IN (m.sender, '*')) LIMIT ?2)`,
  tryPaused: `UPDATE messages SET due_at = ?1 WHERE id IN (SELECT (SELECT m.id ${WAITING} 'sender_paused'
      AND m.provider = b.provider AND (b.sender = '*' OR m.sender = b.sender) LIMIT 1)
    FROM sender_pauses b WHERE b.probe_at <= ?1 LIMIT ?2)`,
  rested: `UPDATE messages SET due_at = ?1 WHERE id IN (SELECT m.id ${WAITING} 'provider_resting'
    AND NOT EXISTS (SELECT 1 FROM provider_state o WHERE o.provider = m.provider AND o.opens > 0) LIMIT ?2)`,
  tryRested: `UPDATE messages SET due_at = ?1 WHERE id IN (SELECT m.id ${WAITING} 'provider_resting'
    AND m.provider = ?3 AND EXISTS (SELECT 1 FROM provider_state o WHERE o.provider = ?3 AND o.open_until <= ?1) LIMIT ${TRIES})`,
} as const;

/** What is kept no longer than a day: receipts that found no message, and parts of texts. */
export const PURGE_SQL = {
  receipts: 'DELETE FROM receipts WHERE received_at < ?1',
  parts: 'DELETE FROM receipt_parts WHERE received_at < ?1',
} as const;

export interface UnknownMessage {
  readonly id: string;
  /** Which question this is; 1 for the first. */
  readonly asks: number;
  readonly attempts: number;
  readonly provider: string;
  readonly providerMessageId: string | null;
  readonly sender: string;
  readonly number: string;
  /** When the provider was last called, milliseconds since 1970. */
  readonly calledAt: number;
  /** When it is reported that nobody will ever know. */
  readonly unknowableAt: number;
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

/** Held messages whose time has come, of the reasons that delivery itself gives; others have keepers of their own. */
export async function release(db: D1Database, now: number, limit: number): Promise<string[]> {
  const { results } = await db.prepare(SWEEP_SQL.release).bind(now, limit).all<{ id: string }>();
  return results.map((row) => row.id);
}

/** Makes due what waits for a sender or provider that is well again, and the few that try those that may be. */
export async function wakeWaiting(
  db: D1Database,
  providers: readonly string[],
  now: number,
  limit: number,
): Promise<void> {
  await db.batch([
    ...[WAKE_SQL.resumed, WAKE_SQL.tryPaused, WAKE_SQL.rested].map((sql) => db.prepare(sql).bind(now, limit)),
    ...providers.map((provider) => db.prepare(WAKE_SQL.tryRested).bind(now, limit, provider)),
  ]);
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
 * Takes messages whose provider is to be asked, under a new claim; the next question is due twice as late, the last one
 * when the campaign's `unknown_after` is over. From here on the worker that called the provider can no longer settle: the
 * answer of the provider itself decides.
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

/** Forgets receipts that came before this time and found no message. */
export async function purgeReceipts(db: D1Database, before: number): Promise<void> {
  await db.batch([PURGE_SQL.receipts, PURGE_SQL.parts].map((sql) => db.prepare(sql).bind(before)));
}
