/**
 * Claim: the only licence to call a provider.
 *
 * One statement moves a whole batch from `queued` to `sending` under a claim id and a lease. What must not be sent is
 * turned aside in the same statement: an opt-out (a message of the system itself, such as the confirmation of that
 * opt-out, is let pass), an end of life, a campaign that is gone (or another one under its id)
 * or not live; what waits for a campaign is looked at again when its life ends. D1 runs
 * statements one after the other, so once an opt-out is stored no later claim for its number can succeed.
 */

/** Clocks of two machines may differ: a pointer that is this much early is not lost for it. */
export const CLOCK_SKEW_MS = 1000;

export const CLAIM_SQL = `UPDATE messages SET
    state = v.verdict,
    reason = v.reason,
    detail = NULL,
    due_at = CASE v.verdict WHEN 'sending' THEN ?4 WHEN 'held' THEN v.expires_at END,
    claim_id = ?3,
    attempts = attempts + (v.verdict = 'sending'),
    updated_at = ?2
  FROM (
    SELECT m.id AS message_id, m.expires_at,
      CASE WHEN s.number IS NOT NULL THEN 'suppressed'
           WHEN m.expires_at <= ?2 THEN 'expired'
           WHEN m.kind <> 'campaign' THEN 'sending'
           WHEN c.id IS NULL OR c.created_at > m.created_at THEN 'canceled'
           WHEN c.state <> 'live' THEN 'held'
           ELSE 'sending' END AS verdict,
      CASE WHEN s.number IS NOT NULL THEN 'opted_out'
           WHEN m.expires_at <= ?2 THEN 'expired'
           WHEN m.kind <> 'campaign' THEN NULL
           WHEN c.id IS NULL OR c.created_at > m.created_at THEN 'campaign_deleted'
           WHEN c.state <> 'live' THEN 'campaign_paused' END AS reason
    FROM json_each(?1) j
      JOIN messages m ON m.id = j.value
      LEFT JOIN campaigns c ON c.id = m.campaign_id
      LEFT JOIN suppressions s ON s.number = m.number AND m.kind = 'campaign'
        AND (s.scope = 'all' OR c.purpose IS NOT 'transactional')
    WHERE m.state = 'queued' AND m.due_at <= ?2 + ${CLOCK_SKEW_MS}
  ) v
  WHERE messages.id = v.message_id
  RETURNING messages.id, messages.state, messages.reason, messages.channel, messages.sender, messages.number,
    messages.body, messages.media_urls, messages.attempts, messages.expires_at`;

/** A message that this worker, and nobody else, may now send. */
export interface ClaimedMessage {
  readonly id: string;
  readonly channel: 'sms' | 'mms';
  readonly sender: string;
  readonly number: string;
  readonly body: string;
  readonly mediaUrls: readonly string[];
  /** When it is no longer worth sending, milliseconds since 1970. */
  readonly expiresAt: number;
  /** 1 for the first attempt. */
  readonly attempt: number;
}

interface ClaimRow {
  readonly id: string;
  readonly state: string;
  readonly channel: 'sms' | 'mms';
  readonly sender: string;
  readonly number: string | null;
  readonly body: string | null;
  readonly media_urls: string;
  readonly attempts: number;
  readonly expires_at: number;
}

/**
 * Claims what may be sent of these messages.
 *
 * @param leaseUntil when the claim ends, milliseconds since 1970. Nobody else touches the messages before.
 */
export async function claim(
  db: D1Database,
  ids: readonly string[],
  claimId: string,
  now: number,
  leaseUntil: number,
): Promise<ClaimedMessage[]> {
  const { results } = await db
    .prepare(CLAIM_SQL)
    .bind(JSON.stringify(ids), now, claimId, leaseUntil)
    .all<ClaimRow>();
  return results.flatMap((row) =>
    row.state === 'sending' && row.number !== null && row.body !== null
      ? [
          {
            id: row.id,
            channel: row.channel,
            sender: row.sender,
            number: row.number,
            body: row.body,
            mediaUrls: JSON.parse(row.media_urls) as string[],
            expiresAt: row.expires_at,
            attempt: row.attempts,
          },
        ]
      : [],
  );
}
