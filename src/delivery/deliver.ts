/**
 * Deliver a batch of pointers: claim → provider → settle, one transaction each for the whole batch.
 *
 * No provider call begins unless the lease outlives its time-out; what is left over goes back to the queue as “not
 * sent”. So when a lease has run out, no call made under it can still be on its way out. One claim is one licence: a
 * provider is called at most once for a message, and the next provider of a route is called under a claim of its own.
 */
import { type ClaimedMessage, claimBatch, optedOutSince } from '../ledger/claim.ts';
import { SLOT_HORIZON_MS } from '../ledger/claim-sql.ts';
import { type Settlement, settle } from '../ledger/settle.ts';
import { newId } from '../platform/ids.ts';
import { errorText, log } from '../platform/log.ts';
import { sleep } from '../platform/retry.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Shard } from '../platform/shard.ts';
import { type ProviderBook, providerBook, routingOf } from './book.ts';
import { earlyEffects } from './effects.ts';
import type { SendError } from './errors.ts';
import { enqueue } from './outbox.ts';
import { settlementOf, tallies, uncalled } from './outcome.ts';
import { mapPool } from './pool.ts';
import type { OutboundMessage, Provider, SendOutcome } from './provider.ts';

/** A Worker may have six connections open at once; a seventh call would wait inside its own time-out. */
export const MAX_CONCURRENT_CALLS = 6;

/** An opt-out that comes after the claim is looked for again before a call that begins this much later. */
export const RECHECK_AFTER_MS = 2000;

/** Queues delays a message by at most twelve hours; the sweeper finds what is due later. */
const MAX_DELAY_SECONDS = 43_200;

/** @throws where D1 cannot be reached; the queue then delivers the pointers again, which is harmless. */
export async function deliver(
  runtime: Runtime,
  shard: Shard,
  messageIds: readonly string[],
  book: ProviderBook = providerBook(runtime),
): Promise<void> {
  const { config } = runtime;
  const claimId = newId('clm');
  const claimedAt = runtime.now();
  const leaseUntil = claimedAt + config.leaseMs;
  const routing = routingOf(runtime, book);
  const { claimed, putOff } = await claimBatch(shard.db, messageIds, claimId, claimedAt, leaseUntil, routing);
  await enqueueLater(runtime, shard, putOff);
  if (claimed.length === 0) return;

  const optOuts = optOutWatch(runtime, shard.db, claimed, claimedAt);
  const calls: { provider: string; outcome: SendOutcome }[] = [];
  const settlements = await mapPool(claimed, MAX_CONCURRENT_CALLS, async (message): Promise<Settlement> => {
    if (message.sendAt !== null && message.sendAt > runtime.now())
      await sleep(message.sendAt - runtime.now());
    const optedOut = await optOuts();
    if (optedOut === 'not known') return uncalled(message, 'queued', 'lease_too_short', runtime.now());
    if (optedOut.has(message.id)) return uncalled(message, 'suppressed', 'opted_out', null);
    const now = runtime.now();
    // Calls that come late to their slots would bunch up behind a slow one.
    if (message.sendAt !== null && now > message.sendAt + SLOT_HORIZON_MS)
      return uncalled(message, 'queued', 'paced', now);
    const provider = book(message.provider);
    if (!provider || now + config.providerTimeoutMs >= leaseUntil || now >= message.expiresAt)
      return uncalled(message, 'queued', 'lease_too_short', now);
    const outcome = await call(provider, outbound(message, now), config.providerTimeoutMs);
    calls.push({ provider: message.provider, outcome });
    const usable = (name: string): boolean => book(name)?.channels.includes(message.channel) ?? false;
    return await settlementOf(runtime, message, outcome, usable);
  });
  const early = await earlyEffects(settlements);
  const { opened } = await settle(shard.db, claimId, settlements, runtime.now(), tallies(calls), early);
  report(settlements, opened);
  await enqueueLater(
    runtime,
    shard,
    settlements.filter((settled) => settled.state === 'queued'),
  );
}

/** Who rests from now on. The sender itself stays out of the log; /health names it. */
function report(settlements: readonly Settlement[], opened: readonly string[]): void {
  for (const provider of opened) log('error', 'delivery.provider_rests', { provider });
  for (const { id, provider, effect } of settlements) {
    if (effect?.kind === 'pause_sender')
      log('error', 'delivery.sender_paused', {
        provider,
        message: id,
        error: effect.error,
        code: effect.code,
      });
  }
}

/** Pointers for what is tried again, by the whole seconds until it is due. */
async function enqueueLater(
  runtime: Runtime,
  shard: Shard,
  messages: readonly { readonly id: string; readonly dueAt: number | null }[],
): Promise<void> {
  const now = runtime.now();
  const bySeconds = Map.groupBy(messages, ({ dueAt }) =>
    Math.min(Math.max(0, Math.ceil(((dueAt ?? now) - now) / 1000)), MAX_DELAY_SECONDS),
  );
  for (const [seconds, group] of bySeconds) {
    await enqueue(
      runtime,
      shard,
      group.map(({ id }) => id),
      seconds,
    );
  }
}

/**
 * Who has opted out since the claim. Asked again only where time has passed; calls that begin together ask together.
 * Where the database does not answer, nobody is called.
 */
function optOutWatch(
  runtime: Runtime,
  db: D1Database,
  claimed: readonly ClaimedMessage[],
  claimedAt: number,
): () => Promise<ReadonlySet<string> | 'not known'> {
  let askedAt = claimedAt;
  let known: Promise<ReadonlySet<string> | 'not known'> = Promise.resolve(new Set());
  const ids = claimed.map(({ id }) => id);
  return () => {
    if (runtime.now() - askedAt >= RECHECK_AFTER_MS) {
      askedAt = runtime.now();
      known = optedOutSince(db, ids).catch((error: unknown) => {
        log('warn', 'delivery.recheck_failed', { messages: ids.length, error: errorText(error) });
        return 'not known' as const;
      });
    }
    return known;
  };
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
  const { id, channel, sender, number, body, mediaUrls } = message;
  const validitySeconds = Math.max(1, Math.floor((message.expiresAt - now) / 1000));
  return { id, channel, sender, number, body, mediaUrls, validitySeconds };
}
