/** Receipts from the queue to the ledger, with what follows from the errors that they report. */

import { applyReceipts, type Receipt } from '../ledger/receipts.ts';
import type { ReceiptNote, Runtime } from '../platform/runtime.ts';
import { allShards } from '../platform/shard.ts';
import { effectOfReceipt } from './effects.ts';

/** Applies a batch of receipts in one transaction a shard. Harmless when repeated. */
export async function receive(runtime: Runtime, notes: readonly ReceiptNote[]): Promise<void> {
  const receipts = await Promise.all(
    notes.map(async (note): Promise<Receipt> => ({ ...note, effect: await effectOfReceipt(note) })),
  );
  for (const shard of allShards(runtime)) await applyReceipts(shard.db, receipts, runtime.now());
}
