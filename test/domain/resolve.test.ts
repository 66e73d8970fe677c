import { describe, expect, it, vi } from 'vitest';
import { evaluate } from '../../src/domain/evaluate.ts';
import { presetPolicy, STRICT } from '../../src/domain/policy.ts';
import { resolve, situationOf } from '../../src/domain/resolve.ts';
import { FLAG_TABLE, NUMBER_TABLE } from '../../src/domain/tables.ts';
import { allFacts, allPolicies, inputOf, NUMBER_A, NUMBER_B, named, strided } from './inputs.ts';
import { oracle } from './oracle.ts';

// Whole cross products and thousands of runs: seconds on a small machine.
vi.setConfig({ testTimeout: 60_000 });

const OPT_OUTS = [[], [NUMBER_A], [NUMBER_B], [NUMBER_A, NUMBER_B]];

describe('the rules, against an independent oracle', () => {
  it('agree in every situation under every policy', () => {
    const policies = [...allPolicies()];
    expect(policies).toHaveLength(3 * 2 * 2 * 3 * 2 * 3 * 2 * 2);
    let cases = 0;
    for (const facts of allFacts(OPT_OUTS)) {
      const input = inputOf(facts);
      const situation = situationOf(
        {
          profile: input.profile?.attributes ?? input.event.attributes,
          event: input.event.attributes,
        },
        input.optedOut,
      );
      for (const policy of strided(policies)) {
        const verdict = evaluate(situation, policy);
        const expected = oracle(facts, policy);
        cases++;
        if (verdict.reason !== expected.reason)
          expect({ facts, policy, reason: verdict.reason }).toEqual(expected);
      }
    }
    expect(cases).toBe(16 * 81 * OPT_OUTS.length * [...strided(policies)].length);
  });

  it('agree in number and trace under presets', () => {
    for (const facts of strided(allFacts([[], [NUMBER_A]]))) {
      for (const name of ['strict', 'event-first']) {
        const policy = presetPolicy(name) ?? named(STRICT);
        const decision = resolve(inputOf(facts), policy);
        const expected = oracle(facts, policy.document);
        expect(decision.reason).toBe(expected.reason);
        expect(decision.outcome).toBe(expected.reason === null ? 'deliver' : 'suppress');
        expect(decision.number?.value ?? null).toBe(expected.number);
        expect(decision.policy).toEqual({ name, version: 1 });
        expect(decision.rules.map((rule) => rule.rule)).toEqual([
          'MOBILE_NUMBER',
          'suppression',
          'SMS_CONSENT',
          'SMS_VALID',
        ]);
        const blocking = decision.rules.find((rule) => rule.reason !== null);
        expect(blocking?.reason ?? null).toBe(expected.reason);
      }
    }
  });
});

describe('the tables', () => {
  it('have one cell for every pair of states', () => {
    const number = NUMBER_TABLE.map((row) => `${row.profile} × ${row.event}`);
    expect(new Set(number).size).toBe(number.length);
    expect(number).toHaveLength(3 * 4 - 2); // “same” exists only beside a usable profile number
    const flags = FLAG_TABLE.map((row) => `${row.profile} × ${row.event}`);
    expect(new Set(flags).size).toBe(9);
  });

  it('offer every option of the policy question that a cell asks', () => {
    for (const row of [...NUMBER_TABLE, ...FLAG_TABLE]) {
      if (!('policy' in row.cell)) continue;
      const options = Object.keys(row.cell.options).sort();
      const asked = { ...STRICT, number_conflict: 'profile' }[row.cell.policy];
      expect(options).toContain(asked);
    }
  });
});

describe('a decision explains itself', () => {
  const facts = {
    profileNumber: NUMBER_A,
    eventNumber: NUMBER_B,
    profileConsent: false,
    eventConsent: true,
    profileValid: null,
    eventValid: true,
    optedOut: [],
  } as const;

  it('names every candidate with its source and age', () => {
    const { candidates } = resolve(inputOf(facts), named(STRICT));
    expect(candidates).toEqual([
      {
        attribute: 'MOBILE_NUMBER',
        from: 'profile',
        value: NUMBER_A,
        usable: true,
        at: '2026-11-22T02:00:00Z',
        age_seconds: 28_801,
      },
      {
        attribute: 'SMS_CONSENT',
        from: 'profile',
        value: false,
        at: '2026-11-22T02:00:00Z',
        age_seconds: 28_801,
      },
      {
        attribute: 'MOBILE_NUMBER',
        from: 'event',
        value: NUMBER_B,
        usable: true,
        at: '2026-11-22T10:00:00Z',
        age_seconds: 1,
      },
      { attribute: 'SMS_CONSENT', from: 'event', value: true, at: '2026-11-22T10:00:00Z', age_seconds: 1 },
      { attribute: 'SMS_VALID', from: 'event', value: true, at: '2026-11-22T10:00:00Z', age_seconds: 1 },
    ]);
  });

  it('quotes the cell of every rule, also of those after the first that failed', () => {
    const { rules } = resolve(inputOf(facts), named({ ...STRICT, bind_flags_to_number: false }));
    expect(rules.map(({ rule, cell, result, reason }) => ({ rule, cell, result, reason }))).toEqual([
      {
        rule: 'MOBILE_NUMBER',
        cell: 'profile usable × event different → number_conflict: profile',
        result: 'use profile',
        reason: null,
      },
      { rule: 'suppression', cell: 'not opted out', result: 'clear', reason: null },
      {
        rule: 'SMS_CONSENT',
        cell: 'profile false × event true → consent_conflict: deny-wins',
        result: 'block',
        reason: 'consent_denied',
      },
      { rule: 'SMS_VALID', cell: 'profile missing × event true', result: 'allow', reason: null },
    ]);
  });

  it('says in words whose yes did not count, and masks every number', () => {
    const decision = resolve(inputOf(facts), named(STRICT));
    const words = [
      decision.text,
      ...decision.rules.map((rule) => rule.text),
      ...decision.counterfactuals.map((c) => c.text),
    ];
    expect(words.join('\n')).not.toMatch(/\d{7}/);
    expect(decision.rules[2]?.text).toBe(
      'The profile says no, the event says yes. The event’s yes vouched for a number that is not used, so it does not count. SMS_CONSENT is blocked.',
    );
    expect(decision.rules[0]?.text).toBe(
      'The profile has +1415•••0123, the event has +1212•••0124. By policy (number_conflict: profile) the profile is believed, so the profile’s number is used.',
    );
    expect(decision.text).toBe('Not sent. The customer has not agreed to texts: SMS_CONSENT is false.');
  });

  it('treats a customer without a profile as one whose profile says nothing', () => {
    const input = { ...inputOf(facts), profile: null };
    const decision = resolve(input, named(STRICT));
    expect(decision.outcome).toBe('deliver');
    expect(decision.number).toEqual({ value: NUMBER_B, from: 'event' });
    expect(decision.text).toBe('To be sent to +1212•••0124, the event’s number: every rule allows it.');
  });

  it('refuses a number of an unassigned range only where the policy says so', () => {
    const phone = { raw: '+12005550123', e164: '+12005550123', assigned: false } as const;
    const input = {
      ...inputOf({ ...facts, profileNumber: null, profileConsent: null, eventNumber: null }),
      event: { attributes: { MOBILE_NUMBER: phone, SMS_CONSENT: true, SMS_VALID: true }, at: null },
    };
    expect(resolve(input, named(STRICT)).outcome).toBe('deliver');
    const refused = resolve(input, named({ ...STRICT, unassigned_number: 'refuse' }));
    expect(refused.reason).toBe('number_unusable');
    expect(refused.candidates[0]).toEqual({
      attribute: 'MOBILE_NUMBER',
      from: 'event',
      value: '+12005550123',
      usable: false,
      why: 'unassigned',
      at: null,
      age_seconds: null,
    });
    expect(refused.rules[0]?.text).toContain('its range is not assigned to anybody');
  });
});
