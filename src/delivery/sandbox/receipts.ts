/** Receipts that the sandbox carrier owes, posted to the real callback route with a Standard Webhooks signature. */
import { log } from '../../platform/log.ts';
import type { Runtime } from '../../platform/runtime.ts';
import { signedCallback } from './signature.ts';

export const SANDBOX_RECEIPT_SQL = {
  owed: `SELECT id, reference, receipt_state FROM sandbox_messages WHERE receipt_due_at <= ?1 ORDER BY receipt_due_at LIMIT ?2`,
  paid: `UPDATE sandbox_messages SET receipt_due_at = NULL WHERE id IN (SELECT value FROM json_each(?1))`,
} as const;

/** Receipts of one callback. */
const MAX_RECEIPTS = 100;

interface OwedRow {
  readonly id: string;
  readonly reference: string;
  readonly receipt_state: string;
}

/**
 * Posts every receipt that is due. Posted first and crossed off after, so a crash doubles a receipt rather than losing
 * it; real carriers do the same.
 */
export async function postReceipts(runtime: Runtime): Promise<void> {
  const { callbackSecret } = runtime.config;
  if (callbackSecret === null) return;
  for (;;) {
    const { results } = await runtime.db
      .prepare(SANDBOX_RECEIPT_SQL.owed)
      .bind(runtime.now(), MAX_RECEIPTS)
      .all<OwedRow>();
    if (results.length === 0) return;
    const receipts = results.map((row) => ({
      id: row.id,
      reference: row.reference,
      state: row.receipt_state,
    }));
    const response = await runtime.frontDoor(
      signedCallback(callbackSecret, '/callbacks/sandbox/status', { receipts }),
    );
    if (!response.ok) {
      log('warn', 'sandbox.receipts_refused', { status: response.status, receipts: receipts.length });
      return;
    }
    await runtime.db
      .prepare(SANDBOX_RECEIPT_SQL.paid)
      .bind(JSON.stringify(results.map((row) => row.id)))
      .run();
    if (results.length < MAX_RECEIPTS) return;
  }
}
