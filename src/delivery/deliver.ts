/**
 * Deliver a batch of pointers: claim → provider → settle, one transaction each for the whole batch.
 *
 * No provider call begins unless the lease outlives its time-out; what is left over goes back to the queue as “not
 * sent”. So when a lease has run out, no call made under it can still be on its way out.
 */
import { type ClaimedMessage, claim } from '../ledger/claim.ts';
import { type Settlement, settle } from '../ledger/settle.ts';
import { newId } from '../platform/ids.ts';
import { errorText, log } from '../platform/log.ts';
import { backoffMs } from '../platform/retry.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Shard } from '../platform/shard.ts';
import { errorLine, type SendError } from './errors.ts';
import { enqueue } from './outbox.ts';
import { mapPool } from './pool.ts';
import type { OutboundMessage, Provider, SendOutcome } from './provider.ts';

/** A Worker may have six connections open at once; a seventh call would wait inside its own time-out. */
export const MAX_CONCURRENT_CALLS = 6;

/** @throws where D1 cannot be reached; the queue then delivers the pointers again, which is harmless. */
export async function deliver(
  runtime: Runtime,
  provider: Provider,
  shard: Shard,
  messageIds: readonly string[],
): Promise<void> {
  const { config } = runtime;
  const claimId = newId('clm');
  const claimedAt = runtime.now();
  const leaseUntil = claimedAt + config.leaseMs;
  const claimed = await claim(shard.db, [...new Set(messageIds)], claimId, claimedAt, leaseUntil);
  if (claimed.length === 0) return;

  const settlements = await mapPool(claimed, MAX_CONCURRENT_CALLS, async (message) => {
    const inTime = runtime.now() + config.providerTimeoutMs < leaseUntil;
    if (!inTime) return uncalled(runtime, provider.name, message);
    return settlement(
      runtime,
      provider.name,
      message,
      await call(provider, outbound(message, runtime.now()), config.providerTimeoutMs),
    );
  });
  await settle(shard.db, claimId, settlements, runtime.now());

  const again = settlements.filter((settled) => settled.state === 'queued' && settled.dueAt !== null);
  for (const [delaySeconds, ids] of byDelay(again, runtime.now()))
    await enqueue(runtime, shard, ids, delaySeconds);
}

/** What is tried again, by the whole seconds until it is due. */
function byDelay(again: readonly Settlement[], now: number): Map<number, string[]> {
  const groups = new Map<number, string[]>();
  for (const { id, dueAt } of again) {
    const seconds = Math.max(0, Math.ceil(((dueAt ?? now) - now) / 1000));
    groups.set(seconds, [...(groups.get(seconds) ?? []), id]);
  }
  return groups;
}

/** One provider call that always ends within the time-out. What it throws leaves the outcome unknown. */
async function call(provider: Provider, message: OutboundMessage, timeoutMs: number): Promise<SendOutcome> {
  const signal = AbortSignal.timeout(timeoutMs);
  const timeout = new Promise<SendOutcome>((resolve) => {
    signal.addEventListener('abort', () =>
      resolve({ kind: 'unknown', error: noAnswer(`no answer within ${timeoutMs} ms`) }),
    );
  });
  try {
    return await Promise.race([provider.send(message, signal), timeout]);
  } catch (error) {
    log('warn', 'provider.call_failed', {
      provider: provider.name,
      message: message.id,
      error: errorText(error),
    });
    return { kind: 'unknown', error: noAnswer(errorText(error)) };
  }
}

function noAnswer(detail: string): SendError {
  return { code: 'no_answer', providerCode: null, detail };
}

function outbound(message: ClaimedMessage, now: number): OutboundMessage {
  return { ...message, validitySeconds: Math.max(1, Math.floor((message.expiresAt - now) / 1000)) };
}

/** A claim whose time was over before its turn came: not an attempt. */
function uncalled(runtime: Runtime, provider: string, message: ClaimedMessage): Settlement {
  return {
    id: message.id,
    state: 'queued',
    reason: 'lease_too_short',
    detail: null,
    dueAt: runtime.now(),
    provider,
    providerMessageId: null,
    uncalled: 1,
  };
}

function settlement(
  runtime: Runtime,
  provider: string,
  message: ClaimedMessage,
  outcome: SendOutcome,
): Settlement {
  const { config } = runtime;
  const now = runtime.now();
  const base = { id: message.id, provider, providerMessageId: null, detail: null, dueAt: null } as const;
  switch (outcome.kind) {
    case 'accepted':
      return { ...base, state: 'sent', reason: null, providerMessageId: outcome.providerMessageId };
    case 'rejected':
      return {
        ...base,
        state: 'failed',
        reason: 'provider_rejected',
        detail: errorLine(provider, outcome.error),
      };
    case 'retry_later': {
      if (message.attempt >= config.maxAttempts) {
        return {
          ...base,
          state: 'failed',
          reason: 'retries_exhausted',
          detail: errorLine(provider, outcome.error),
        };
      }
      const waitMs = Math.max(
        Math.ceil(outcome.afterMs ?? 0),
        backoffMs(message.attempt, config.retryBaseMs),
      );
      return {
        ...base,
        state: 'queued',
        reason: 'provider_busy',
        detail: errorLine(provider, outcome.error),
        dueAt: now + waitMs,
      };
    }
    case 'unknown':
      return {
        ...base,
        state: 'unknown',
        reason: 'provider_timeout',
        detail: errorLine(provider, outcome.error),
        dueAt: now + config.reconcileMs,
      };
  }
}
