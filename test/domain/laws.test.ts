import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { NO_ATTRIBUTES, readAttributes, readFlag } from '../../src/domain/attributes.ts';
import { applyChanges, flips } from '../../src/domain/counterfactuals.ts';
import { evaluate, type Situation } from '../../src/domain/evaluate.ts';
import { maskDecision } from '../../src/domain/mask.ts';
import { POLICY_OPTIONS, type Policy } from '../../src/domain/policy.ts';
import { resolve, situationOf } from '../../src/domain/resolve.ts';
import {
  type Facts,
  FLAGS,
  inputOf,
  LAW_RUNS,
  NOT_A_NUMBER,
  NUMBER_A,
  NUMBER_B,
  NUMBERS,
  named,
} from './inputs.ts';
import { oracle } from './oracle.ts';

// Whole cross products and thousands of runs: seconds on a small machine.
vi.setConfig({ testTimeout: 60_000 });

// Shrinking is for people who read a failure; mutation testing only counts it.
const RUNS = { numRuns: LAW_RUNS, endOnFailure: LAW_RUNS < 100 };

const facts: fc.Arbitrary<Facts> = fc.record({
  profileNumber: fc.constantFrom(...NUMBERS),
  eventNumber: fc.constantFrom(...NUMBERS),
  profileConsent: fc.constantFrom(...FLAGS),
  eventConsent: fc.constantFrom(...FLAGS),
  profileValid: fc.constantFrom(...FLAGS),
  eventValid: fc.constantFrom(...FLAGS),
  optedOut: fc.subarray([NUMBER_A, NUMBER_B]),
});

const policy: fc.Arbitrary<Policy> = fc.record({
  number_conflict: fc.constantFrom(...POLICY_OPTIONS.number_conflict),
  unusable_profile_number: fc.constantFrom(...POLICY_OPTIONS.unusable_profile_number),
  unassigned_number: fc.constantFrom(...POLICY_OPTIONS.unassigned_number),
  consent_conflict: fc.constantFrom(...POLICY_OPTIONS.consent_conflict),
  consent_absent: fc.constantFrom(...POLICY_OPTIONS.consent_absent),
  validity_conflict: fc.constantFrom(...POLICY_OPTIONS.validity_conflict),
  validity_absent: fc.constantFrom(...POLICY_OPTIONS.validity_absent),
  bind_flags_to_number: fc.boolean(),
});

function situation(of: Facts): Situation {
  const input = inputOf(of);
  return situationOf(
    { profile: input.profile?.attributes ?? NO_ATTRIBUTES, event: input.event.attributes },
    input.optedOut,
  );
}

const decide = (of: Facts, under: Policy) => resolve(inputOf(of), named(under));

interface Step {
  readonly name: string;
  readonly apply: (of: Facts) => Facts;
}

/** Brute force over the independent oracle: every set of changes, the small ones first, kept where no part of it does. */
function everyMinimalSet(of: Facts, under: Policy): string[] {
  const now = oracle(of, under);
  const flips = (to: Facts): boolean => (oracle(to, under).reason === null) !== (now.reason === null);
  const choices: Step[][] = [];
  if (now.reason !== 'opted_out') {
    for (const [side, field, other] of [
      ['profile', 'profileNumber', 'eventNumber'],
      ['event', 'eventNumber', 'profileNumber'],
    ] as const) {
      const usable = of[other] !== null && of[other] !== NOT_A_NUMBER;
      const values: [string, string | null][] = [
        ['missing', null],
        ['unusable', NOT_A_NUMBER],
        ['another', `new on ${side}`],
        ...(usable ? [['other-side', of[other]] as [string, string | null]] : []),
      ];
      choices.push(
        values
          .filter(([, value]) => value !== of[field])
          .map(([to, value]) => ({
            name: `${side} MOBILE_NUMBER ${to}`,
            apply: (from) => ({ ...from, [field]: value }),
          })),
      );
    }
  }
  for (const [side, input, field] of [
    ['profile', 'SMS_CONSENT', 'profileConsent'],
    ['event', 'SMS_CONSENT', 'eventConsent'],
    ['profile', 'SMS_VALID', 'profileValid'],
    ['event', 'SMS_VALID', 'eventValid'],
  ] as const) {
    choices.push(
      FLAGS.filter((flag) => flag !== of[field]).map((flag) => ({
        name: `${side} ${input} ${flag ?? 'missing'}`,
        apply: (from) => ({ ...from, [field]: flag }),
      })),
    );
  }
  for (const [side, field] of [
    ['profile', 'profileNumber'],
    ['event', 'eventNumber'],
  ] as const) {
    const number = of[field];
    if (number === null || number === NOT_A_NUMBER) continue;
    if (side === 'event' && number === of.profileNumber) continue;
    const out = of.optedOut.includes(number);
    if (!out && now.number !== number) continue;
    const optedOut = out ? of.optedOut.filter((other) => other !== number) : [...of.optedOut, number];
    const others = (from: Facts): readonly string[] => from.optedOut.filter((other) => other !== number);
    choices.push([
      {
        name: `${side} opted_out ${!out}`,
        apply: (from) => ({
          ...from,
          optedOut: [...others(from), ...optedOut.filter((other) => other === number)],
        }),
      },
    ]);
  }
  const sets = choices.reduce<Step[][]>(
    (all, steps) => all.flatMap((set) => [set, ...steps.map((step) => [...set, step])]),
    [[]],
  );
  const minimal: Step[][] = [];
  for (const set of sets.sort((a, b) => a.length - b.length)) {
    if (minimal.some((smaller) => smaller.every((step) => set.includes(step)))) continue;
    if (flips(set.reduce((from, step) => step.apply(from), of))) minimal.push(set);
  }
  return minimal.map((set) =>
    set
      .map(({ name }) => name)
      .sort()
      .join(' & '),
  );
}

describe('laws of the decision', () => {
  it('never delivers without a usable number', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        const decision = decide(of, under);
        if (decision.outcome === 'deliver') expect([NUMBER_A, NUMBER_B]).toContain(decision.number?.value);
      }),
      RUNS,
    );
  });

  it('never delivers without a true, or an absence that the policy attests, for each flag', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        if (decide(of, under).outcome !== 'deliver') return;
        const given = (a: unknown, b: unknown): boolean => a === true || b === true;
        expect(given(of.profileConsent, of.eventConsent) || under.consent_absent === 'send').toBe(true);
        expect(given(of.profileValid, of.eventValid) || under.validity_absent === 'send').toBe(true);
      }),
      RUNS,
    );
  });

  it('never turns a refusal into a delivery because somebody says no', () => {
    const flag = fc.constantFrom('profileConsent', 'eventConsent', 'profileValid', 'eventValid');
    fc.assert(
      fc.property(facts, policy, flag, (of, under, key) => {
        if (decide(of, under).outcome === 'deliver') return;
        expect(decide({ ...of, [key]: false }, under).outcome).toBe('suppress');
      }),
      RUNS,
    );
  });

  it('never delivers to a number that has opted out', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        const decision = decide({ ...of, optedOut: [NUMBER_A, NUMBER_B] }, under);
        expect(decision.outcome).toBe('suppress');
      }),
      RUNS,
    );
  });

  it('does not care who said what about a flag under deny-wins', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        const symmetric = {
          ...under,
          consent_conflict: 'deny-wins',
          validity_conflict: 'deny-wins',
          bind_flags_to_number: false,
        } as const;
        const swapped = {
          ...of,
          profileConsent: of.eventConsent,
          eventConsent: of.profileConsent,
          profileValid: of.eventValid,
          eventValid: of.profileValid,
        };
        expect(decide(swapped, symmetric).reason).toBe(decide(of, symmetric).reason);
      }),
      RUNS,
    );
  });

  it('does not care how a number is spelled', () => {
    const spelling = fc.constantFrom(
      '+1 415 555 0123',
      '+1 (415) 555-0123',
      'tel:+1-415-555-0123',
      '001 415.555.0123',
      '＋１４１５５５５０１２３',
      '\u200e+1415\u00a0555\u200b0123',
    );
    fc.assert(
      fc.property(facts, policy, spelling, fc.boolean(), (of, under, text, inEvent) => {
        const plain = inEvent ? { ...of, eventNumber: NUMBER_A } : { ...of, profileNumber: NUMBER_A };
        const spelled = inEvent ? { ...of, eventNumber: text } : { ...of, profileNumber: text };
        expect(decide(spelled, under)).toEqual(decide(plain, under));
      }),
      RUNS,
    );
  });

  it('does not care how a flag is spelled', () => {
    const spellings: readonly (readonly [unknown, boolean | null])[] = [
      ...[true, 1, 'true', 'TRUE', ' yes ', 'Y', 'On', '1'].map((word) => [word, true] as const),
      ...[false, 0, 'false', 'No', 'n', 'OFF', '0'].map((word) => [word, false] as const),
      ...[null, undefined, '', '  '].map((word) => [word, null] as const),
    ];
    for (const [word, flag] of spellings) {
      expect(readFlag(word)).toBe(flag);
      const read = readAttributes({ sms_Consent: word }, 'data');
      expect('attributes' in read && read.attributes.SMS_CONSENT).toBe(flag);
    }
  });

  it('gives the same decision when it is replayed from its recorded inputs', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        const input = inputOf(of);
        const recorded = JSON.parse(JSON.stringify({ ...input, optedOut: [...input.optedOut] }));
        const replayed = resolve({ ...recorded, optedOut: new Set(recorded.optedOut) }, named(under));
        expect(replayed).toEqual(resolve(input, named(under)));
      }),
      RUNS,
    );
  });

  it('shows no whole number to those who may not see one', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        expect(JSON.stringify(maskDecision(decide(of, under)))).not.toMatch(/\d{7}/);
      }),
      RUNS,
    );
  });
});

describe('laws of the counterfactuals', () => {
  it('give what they promise, and no part of one does', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        const now = situation(of);
        const outcome = evaluate(now, under).outcome;
        for (const flip of flips(now, under)) {
          expect(flip.outcome).not.toBe(outcome);
          expect(evaluate(applyChanges(now, flip.changes), under).outcome).toBe(flip.outcome);
          for (let skip = 0; skip < flip.changes.length; skip++) {
            const fewer = flip.changes.filter((_, index) => index !== skip);
            expect(evaluate(applyChanges(now, fewer), under).outcome).toBe(outcome);
          }
        }
      }),
      RUNS,
    );
  });

  it('say in values what they say in states: applied to the inputs, the decision is the promised one', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        const decision = decide(of, under);
        for (const { change, outcome } of decision.counterfactuals) {
          const value = <T>(side: 'profile' | 'event', name: string, before: T): T =>
            (change[side] && name in change[side] ? change[side][name] : before) as T;
          const used = decision.number?.value;
          const changed: Facts = {
            profileNumber: value('profile', 'MOBILE_NUMBER', of.profileNumber),
            eventNumber: value('event', 'MOBILE_NUMBER', of.eventNumber),
            profileConsent: value('profile', 'SMS_CONSENT', of.profileConsent),
            eventConsent: value('event', 'SMS_CONSENT', of.eventConsent),
            profileValid: value('profile', 'SMS_VALID', of.profileValid),
            eventValid: value('event', 'SMS_VALID', of.eventValid),
            optedOut: change.suppressed === undefined ? of.optedOut : change.suppressed ? [used ?? ''] : [],
          };
          expect(decide(changed, under).outcome).toBe(outcome);
        }
      }),
      RUNS,
    );
  });

  it('are all of them: a search through every change of every input finds the same minimal sets', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        const found = flips(situation(of), under).map(({ changes }) =>
          changes
            .map(({ side, input, to }) => `${side} ${input} ${to}`)
            .sort()
            .join(' & '),
        );
        expect(new Set(found).size).toBe(found.length);
        expect(found.sort()).toEqual(everyMinimalSet(of, under).sort());
      }),
      { ...RUNS, numRuns: Math.ceil(RUNS.numRuns / 3) },
    );
  });

  it('find a way out of every refusal, and a way into one from every delivery', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        expect(flips(situation(of), under).length).toBeGreaterThan(0);
      }),
      RUNS,
    );
  });

  it('offer nothing after a STOP that goes around the opt-in on this number', () => {
    fc.assert(
      fc.property(facts, policy, (of, under) => {
        const decision = decide({ ...of, optedOut: [NUMBER_A, NUMBER_B] }, under);
        if (decision.reason !== 'opted_out') return;
        for (const { change, text } of decision.counterfactuals) {
          expect(change.suppressed).toBe(false);
          expect(text).toContain('a new opt-in on this number');
          expect(JSON.stringify(change)).not.toContain('MOBILE_NUMBER');
        }
      }),
      RUNS,
    );
  });
});
