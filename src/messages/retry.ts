/** `POST /v1/messages/{id}/retry` and `/v1/messages/replay`: sending after all what surely was not sent. */
import { z } from 'zod';
import { enqueue } from '../delivery/outbox.ts';
import { DELIVERY_REASONS } from '../domain/reasons.ts';
import { findRetriable, requeue, retryState } from '../ledger/retry.ts';
import { slug, timestamp } from '../platform/fields.ts';
import type { Runtime } from '../platform/runtime.ts';
import { allShards } from '../platform/shard.ts';

const MAX_REPLAY = 1000;
const reasons = Object.keys(DELIVERY_REASONS);

export const retryFields = z.strictObject({ before: timestamp.optional() });

export const replayFields = z.strictObject({
  campaign: slug.optional(),
  reason: z
    .string('must be a reason such as "retries_exhausted"')
    .refine((reason) => reasons.includes(reason), 'is no reason that delivery gives; see GET /v1/messages')
    .optional(),
  from: timestamp.optional(),
  to: timestamp.optional(),
  before: timestamp.optional(),
  limit: z
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(MAX_REPLAY, `must be at most ${MAX_REPLAY}`)
    .default(100),
});

/** What became of one message, in words. `null`: there is none. */
export async function retryMessage(
  runtime: Runtime,
  id: string,
  fields: z.output<typeof retryFields>,
): Promise<Record<string, unknown> | null> {
  const now = runtime.now();
  // Today there is one shard; with many, a message's shard is in the pointer of its id.
  for (const shard of allShards(runtime)) {
    const retried = await requeue(shard.db, [id], now, timeOf(fields.before) ?? now + 1);
    if (retried.length > 0) {
      await enqueue(runtime, shard, retried);
      return { id, retried: true, state: 'queued', text: 'It is queued again, with a new time to live.' };
    }
    const found = await retryState(shard.db, id);
    if (found) return { id, retried: false, state: found.state, reason: found.reason, text: why(found) };
  }
  return null;
}

/** Queues again what failed, oldest first. Repeated with the same `before` it finds only what is left. */
export async function replay(
  runtime: Runtime,
  fields: z.output<typeof replayFields>,
): Promise<{ retried: number; messages: string[]; more: boolean; before: string }> {
  const now = runtime.now();
  const before = timeOf(fields.before) ?? now + 1;
  const filter = {
    from: timeOf(fields.from) ?? 0,
    to: Math.min(timeOf(fields.to) ?? before, before),
    reason: fields.reason ?? null,
    campaign: fields.campaign ?? null,
  };
  const messages: string[] = [];
  let more = false;
  for (const shard of allShards(runtime)) {
    const ids = await findRetriable(shard.db, filter, fields.limit + 1 - messages.length);
    const chosen = ids.slice(0, fields.limit - messages.length);
    more ||= ids.length > chosen.length;
    const retried = await requeue(shard.db, chosen, now, before);
    await enqueue(runtime, shard, retried);
    messages.push(...retried);
  }
  return { retried: messages.length, messages, more, before: new Date(before).toISOString() };
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

function why({ state, retriable }: { readonly state: string; readonly retriable: 0 | 1 }): string {
  if (retriable) return 'It failed after the time that “before” names; nothing was changed.';
  switch (state) {
    case 'queued':
    case 'held':
    case 'sending':
      return 'It is on its way already; nothing was changed.';
    case 'sent':
    case 'delivered':
    case 'undelivered':
      return 'A provider has taken it; it is never sent again.';
    case 'unknown':
      return 'Whether a provider has taken it is not known; it is not sent again by hand.';
    case 'failed':
    case 'expired':
      return 'A provider had taken it, or may have; it is never sent again.';
    default:
      return 'It was not to be sent; a new event may be.';
  }
}
