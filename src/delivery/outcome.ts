/** What one provider call means for its message: the settlement of each outcome. */
import type { Tally } from '../ledger/breaker.ts';
import type { ClaimedMessage, Tried } from '../ledger/claim.ts';
import type { Settlement } from '../ledger/settle.ts';
import { backoffMs } from '../platform/retry.ts';
import type { Runtime } from '../platform/runtime.ts';
import { effectFrom } from './effects.ts';
import { effectOf, errorLine, faultOf, type SendError } from './errors.ts';
import type { SendOutcome } from './provider.ts';

const NOTHING = { detail: null, dueAt: null, providerMessageId: null } as const;

/** @param usable providers that are set up for the message's channel. */
export async function settlementOf(
  runtime: Runtime,
  message: ClaimedMessage,
  outcome: SendOutcome,
  usable: (provider: string) => boolean,
): Promise<Settlement> {
  const { provider } = message;
  const base = { ...NOTHING, id: message.id, provider };
  if (outcome.kind === 'accepted') {
    return {
      ...base,
      state: 'sent',
      reason: null,
      providerMessageId: outcome.providerMessageId,
      ...(outcome.parts !== undefined && { parts: outcome.parts }),
    };
  }
  const { error } = outcome;
  const said = {
    ...base,
    detail: errorLine(provider, error),
    error: error.code,
    providerCode: error.providerCode,
    effect: await effectFrom(error.code, error.providerCode, provider, message.id, String(message.attempt)),
  };
  switch (outcome.kind) {
    case 'rejected':
      return refused(runtime, message, error, said, usable);
    case 'retry_later':
      return putOff(runtime, message, outcome.afterMs, said, usable);
    case 'unknown':
      return {
        ...said,
        state: 'unknown',
        reason: 'provider_timeout',
        dueAt: runtime.now() + runtime.config.reconcileMs,
      };
  }
}

type Said = Omit<Settlement, 'state' | 'reason'>;
type Usable = (provider: string) => boolean;

/**
 * A definite no. What every provider would refuse fails. What is the provider's own fault goes on along the route. A
 * problem of sender or account pauses that sender there, so that the next claim goes on along the route or waits.
 */
function refused(
  runtime: Runtime,
  message: ClaimedMessage,
  error: SendError,
  said: Said,
  usable: Usable,
): Settlement {
  if (effectOf(error.code) === 'pause_sender') {
    return { ...said, state: 'queued', reason: 'sender_refused', dueAt: runtime.now() };
  }
  const tried: Tried = { ...message.tried, [message.provider]: 'no' };
  if (faultOf(error.code) === 'provider')
    return again(runtime, message, said, tried, usable, 'provider_rejected');
  return { ...said, state: 'failed', reason: 'provider_rejected', tried };
}

/** A definite “not sent” that may change by itself: this provider not before its time, another of the route at once. */
function putOff(
  runtime: Runtime,
  message: ClaimedMessage,
  afterMs: number | null,
  said: Said,
  usable: Usable,
): Settlement {
  const { config } = runtime;
  const waitMs = Math.max(Math.ceil(afterMs ?? 0), backoffMs(message.attemptOfRound, config.retryBaseMs));
  const tried: Tried = { ...message.tried, [message.provider]: runtime.now() + waitMs };
  if (message.attemptOfRound >= config.maxAttempts)
    return { ...said, state: 'failed', reason: 'retries_exhausted', tried };
  return again(runtime, message, said, tried, usable, 'retries_exhausted');
}

/** The next provider of the route at once, or the first that may be asked again; never past the message's end of life. */
function again(
  runtime: Runtime,
  message: ClaimedMessage,
  said: Said,
  tried: Tried,
  usable: Usable,
  otherwise: 'provider_rejected' | 'retries_exhausted',
): Settlement {
  const now = runtime.now();
  const times = message.route.filter(usable).flatMap((provider) => {
    const answer = tried[provider] ?? now;
    return answer === 'no' ? [] : [answer];
  });
  if (times.length === 0) return { ...said, state: 'failed', reason: otherwise, tried };
  const at = Math.min(...times);
  return at <= now
    ? { ...said, state: 'queued', reason: 'next_provider', dueAt: now, tried }
    : { ...said, state: 'queued', reason: 'provider_busy', dueAt: Math.min(at, message.expiresAt), tried };
}

/** Turned aside before the call: not an attempt, and nobody was asked. */
export function uncalled(
  message: ClaimedMessage,
  state: 'queued' | 'suppressed',
  reason: 'lease_too_short' | 'paced' | 'opted_out',
  dueAt: number | null,
): Settlement {
  return { ...NOTHING, id: message.id, provider: message.provider, state, reason, dueAt, uncalled: 1 };
}

/** Calls and failures by provider, for the breaker. A refusal is an answer; silence, an inner error and “slow down” are not. */
export function tallies(
  calls: readonly { readonly provider: string; readonly outcome: SendOutcome }[],
): Tally[] {
  return [...Map.groupBy(calls, (call) => call.provider)].map(([provider, group]) => ({
    provider,
    calls: group.length,
    failures: group.filter(({ outcome }) => isFailure(outcome)).length,
  }));
}

function isFailure(outcome: SendOutcome): boolean {
  if (outcome.kind === 'accepted') return false;
  if (outcome.kind === 'unknown' || outcome.kind === 'retry_later') return true;
  return outcome.error.code === 'provider_down' || outcome.error.code === 'throttled';
}
