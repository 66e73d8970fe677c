/**
 * The sandbox carrier's test numbers. Every other number is accepted and delivered.
 *
 * They lie in +1 500 555, a range for personal numbers that nobody's phone has. docs/sandbox.md is for their users.
 */

export interface Behaviour {
  /** What the carrier answers to a send: it takes the message, refuses it, is busy, or never answers. */
  readonly answer: 'accept' | 'reject' | 'busy_twice' | 'busy' | 'hang_taken' | 'hang_not_taken';
  /** What it reports later, and when, in milliseconds after it took the message; `null`: never. */
  readonly receipt: { readonly state: 'delivered' | 'undelivered'; readonly afterMs: number } | null;
  /** Whether it can say later that it took a message. */
  readonly lookup: 'knows' | 'cannot_tell';
  readonly summary: string;
}

const DELIVERED = { state: 'delivered', afterMs: 0 } as const;
const NORMAL: Behaviour = {
  answer: 'accept',
  receipt: DELIVERED,
  lookup: 'knows',
  summary: 'accepted, delivered',
};

export const TEST_NUMBERS: Readonly<Record<string, Behaviour>> = {
  '+15005550001': { ...NORMAL, answer: 'reject', summary: 'rejected for good' },
  '+15005550002': { ...NORMAL, answer: 'busy_twice', summary: 'throttled twice, then accepted' },
  '+15005550003': { ...NORMAL, answer: 'hang_taken', summary: 'no answer, but the message was taken' },
  '+15005550004': {
    ...NORMAL,
    answer: 'hang_not_taken',
    summary: 'no answer, and the message was not taken',
  },
  '+15005550005': {
    ...NORMAL,
    receipt: { state: 'delivered', afterMs: 30_000 },
    summary: 'accepted; the receipt is half a minute late',
  },
  '+15005550006': { ...NORMAL, receipt: null, summary: 'accepted; no receipt ever' },
  '+15005550007': {
    ...NORMAL,
    receipt: { state: 'undelivered', afterMs: 0 },
    summary: 'accepted, then undelivered (phone unreachable)',
  },
  '+15005550008': {
    ...NORMAL,
    receipt: { state: 'delivered', afterMs: -1 },
    summary: 'the receipt comes before the answer',
  },
  '+15005550009': {
    ...NORMAL,
    answer: 'hang_taken',
    receipt: null,
    lookup: 'cannot_tell',
    summary: 'no answer, and the carrier can never say what became of it',
  },
  '+15005550010': { ...NORMAL, answer: 'busy', summary: 'throttled always' },
};

export function behaviourOf(number: string): Behaviour {
  return Object.hasOwn(TEST_NUMBERS, number) ? (TEST_NUMBERS[number] ?? NORMAL) : NORMAL;
}

/** Answers where a text from the sandbox phone names no number that it was sent to. */
export const SANDBOX_SENDER = '+18005550100';
