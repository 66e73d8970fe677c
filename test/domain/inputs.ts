/** Every situation that the rules can meet, as plain inputs. Shared by the oracle and the laws. */
import type { Attributes, Flag } from '../../src/domain/attributes.ts';
import { readPhone } from '../../src/domain/phone.ts';
import { type NamedPolicy, POLICY_OPTIONS, type Policy, STRICT } from '../../src/domain/policy.ts';
import type { ResolveInput } from '../../src/domain/resolve.ts';

export const NUMBER_A = '+14155550123';
export const NUMBER_B = '+12125550124';
export const NOT_A_NUMBER = 'call me maybe';

export interface Facts {
  readonly profileNumber: string | null;
  readonly eventNumber: string | null;
  readonly profileConsent: Flag;
  readonly eventConsent: Flag;
  readonly profileValid: Flag;
  readonly eventValid: Flag;
  readonly optedOut: readonly string[];
}

/** Four states a side: missing, one number, another number, unusable. */
export const NUMBERS: readonly (string | null)[] = [null, NUMBER_A, NUMBER_B, NOT_A_NUMBER];
export const FLAGS: readonly Flag[] = [true, false, null];

/** 4×4 numbers × 3×3 consents × 3×3 validities. */
export function* allFacts(optOuts: readonly (readonly string[])[]): Generator<Facts> {
  for (const profileNumber of NUMBERS)
    for (const eventNumber of NUMBERS)
      for (const profileConsent of FLAGS)
        for (const eventConsent of FLAGS)
          for (const profileValid of FLAGS)
            for (const eventValid of FLAGS)
              for (const optedOut of optOuts)
                yield {
                  profileNumber,
                  eventNumber,
                  profileConsent,
                  eventConsent,
                  profileValid,
                  eventValid,
                  optedOut,
                };
}

/** Every combination of the policy's answers. */
export function* allPolicies(): Generator<Policy> {
  const entries = Object.entries(POLICY_OPTIONS);
  const build = function* (index: number, partial: Policy): Generator<Policy> {
    const entry = entries[index];
    if (!entry) {
      yield { ...partial, bind_flags_to_number: true };
      yield { ...partial, bind_flags_to_number: false };
      return;
    }
    for (const option of entry[1]) yield* build(index + 1, { ...partial, [entry[0]]: option });
  };
  yield* build(0, STRICT);
}

export function inputOf(facts: Facts): ResolveInput {
  const side = (number: string | null, consent: Flag, valid: Flag): Attributes => ({
    MOBILE_NUMBER: number === null ? null : readPhone(number),
    SMS_CONSENT: consent,
    SMS_VALID: valid,
  });
  return {
    profile: {
      attributes: side(facts.profileNumber, facts.profileConsent, facts.profileValid),
      at: '2026-11-22T02:00:00Z',
    },
    event: {
      attributes: side(facts.eventNumber, facts.eventConsent, facts.eventValid),
      at: '2026-11-22T10:00:00Z',
    },
    optedOut: new Set(facts.optedOut),
    decidedAt: '2026-11-22T10:00:01Z',
  };
}

export function named(document: Policy): NamedPolicy {
  return { name: 'test', version: 1, document };
}

/**
 * How often a law is tried, and how many cases of a cross product are passed over. Mutation testing runs all of this a
 * thousand times, so it asks for less (vitest.domain.config.ts).
 */
export const LAW_RUNS = Number(import.meta.env.LAW_RUNS ?? 300);
const STRIDE = Number(import.meta.env.STRIDE ?? 1);

/** Every case, or every so-manieth. The stride is prime, so that no dimension is passed over as a whole. */
export function* strided<T>(cases: Iterable<T>): Generator<T> {
  let index = 0;
  for (const item of cases) if (index++ % STRIDE === 0) yield item;
}
