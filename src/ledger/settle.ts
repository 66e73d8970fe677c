/**
 * Settle: what became of claimed messages, all in one transaction, before their queue messages are acknowledged.
 *
 * Only the holder of the claim may settle. A settle that comes after the lease has run out still counts: knowing beats
 * `unknown`. Receipts that came before the ledger knew the provider's id are applied in the same transaction.
 */

import type { DeliveryReason } from '../domain/reasons.ts';
import { rankSql } from '../domain/states.ts';
import { retryIdempotent } from '../platform/retry.ts';

/** What became of one message. Times in milliseconds since 1970; `dueAt` is when it is looked at again. */
export interface Settlement {
  readonly id: string;
  readonly state: 'sent' | 'failed' | 'queued' | 'unknown';
  readonly reason: DeliveryReason | null;
  /** The provider's code or words; no personal data. */
  readonly detail: string | null;
  readonly dueAt: number | null;
  readonly provider: string;
  readonly providerMessageId: string | null;
  /** Attempts that this claim counted although no call was made. */
  readonly uncalled?: 1;
}

const RECEIPT_REASON = `CASE r.state WHEN 'undelivered' THEN 'receipt_undelivered' WHEN 'failed' THEN 'receipt_failed' END`;

export const SETTLE_SQL = {
  settle: `UPDATE messages SET
      state = j.value ->> 'state',
      reason = j.value ->> 'reason',
      detail = j.value ->> 'detail',
      due_at = j.value ->> 'dueAt',
      attempts = attempts - coalesce(j.value ->> 'uncalled', 0),
      provider = j.value ->> 'provider',
      provider_message_id = coalesce(j.value ->> 'providerMessageId', provider_message_id),
      updated_at = ?3
    FROM json_each(?1) j
    WHERE messages.id = j.value ->> 'id' AND messages.claim_id = ?2 AND messages.state IN ('sending', 'unknown')
    RETURNING messages.id`,
  applyEarlyReceipts: `UPDATE messages SET state = r.state, reason = ${RECEIPT_REASON}, detail = r.code, due_at = NULL, updated_at = ?2
    FROM json_each(?1) j JOIN receipts r ON r.provider = j.value ->> 'provider'
      AND r.provider_message_id = j.value ->> 'providerMessageId'
    WHERE messages.id = j.value ->> 'id' AND messages.provider = r.provider
      AND messages.provider_message_id = r.provider_message_id
      AND ${rankSql('messages.state')} < ${rankSql('r.state')}`,
  dropAppliedReceipts: `DELETE FROM receipts WHERE (provider, provider_message_id) IN
      (SELECT value ->> 'provider', value ->> 'providerMessageId' FROM json_each(?1))`,
} as const;

/**
 * Writes the outcomes of one claim. Idempotent, and repeated when D1 fails.
 *
 * @returns ids of the messages that this claim still held.
 */
export async function settle(
  db: D1Database,
  claimId: string,
  settlements: readonly Settlement[],
  now: number,
): Promise<ReadonlySet<string>> {
  if (settlements.length === 0) return new Set();
  const json = JSON.stringify(settlements);
  const statements = [db.prepare(SETTLE_SQL.settle).bind(json, claimId, now)];
  if (settlements.some((settlement) => settlement.providerMessageId !== null)) {
    statements.push(
      db.prepare(SETTLE_SQL.applyEarlyReceipts).bind(json, now),
      db.prepare(SETTLE_SQL.dropAppliedReceipts).bind(json),
    );
  }
  const [settled] = await retryIdempotent(() => db.batch<{ id: string }>(statements));
  return new Set(settled?.results.map((row) => row.id));
}
