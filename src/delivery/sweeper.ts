/**
 * The cron run's part in delivery: what lost its pointer gets a new one, what was held is released, what lost its
 * worker becomes unknown, and providers are asked about what is unknown.
 */
import { type Settlement, settle } from '../ledger/settle.ts';
import { giveUpLeases, release, requeueLost, takeUnknown, type UnknownMessage } from '../ledger/sweep.ts';
import { newId } from '../platform/ids.ts';
import { errorText, log } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import { allShards, type Shard } from '../platform/shard.ts';
import { MAX_CONCURRENT_CALLS } from './deliver.ts';
import { enqueue } from './outbox.ts';
import { mapPool } from './pool.ts';
import type { LookupOutcome } from './provider.ts';
import { providerFor } from './providers/index.ts';

/** Rows a statement takes at once, and how often it may: one run handles up to 20 × 500 messages of a kind. */
const SWEEP_ROWS = 500;
const SWEEP_ROUNDS = 20;

/** After this many questions without an answer, an outcome is taken to be unknowable: some eight hours by default. */
export const MAX_ASKS = 10;

export async function sweep(runtime: Runtime): Promise<void> {
  for (const shard of allShards(runtime)) {
    const { config } = runtime;
    const lost = await inRounds((limit) => giveUpLeases(shard.db, runtime.now(), config.reconcileMs, limit));
    if (lost.length > 0) log('warn', 'sweep.leases_over', { messages: lost.length });
    await reconcile(runtime, shard);
    await enqueue(runtime, shard, await inRounds((limit) => release(shard.db, runtime.now(), limit)));
    const requeued = await inRounds((limit) =>
      requeueLost(shard.db, runtime.now(), config.sweepGraceMs, limit),
    );
    if (requeued.length > 0) log('warn', 'sweep.pointers_lost', { messages: requeued.length });
    await enqueue(runtime, shard, requeued);
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
async function reconcile(runtime: Runtime, shard: Shard): Promise<void> {
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
      outcomeOf(runtime, message, await ask(runtime, message)),
    );
    const settlements = answers.filter((answer) => answer !== null);
    await settle(shard.db, claimId, settlements, runtime.now());
    const again = settlements.filter((settlement) => settlement.state === 'queued').map(({ id }) => id);
    await enqueue(runtime, shard, again);
    if (unknown.length < SWEEP_ROWS) return;
  }
}

async function ask(runtime: Runtime, message: UnknownMessage): Promise<LookupOutcome> {
  try {
    const provider = providerFor(runtime, message.provider ?? undefined);
    if (!provider.lookup) return { kind: 'cannot_tell' };
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
  const provider = message.provider ?? runtime.config.provider;
  const base = { id: message.id, provider, providerMessageId: null, detail: null, dueAt: null } as const;
  const sendAgain = (reason: 'not_taken' | 'resend_preferred'): Settlement =>
    message.attempts >= runtime.config.maxAttempts
      ? { ...base, state: 'failed', reason: 'retries_exhausted' }
      : { ...base, state: 'queued', reason, dueAt: runtime.now() };
  switch (answer.kind) {
    case 'taken':
      return { ...base, state: 'sent', reason: null, providerMessageId: answer.providerMessageId };
    case 'not_taken':
      return sendAgain('not_taken');
    case 'cannot_tell':
      if (message.asks < MAX_ASKS) return null;
      return message.resendUnknown
        ? sendAgain('resend_preferred')
        : { ...base, state: 'unknown', reason: 'outcome_unknowable' };
  }
}
