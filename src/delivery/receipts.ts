/** Receipts from the queue to the ledger, with what follows from the errors that they report. */

import { applyEffects, applyReceipts, type Receipt } from '../ledger/receipts.ts';
import type { EarlyReceipt } from '../ledger/settle.ts';
import type { ReceiptNote, Runtime } from '../platform/runtime.ts';
import { allShards } from '../platform/shard.ts';
import { effectFrom } from './effects.ts';

/** Applies a batch of receipts in one transaction a shard. Harmless when repeated. */
export async function receive(runtime: Runtime, notes: readonly ReceiptNote[]): Promise<void> {
  const receipts = await Promise.all(
    notes.map(async (note): Promise<Receipt> => ({ ...note, effect: await effectOfReceipt(note) })),
  );
  for (const shard of allShards(runtime)) await applyReceipts(shard.db, receipts, runtime.now());
}

/** What follows from receipts that were applied by the settle they came before: the number is invalid, or opted out. */
export async function applyEffectsOf(
  runtime: Runtime,
  db: D1Database,
  receipts: readonly EarlyReceipt[],
): Promise<void> {
  const telling = receipts.filter((receipt) => receipt.error !== null);
  const items = await Promise.all(
    telling.map(async (receipt) => ({ ...receipt, effect: await effectOfReceipt(receipt) })),
  );
  await applyEffects(db, items, runtime.now());
}

async function effectOfReceipt(
  receipt: Pick<ReceiptNote, 'provider' | 'provider_message_id' | 'error' | 'code'>,
) {
  return await effectFrom(
    receipt.error,
    receipt.code,
    'receipt',
    receipt.provider,
    receipt.provider_message_id,
  );
}
