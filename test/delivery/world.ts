/** What tests of delivery share: accepted messages, and providers that answer what they are told to. */
import type { ProviderBook } from '../../src/delivery/book.ts';
import { deliver } from '../../src/delivery/deliver.ts';
import type { SendErrorCode } from '../../src/delivery/errors.ts';
import type { LookupOutcome, OutboundMessage, Provider, SendOutcome } from '../../src/delivery/provider.ts';
import type { ProviderName } from '../../src/delivery/providers/names.ts';
import { parseEvent } from '../../src/ingress/event.ts';
import { ingest } from '../../src/ingress/ingest.ts';
import type { ReceiptNote } from '../../src/platform/runtime.ts';
import { shardFor } from '../../src/platform/shard.ts';
import { call, goodEvent, putCampaign, type TestRuntime, uniqueNumber } from '../support.ts';

/** Accepts one event to a number, with an outbox that delivers nothing by itself. @returns the message's id. */
export async function accepted(
  runtime: TestRuntime,
  number = uniqueNumber(),
  campaign: Record<string, unknown> = {},
): Promise<string> {
  const { trigger } = await putCampaign(campaign);
  return await acceptedBy(runtime, trigger, number);
}

export async function acceptedBy(
  runtime: TestRuntime,
  trigger: string,
  number = uniqueNumber(),
): Promise<string> {
  const event = goodEvent(trigger, { data: { MOBILE_NUMBER: number } });
  const parsed = await parseEvent(event, runtime.now(), undefined);
  if (!parsed.ok) throw new Error('bad event');
  const [answer] = await ingest(runtime, 'test', [parsed.event]);
  await runtime.settled();
  const id = answer?.kind === 'accepted' ? answer.messages[0]?.id : undefined;
  if (id === undefined) throw new Error('no message');
  return id;
}

/** Short times, so that tests move the clock instead of waiting. */
export function shortTimes(runtime: TestRuntime, changes: Partial<TestRuntime['config']> = {}): TestRuntime {
  const config = {
    ...runtime.config,
    providerTimeoutMs: 60,
    leaseMs: 10_000,
    reconcileMs: 1000,
    sweepGraceMs: 1000,
    maxAttempts: 4,
    ...changes,
  };
  return { ...runtime, config };
}

type Answer = SendOutcome | ((message: OutboundMessage) => Promise<SendOutcome>);

export interface Fake {
  readonly provider: Provider;
  /** Message ids in the order of the calls. */
  readonly calls: string[];
  /** What it answers from now on: one after the other, the last one for ever. */
  answers(...next: Answer[]): void;
  lookups(answer: LookupOutcome): void;
}

export function fake(name: ProviderName, ...first: Answer[]): Fake {
  let script = first;
  let lookup: LookupOutcome = { kind: 'cannot_tell' };
  const calls: string[] = [];
  return {
    calls,
    answers: (...next) => {
      script = next;
    },
    lookups: (answer) => {
      lookup = answer;
    },
    provider: {
      name,
      channels: ['sms', 'mms'],
      readStatus: async () => ({ ok: true, items: [] }),
      readInbound: async () => ({ ok: true, items: [] }),
      async send(message) {
        calls.push(message.id);
        const answer = script.length > 1 ? script.shift() : script[0];
        if (typeof answer === 'function') return await answer(message);
        return answer ?? taken(message);
      },
      lookup: async () => lookup,
    },
  };
}

/** The id that the fakes give a message. */
export const providerIdOf = (messageId: string): string => `pid-${messageId}`;
export const taken = (message: Pick<OutboundMessage, 'id'>): SendOutcome => ({
  kind: 'accepted',
  providerMessageId: providerIdOf(message.id),
});
export const no = (code: SendErrorCode, providerCode: string | null = '4711'): SendOutcome => ({
  kind: 'rejected',
  error: { code, providerCode, detail: null },
});
export const later = (afterMs: number | null = null, code: SendErrorCode = 'throttled'): SendOutcome => ({
  kind: 'retry_later',
  afterMs,
  error: { code, providerCode: '429', detail: null },
});
export const silence = (detail = 'HTTP 503'): SendOutcome => ({
  kind: 'unknown',
  error: { code: 'no_answer', providerCode: null, detail },
});

export function bookOf(...fakes: readonly Fake[]): ProviderBook {
  return (name) => fakes.find(({ provider }) => provider.name === name)?.provider;
}

/** Delivers until nothing more is due now: the queue's work, with every pointer at hand. */
export async function drain(
  runtime: TestRuntime,
  ids: readonly string[],
  book: ProviderBook,
  rounds = 6,
): Promise<void> {
  for (let round = 0; round < rounds; round++) await deliver(runtime, shardFor(runtime, 'c'), ids, book);
}

export async function once(runtime: TestRuntime, ids: readonly string[], book: ProviderBook): Promise<void> {
  await deliver(runtime, shardFor(runtime, 'c'), ids, book);
}

export function receipt(
  provider: string,
  messageId: string,
  state: ReceiptNote['state'],
  fields: Partial<ReceiptNote> = {},
): ReceiptNote {
  return {
    provider,
    provider_message_id: providerIdOf(messageId),
    reference: null,
    state,
    code: null,
    error: null,
    parts: null,
    part: null,
    ...fields,
  };
}

/** The timeline as the API shows it, one word a step: `sending@twilio`, `queued@twilio(4711)`. */
export async function steps(id: string): Promise<string[]> {
  const { body } = await call('GET', `/v1/messages/${id}`);
  return body.timeline.map(
    (step: { state: string; provider: string | null; provider_code: string | null }) =>
      `${step.state}${step.provider === null ? '' : `@${step.provider}`}${step.provider_code === null ? '' : `(${step.provider_code})`}`,
  );
}
