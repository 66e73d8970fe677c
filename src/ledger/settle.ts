/**
 * Settle: what became of claimed messages, all in one transaction, before their queue messages are acknowledged.
 *
 * Only the holder of the claim may settle. A settle that comes after the lease has run out still counts: knowing beats
 * `unknown`. Receipts that came before the ledger knew the provider's id are applied in the same transaction, and so is
 * what follows from refusals and from those receipts: opt-outs, findings about numbers, senders that rest, the provider's breaker.
 */

import type { DeliveryReason } from '../domain/reasons.ts';
import { rankSql } from '../domain/states.ts';
import { retryIdempotent } from '../platform/retry.ts';
import { breakerStatements, type Tally } from './breaker.ts';
import type { Tried } from './claim.ts';
import {
  type EarlyEffects,
  type Effect,
  earlyEffectStatements,
  effectStatements,
  SETTLE_EFFECT_SQL,
} from './effects.ts';

/** What became of one message. Times in milliseconds since 1970; `dueAt` is when it is looked at again. */
export interface Settlement {
  readonly id: string;
  readonly state: 'sent' | 'failed' | 'queued' | 'unknown' | 'suppressed' | 'expired';
  readonly reason: DeliveryReason | 'opted_out' | null;
  /** The provider's code or words; no personal data. */
  readonly detail: string | null;
  readonly dueAt: number | null;
  readonly provider: string;
  readonly providerMessageId: string | null;
  /** Our canonical error and the provider's code, where there was one. */
  readonly error?: string | null;
  readonly providerCode?: string | null;
  /** Left out: stays as it is. */
  readonly tried?: Tried;
  readonly parts?: number;
  readonly effect?: Effect | null;
  /** Attempts that this claim counted although no call was made. */
  readonly uncalled?: 1;
  /** It is sent again although an earlier call may have been taken. */
  readonly inDoubt?: 1;
}

const RECEIPT_REASON = `CASE r.state WHEN 'undelivered' THEN 'receipt_undelivered' WHEN 'failed' THEN 'receipt_failed' END`;

export const SETTLE_SQL = {
  settle: `UPDATE messages SET
      state = j.value ->> 'state',
      reason = j.value ->> 'reason',
      detail = j.value ->> 'detail',
      error = j.value ->> 'error',
      provider_code = j.value ->> 'providerCode',
      due_at = j.value ->> 'dueAt',
      attempts = attempts - coalesce(j.value ->> 'uncalled', 0),
      provider = j.value ->> 'provider',
      provider_message_id = coalesce(j.value ->> 'providerMessageId', provider_message_id),
      tried = coalesce(j.value ->> 'tried', tried),
      parts = coalesce(j.value ->> 'parts', parts),
      in_doubt = max(in_doubt, coalesce(j.value ->> 'inDoubt', 0)),
      updated_at = ?3
    FROM json_each(?1) j
    WHERE messages.id = j.value ->> 'id' AND messages.claim_id = ?2 AND messages.state IN ('sending', 'unknown')
    RETURNING messages.id`,
  applyEarlyReceipts: `UPDATE messages SET state = r.state, reason = ${RECEIPT_REASON}, detail = r.code, error = r.error,
      provider_code = r.code, due_at = NULL, updated_at = ?2
    FROM json_each(?1) j JOIN receipts r ON r.provider = j.value ->> 'provider'
      AND r.provider_message_id = j.value ->> 'providerMessageId'
    WHERE messages.id = j.value ->> 'id' AND messages.provider = r.provider
      AND messages.provider_message_id = r.provider_message_id
      AND ${rankSql('messages.state')} < ${rankSql('r.state')}`,
  dropAppliedReceipts: `DELETE FROM receipts WHERE (provider, provider_message_id) IN
      (SELECT value ->> 'provider', value ->> 'providerMessageId' FROM json_each(?1))`,
  /** A message that tried a resting sender was taken: the sender is well again. `?2` is the claim. */
  resumeSenders: `DELETE FROM sender_pauses WHERE (provider, sender) IN (
      SELECT j.value ->> 'provider', a.value FROM json_each(?1) j JOIN messages m ON m.id = j.value ->> 'id'
        JOIN json_each(json_array(m.sender, '*')) a WHERE j.value ->> 'state' = 'sent') AND probe_claim = ?2`,
} as const;

export interface Settled {
  /** Messages that this claim still held. */
  readonly ids: ReadonlySet<string>;
  /** Providers whose breaker this opened. */
  readonly opened: readonly string[];
}

/** Writes the outcomes of one claim. Idempotent, and repeated when D1 fails. */
export async function settle(
  db: D1Database,
  claimId: string,
  settlements: readonly Settlement[],
  now: number,
  tallies: readonly Tally[] = [],
  early: EarlyEffects = { items: [], byError: {} },
): Promise<Settled> {
  if (settlements.length === 0) return { ids: new Set(), opened: [] };
  const json = JSON.stringify(settlements);
  const statements = [db.prepare(SETTLE_SQL.settle).bind(json, claimId, now)];
  if (settlements.some((settlement) => settlement.providerMessageId !== null)) {
    statements.push(
      db.prepare(SETTLE_SQL.applyEarlyReceipts).bind(json, now),
      ...earlyEffectStatements(db, early, now),
      db.prepare(SETTLE_SQL.dropAppliedReceipts).bind(json),
      db.prepare(SETTLE_SQL.resumeSenders).bind(json, claimId),
    );
  }
  statements.push(
    ...effectStatements(db, SETTLE_EFFECT_SQL, settlements, now),
    ...breakerStatements(db, tallies, claimId, now),
  );
  const results = await retryIdempotent(() => db.batch(statements));
  const rows = <T>(result: D1Result | undefined): T[] => (result?.results ?? []) as T[];
  return {
    ids: new Set(rows<{ id: string }>(results[0]).map((row) => row.id)),
    opened: tallies.length > 0 ? rows<{ provider: string }>(results.at(-1)).map((row) => row.provider) : [],
  };
}
