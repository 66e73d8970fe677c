/**
 * Retry by hand: back to `queued` for messages that surely no provider has taken.
 *
 * Those are `failed` and `expired` ones without a provider's id and without a doubt: never those whose earlier call may
 * have been taken, never what was reported undelivered. Opt-outs and the campaign's state are looked at again by the claim.
 */

/** `m` may be sent again. What was reported as failed by a receipt had been accepted. */
const RETRIABLE = `m.state IN ('failed', 'expired') AND m.provider_message_id IS NULL AND m.in_doubt = 0
  AND m.reason IS NOT 'receipt_failed' AND m.number IS NOT NULL AND m.body IS NOT NULL`;

/** `?1` ids as JSON, `?2` now, `?3` only what has stood so since before this time. Its time to live begins anew. */
export const RETRY_SQL = {
  requeue: `UPDATE messages SET state = 'queued', reason = 'retried', detail = NULL, error = NULL, provider_code = NULL, due_at = ?2,
      expires_at = ?2 + 1000 * coalesce((SELECT ttl_seconds FROM campaigns c WHERE c.id = messages.campaign_id), 86400),
      tried = '{}', attempts_base = attempts, updated_at = ?2
    WHERE id IN (SELECT m.id FROM json_each(?1) j JOIN messages m ON m.id = j.value WHERE ${RETRIABLE} AND m.updated_at < ?3)
    RETURNING id`,
  state: `SELECT m.state, m.reason, ${RETRIABLE} AS retriable FROM messages m WHERE m.id = ?1`,
  /** Oldest failures first. `?1`, `?2` from and to, `?3` reason, `?4` campaign (null: any), `?5` how many. */
  find: `SELECT m.id FROM messages m WHERE m.state IN ('failed', 'expired') AND m.updated_at >= ?1 AND m.updated_at < ?2
    AND ${RETRIABLE} AND (m.reason = ?3 OR (?3 IS NULL AND m.state = 'failed')) AND (?4 IS NULL OR m.campaign_id = ?4)
    ORDER BY m.updated_at LIMIT ?5`,
} as const;

export interface RetryFilter {
  /** Milliseconds since 1970; when the messages failed. */
  readonly from: number;
  readonly to: number;
  /** `null`: every reason but `expired`, which must be asked for. */
  readonly reason: string | null;
  readonly campaign: string | null;
}

/** @returns ids of those that are queued again. Repeated with the same `before` it changes nothing. */
export async function requeue(
  db: D1Database,
  ids: readonly string[],
  now: number,
  before: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(RETRY_SQL.requeue)
    .bind(JSON.stringify(ids), now, before)
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

export async function findRetriable(db: D1Database, filter: RetryFilter, limit: number): Promise<string[]> {
  const { from, to, reason, campaign } = filter;
  const { results } = await db
    .prepare(RETRY_SQL.find)
    .bind(from, to, reason, campaign, limit)
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

export interface RetryState {
  readonly state: string;
  readonly reason: string | null;
  readonly retriable: 0 | 1;
}

export async function retryState(db: D1Database, id: string): Promise<RetryState | null> {
  return await db.prepare(RETRY_SQL.state).bind(id).first<RetryState>();
}
