/** The receipts queue's consumer: one transaction a batch. Its dead letters are tried the same way, slowly. */
import { receive } from '../delivery/receipts.ts';
import { errorText, log } from '../platform/log.ts';
import type { ReceiptNote, Runtime } from '../platform/runtime.ts';

export async function consumeReceipts(runtime: Runtime, batch: MessageBatch<ReceiptNote>): Promise<void> {
  try {
    const notes = batch.messages.map((message) => message.body);
    await receive(runtime, notes);
    batch.ackAll();
  } catch (error) {
    log('error', 'receipts.batch_failed', { receipts: batch.messages.length, error: errorText(error) });
    batch.retryAll({ delaySeconds: 10 });
  }
}
