/** The outbox queue's consumers: pointers to deliver, and pointers that the queue gave up on. */
import { markDeadLetters } from '../ledger/deadletter.ts';
import { errorText, log } from '../platform/log.ts';
import type { Pointer, Runtime } from '../platform/runtime.ts';
import { shardNamed } from '../platform/shard.ts';
import { type ProviderBook, providerBook } from './book.ts';
import { deliver } from './deliver.ts';

/**
 * Delivers a batch. Pointers are acknowledged once the ledger knows what became of their messages; where D1 cannot be
 * reached they come again, and the claim decides what is still to be done.
 */
export async function consumeOutbox(
  runtime: Runtime,
  batch: MessageBatch<Pointer>,
  book: ProviderBook = providerBook(runtime),
): Promise<void> {
  for (const [shardName, messages] of byShard(batch)) {
    try {
      const ids = messages.map((message) => message.body.message);
      await deliver(runtime, shardNamed(runtime, shardName), ids, book);
      for (const message of messages) message.ack();
    } catch (error) {
      log('error', 'outbox.batch_failed', { pointers: messages.length, error: errorText(error) });
      for (const message of messages) message.retry({ delaySeconds: Math.min(2 ** message.attempts, 60) });
    }
  }
}

/** Marks dead letters in the ledger, and never drops one: where the mark cannot be written, it comes again. */
export async function consumeDeadLetters(runtime: Runtime, batch: MessageBatch<Pointer>): Promise<void> {
  for (const [shardName, messages] of byShard(batch)) {
    try {
      const ids = messages.map((message) => message.body.message);
      await markDeadLetters(shardNamed(runtime, shardName).db, ids, runtime.now());
      log('error', 'outbox.dead_letters', { pointers: messages.length });
      for (const message of messages) message.ack();
    } catch (error) {
      log('error', 'outbox.dead_letters_failed', { pointers: messages.length, error: errorText(error) });
      for (const message of messages) message.retry();
    }
  }
}

function byShard(batch: MessageBatch<Pointer>): Map<string, Message<Pointer>[]> {
  const groups = new Map<string, Message<Pointer>[]>();
  for (const message of batch.messages) {
    const group = groups.get(message.body.shard);
    if (group) group.push(message);
    else groups.set(message.body.shard, [message]);
  }
  return groups;
}
