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
  if (faultOf(error.code) !== 'provider')
    return { ...said, state: 'failed', reason: 'provider_rejected', tried };
  if (othersLeft(message, tried, usable)) return goOn(runtime, said, tried);
  // The others of this round were only busy: they are asked again.
  if (Object.values(tried).includes('later')) return again(runtime, message, null, said, tried);
  return { ...said, state: 'failed', reason: 'provider_rejected', tried };
}

/** A definite “not sent” that may change by itself: the next provider at once, or the same again later. */
function putOff(
  runtime: Runtime,
  message: ClaimedMessage,
  afterMs: number | null,
  said: Said,
  usable: Usable,
): Settlement {
  const tried: Tried = { ...message.tried, [message.provider]: 'later' };
  return othersLeft(message, tried, usable)
    ? goOn(runtime, said, tried)
    : again(runtime, message, afterMs, said, tried);
}

function goOn(runtime: Runtime, said: Said, tried: Tried): Settlement {
  return { ...said, state: 'queued', reason: 'next_provider', dueAt: runtime.now(), tried };
}

/** Another round, later, with those that said “later”; never past the message's end of life. */
function again(
  runtime: Runtime,
  message: ClaimedMessage,
  afterMs: number | null,
  said: Said,
  tried: Tried,
): Settlement {
  const { config } = runtime;
  if (message.attemptOfRound >= config.maxAttempts)
    return { ...said, state: 'failed', reason: 'retries_exhausted', tried };
  const waitMs = Math.max(Math.ceil(afterMs ?? 0), backoffMs(message.attemptOfRound, config.retryBaseMs));
  const left = Object.entries(tried).filter(([, answer]) => answer === 'no');
  return {
    ...said,
    state: 'queued',
    reason: 'provider_busy',
    dueAt: Math.min(runtime.now() + waitMs, message.expiresAt),
    tried: Object.fromEntries(left),
  };
}

function othersLeft(message: ClaimedMessage, tried: Tried, usable: Usable): boolean {
  return message.route.some((provider) => usable(provider) && !Object.hasOwn(tried, provider));
}

/** Turned aside before the call: not an attempt, and nobody was asked. */
export function uncalled(
  message: ClaimedMessage,
  state: 'queued' | 'suppressed',
  reason: 'lease_too_short' | 'opted_out',
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
