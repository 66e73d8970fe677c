/**
 * The cron run's part in delivery: what lost its pointer gets a new one, what was held is released, what lost its
 * worker becomes unknown, and providers are asked about what is unknown.
 */
import { type Settlement, settle } from '../ledger/settle.ts';
import {
  giveUpLeases,
  purgeReceipts,
  release,
  requeueLost,
  takeUnknown,
  type UnknownMessage,
  wakeWaiting,
} from '../ledger/sweep.ts';
import { newId } from '../platform/ids.ts';
import { errorText, log } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import { allShards, type Shard } from '../platform/shard.ts';
import { type ProviderBook, providerBook } from './book.ts';
import { MAX_CONCURRENT_CALLS } from './deliver.ts';
import { earlyEffects } from './effects.ts';
import { enqueue } from './outbox.ts';
import { mapPool } from './pool.ts';
import type { LookupOutcome, Provider } from './provider.ts';
import { PROVIDER_NAMES } from './providers/names.ts';

/** Rows a statement takes at once, and how often it may: one run handles up to 20 × 500 messages of a kind. */
const SWEEP_ROWS = 500;
const SWEEP_ROUNDS = 20;

/** How long a receipt is kept that found no message. */
const KEEP_RECEIPTS_MS = 86_400_000;

export async function sweep(runtime: Runtime, book: ProviderBook = providerBook(runtime)): Promise<void> {
  for (const shard of allShards(runtime)) {
    const { config } = runtime;
    const lost = await inRounds((limit) => giveUpLeases(shard.db, runtime.now(), config.reconcileMs, limit));
    if (lost.length > 0) log('warn', 'sweep.leases_over', { messages: lost.length });
    await reconcile(runtime, shard, book);
    await wakeWaiting(shard.db, PROVIDER_NAMES, runtime.now(), SWEEP_ROWS * SWEEP_ROUNDS);
    await enqueue(runtime, shard, await inRounds((limit) => release(shard.db, runtime.now(), limit)));
    const requeued = await inRounds((limit) =>
      requeueLost(shard.db, runtime.now(), config.sweepGraceMs, limit),
    );
    if (requeued.length > 0) log('warn', 'sweep.pointers_lost', { messages: requeued.length });
    await enqueue(runtime, shard, requeued);
    await purgeReceipts(shard.db, runtime.now() - KEEP_RECEIPTS_MS);
  }
}

async function inRounds(take: (limit: number) => Promise<string[]>): Promise<string[]> {
  const all: string[] = [];
  for (let round = 0; round < SWEEP_ROUNDS; round++) {
    const ids = await take(SWEEP_ROWS);
    all.push(...ids);
    if (ids.length < SWEEP_ROWS) break;
  }
  return all;
}

/** Asks providers about unknown outcomes and writes what they say. */
async function reconcile(runtime: Runtime, shard: Shard, book: ProviderBook): Promise<void> {
  for (let round = 0; round < SWEEP_ROUNDS; round++) {
    const claimId = newId('clm');
    const unknown = await takeUnknown(
      shard.db,
      runtime.now(),
      runtime.config.reconcileMs,
      claimId,
      SWEEP_ROWS,
    );
    const answers = await mapPool(unknown, MAX_CONCURRENT_CALLS, async (message) =>
      outcomeOf(runtime, message, await ask(runtime, message, book(message.provider))),
    );
    const settlements = answers.filter((answer) => answer !== null);
    const early = await earlyEffects(settlements);
    await settle(shard.db, claimId, settlements, runtime.now(), [], early);
    report(settlements);
    const again = settlements.filter((settlement) => settlement.state === 'queued').map(({ id }) => id);
    await enqueue(runtime, shard, again);
    if (unknown.length < SWEEP_ROWS) return;
  }
}

/** Nobody will ever know: said once in the log, and by /health for as long as the message is kept. */
function report(settlements: readonly Settlement[]): void {
  const unknowable = settlements.filter(({ reason }) => reason === 'outcome_unknowable');
  if (unknowable.length > 0) log('error', 'delivery.outcome_unknowable', { messages: unknowable.length });
}

async function ask(
  runtime: Runtime,
  message: UnknownMessage,
  provider: Provider | undefined,
): Promise<LookupOutcome> {
  if (!provider?.lookup) return { kind: 'cannot_tell' };
  try {
    const query = {
      id: message.id,
      providerMessageId: message.providerMessageId,
      sender: message.sender,
      number: message.number,
      calledAt: message.calledAt,
    };
    return await provider.lookup(query, AbortSignal.timeout(runtime.config.providerTimeoutMs));
  } catch (error) {
    log('warn', 'provider.lookup_failed', { message: message.id, error: errorText(error) });
    return { kind: 'cannot_tell' };
  }
}

/** What the provider's answer means for the message; `null`: ask again later. */
function outcomeOf(runtime: Runtime, message: UnknownMessage, answer: LookupOutcome): Settlement | null {
  const { id, provider } = message;
  const base = { id, provider, providerMessageId: null, detail: null, dueAt: null } as const;
  const attemptsLeft = message.attempts < runtime.config.maxAttempts;
  switch (answer.kind) {
    case 'taken':
      return { ...base, state: 'sent', reason: null, providerMessageId: answer.providerMessageId };
    case 'not_taken':
      return attemptsLeft
        ? { ...base, state: 'queued', reason: 'not_taken', dueAt: runtime.now() }
        : { ...base, state: 'failed', reason: 'retries_exhausted' };
    case 'cannot_tell':
      if (runtime.now() < message.unknowableAt) return null;
      return message.resendUnknown && attemptsLeft
        ? { ...base, state: 'queued', reason: 'resend_preferred', dueAt: runtime.now(), inDoubt: 1 }
        : { ...base, state: 'unknown', reason: 'outcome_unknowable' };
  }
}
