/** The outbox queue: pointers to deliverable messages. The queue is the road, not the truth. */
import { errorText, log } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Shard } from '../platform/shard.ts';

/** Queues takes at most 100 messages in one call. */
const MAX_SEND = 100;

/**
 * Sends pointers. A failure is logged and otherwise harmless: the message stays `queued` in the ledger, and the sweeper
 * sends another pointer once the grace time has passed.
 */
export async function enqueue(
  runtime: Runtime,
  shard: Shard,
  messageIds: readonly string[],
  delaySeconds = 0,
): Promise<void> {
  for (let i = 0; i < messageIds.length; i += MAX_SEND) {
    const batch = messageIds.slice(i, i + MAX_SEND);
    try {
      await runtime.outbox.sendBatch(
        batch.map((message) => ({ body: { message, shard: shard.name } })),
        { delaySeconds },
      );
    } catch (error) {
      log('warn', 'outbox.send_failed', { pointers: batch.length, error: errorText(error) });
    }
  }
}
