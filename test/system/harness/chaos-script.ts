/**
 * What goes wrong in a chaos run, and what is reported of each text. Everything hangs on the seed and the message's id, not
 * on the order of things, so the same seed does the same to the same message.
 */
import {
  type Fault,
  type GatewayReceipt,
  type Incoming,
  type LookupFault,
  randomFaults,
} from './fake-gateway.ts';
import { type Random, randomOf } from './random.ts';
import type { Event } from './traffic.ts';

/** One campaign of each kind that matters to delivery. `doubtful`: a duplicate is preferred there to a loss. */
export const CHAOS_CAMPAIGNS = [
  { id: 'welcome', trigger: 'signup', channel: 'sms' },
  { id: 'routed', trigger: 'order', channel: 'sms', providers: ['webhook', 'sandbox'] },
  { id: 'code', trigger: 'login', channel: 'sms', purpose: 'transactional', ttl_seconds: 60 },
  {
    id: 'doubtful',
    trigger: 'order',
    channel: 'mms',
    media_urls: ['https://img.example/receipt.png'],
    on_unknown: 'resend',
  },
] as const;
export const RESENDING = 'doubtful';

/** How many phones share so many messages: each has several, so that a STOP meets some on their way. */
const MESSAGES_PER_PHONE = 3;

export function phone(n: number): string {
  return `+1415${2_000_000 + n}`;
}

/** @param messages how many the whole run will have. */
export function eventOf(messages: number, seed: number) {
  return (n: number): Event => {
    const random = randomOf(seed, 'event', n);
    const number = phone(random.int(1, Math.ceil(messages / MESSAGES_PER_PHONE)));
    return {
      id: `e-${n}`,
      type: random.pick(['signup', 'signup', 'order', 'login']),
      customer_id: `c-${n}`,
      data: {
        MOBILE_NUMBER: number,
        SMS_CONSENT: random.next() > 0.05,
        SMS_VALID: true,
        first_name: 'Ada',
      },
    };
  };
}

/** Refusals with each effect, and those of one provider only. Rare ones rest a sender or a whole account. */
const REFUSALS = [
  'number_invalid',
  'landline',
  'opted_out',
  'unreachable',
  'content_blocked',
  'country_not_enabled',
  'request_invalid',
  'throttled',
  'provider_down',
  'a code that nobody knows',
] as const;
const RESTING = ['sender_not_registered', 'no_credit', 'account_problem'] as const;

export function faultOf(seed: number, { id, attempt }: Incoming): Fault {
  const random = randomOf(seed, 'call', id, attempt);
  const dice = random.next();
  if (dice < 0.006) return { kind: 'reject', code: random.pick(RESTING) };
  if (dice < 0.06) return { kind: 'reject', code: random.pick(REFUSALS), status: random.pick([200, 422]) };
  if (dice < 0.26) return randomFaults(random, 1)({ id, attempt });
  return dice < 0.5 ? { kind: 'accept', afterMs: random.int(20, 250) } : { kind: 'accept' };
}

/** Messages of which the gateway can never say whether it took them. */
export function isMute(seed: number, id: string): boolean {
  return randomOf(seed, 'mute', id).next() < 0.2;
}

export function lookupFaultOf(seed: number, id: string, ask: number): LookupFault {
  const dice = randomOf(seed, 'ask', id, ask).next();
  return dice < 0.2 ? 'error' : dice < 0.24 ? 'hang' : 'honest';
}

export interface Report {
  /** How it ends for the phone; `null`: nothing is ever reported. */
  readonly state: 'delivered' | 'undelivered' | 'failed' | null;
  /** Before the gateway answers, or so much later. */
  readonly afterMs: number;
  /** In the order in which they are posted. */
  readonly receipts: readonly GatewayReceipt[];
  /** A receipt of the same text that another provider signs, and that lies. */
  readonly forged: boolean;
}

/** What is reported of one text: once or twice, with or without a step before, before or after it. */
export function reportOf(seed: number, id: string, gatewayId: string): Report {
  const random = randomOf(seed, 'report', gatewayId);
  const dice = random.next();
  const state = dice < 0.7 ? 'delivered' : dice < 0.8 ? 'undelivered' : dice < 0.87 ? 'failed' : null;
  const afterMs = random.next() < 0.3 ? 0 : random.int(50, 3000);
  const forged = random.next() < 0.1;
  if (state === null) return { state, afterMs, receipts: [], forged };
  const reference = random.next() < 0.8 ? id : null;
  const sent: GatewayReceipt = { id: gatewayId, reference, state: 'sent' };
  const last: GatewayReceipt =
    state === 'delivered'
      ? { id: gatewayId, reference, state }
      : {
          id: gatewayId,
          reference,
          state,
          code: '27',
          error: random.pick(['unreachable', 'content_blocked']),
        };
  const receipts = random.pick<readonly GatewayReceipt[]>([
    [last],
    [last, last],
    [sent, last],
    [last, sent],
    [sent, last, sent, last],
  ]);
  return { state, afterMs, receipts, forged };
}

const STOPS = [
  'STOP',
  'stop!',
  'UNSUBSCRIBE',
  'please stop texting me',
  'S T O P',
  'Abmelden',
  'arrêter',
] as const;

/** What a person says who wants no more texts. */
export function stopWords(random: Random): string {
  return random.pick(STOPS);
}
