import { describe, expect, it } from 'vitest';
import { compose } from '../../src/domain/compose.ts';
import { evaluate } from '../../src/domain/evaluate.ts';
import {
  cellName,
  outcomeText,
  policyLabel,
  suppressionText,
  UNUSABLE_TEXT,
} from '../../src/domain/explain.ts';
import { maskDecision } from '../../src/domain/mask.ts';
import { narrate, narrateAll } from '../../src/domain/narrate.ts';
import type { Policy } from '../../src/domain/policy.ts';
import { DEFAULT_POLICY, PRESETS, presetPolicy, STRICT } from '../../src/domain/policy.ts';
import {
  CONTENT_REASONS,
  DELIVERY_REASONS,
  REASONS,
  RULE_REASONS,
  reasonText,
} from '../../src/domain/reasons.ts';
import { resolve } from '../../src/domain/resolve.ts';
import { MESSAGE_STATES, RECEIPT_STATES, rankSql, STATE_RANK } from '../../src/domain/states.ts';
import { type Facts, inputOf, NOT_A_NUMBER, NUMBER_A, NUMBER_B, named } from './inputs.ts';

const NOTHING: Facts = {
  profileNumber: null,
  eventNumber: null,
  profileConsent: null,
  eventConsent: null,
  profileValid: null,
  eventValid: null,
  optedOut: [],
};
const GOOD: Facts = { ...NOTHING, eventNumber: NUMBER_A, eventConsent: true, eventValid: true };

const decide = (facts: Partial<Facts>, policy: Partial<Policy> = {}) =>
  resolve(inputOf({ ...NOTHING, ...facts }), named({ ...STRICT, ...policy }));
const ruleText = (index: number, facts: Partial<Facts>, policy: Partial<Policy> = {}) =>
  decide(facts, policy).rules[index]?.text;

describe('the number, in words', () => {
  it.each<[Partial<Facts>, Partial<Policy>, string]>([
    [{}, {}, 'The profile has no number, the event has no number. No number is used.'],
    [
      { eventNumber: NUMBER_A },
      {},
      'The profile has no number, the event has +1415•••0123. The event’s number is used.',
    ],
    [
      { profileNumber: NUMBER_A, eventNumber: NUMBER_A },
      {},
      'The profile has +1415•••0123, the event has +1415•••0123 (the same number). The profile’s number is used.',
    ],
    [
      { profileNumber: NUMBER_A, eventNumber: NUMBER_B },
      { number_conflict: 'event' },
      'The profile has +1415•••0123, the event has +1212•••0124. By policy (number_conflict: event) the event is believed, so the event’s number is used.',
    ],
    [
      { profileNumber: NUMBER_A, eventNumber: NUMBER_B },
      { number_conflict: 'suppress' },
      'The profile has +1415•••0123, the event has +1212•••0124. By policy (number_conflict: suppress) nothing is sent, so no number is used.',
    ],
    [
      { profileNumber: NUMBER_A, eventNumber: NOT_A_NUMBER },
      {},
      'The profile has +1415•••0123, the event has ••• (13 characters), which is unusable: it is not a possible phone number. The profile’s number is used.',
    ],
  ])('%j %j', (facts, policy, text) => expect(ruleText(0, facts, policy)).toBe(text));

  it.each(Object.entries(UNUSABLE_TEXT))('says why it is unusable: %s', (_, text) => {
    expect(text).toMatch(/^(it|its) .{15,}/);
  });
});

describe('the flags, in words', () => {
  it.each<[Partial<Facts>, Partial<Policy>, string]>([
    [{ eventConsent: true }, {}, 'The profile says nothing, the event says yes. SMS_CONSENT is allowed.'],
    [{ profileConsent: false }, {}, 'The profile says no, the event says nothing. SMS_CONSENT is blocked.'],
    [
      { profileConsent: true, eventConsent: false },
      { consent_conflict: 'profile' },
      'The profile says yes, the event says no. By policy (consent_conflict: profile) the profile is believed, so SMS_CONSENT is allowed.',
    ],
    [
      {},
      {},
      'The profile says nothing, the event says nothing. By policy (consent_absent: suppress) silence is a “no”, so SMS_CONSENT is blocked.',
    ],
    [
      {},
      { consent_absent: 'send' },
      'The profile says nothing, the event says nothing. By policy (consent_absent: send) silence counts as a “yes”, so SMS_CONSENT is allowed.',
    ],
    [
      { profileNumber: NUMBER_A, eventNumber: NUMBER_B, profileConsent: true },
      { number_conflict: 'event' },
      'The profile says yes, the event says nothing. The profile’s yes vouched for a number that is not used, so it does not count. By policy (consent_absent: suppress) silence is a “no”, so SMS_CONSENT is blocked.',
    ],
  ])('%j %j', (facts, policy, text) => expect(ruleText(2, facts, policy)).toBe(text));
});

describe('the rest, in words', () => {
  it('suppression', () => {
    expect(suppressionText(null)).toBe('No number was chosen, so there is nothing to look up.');
    expect(suppressionText(true)).toBe(
      'This number has opted out. That beats everything profile and event say.',
    );
    expect(suppressionText(false)).toBe('This number has not opted out.');
    const trace = (facts: Partial<Facts>) => {
      const { cell, result, reason } = decide(facts).rules[1] ?? {};
      return [cell, result, reason];
    };
    expect(trace({})).toEqual(['no number', 'not asked', null]);
    expect(trace({ eventNumber: NUMBER_A })).toEqual(['not opted out', 'clear', null]);
    expect(trace({ eventNumber: NUMBER_A, optedOut: [NUMBER_A] })).toEqual([
      'opted out',
      'block',
      'opted_out',
    ]);
  });

  it('the outcome', () => {
    expect(decide(GOOD).text).toBe('To be sent to +1415•••0123, the event’s number: every rule allows it.');
    expect(decide({ ...GOOD, profileNumber: NUMBER_B, profileConsent: true, profileValid: true }).text).toBe(
      'To be sent to +1212•••0124, the profile’s number: every rule allows it.',
    );
    const situation = {
      number: { profile: 'missing', event: 'different' },
      consent: { profile: 'missing', event: 'true' },
      validity: { profile: 'missing', event: 'true' },
      optedOut: { profile: false, event: false },
    } as const;
    expect(outcomeText(evaluate(situation, STRICT), null)).toContain('To be sent to the number, ');
  });

  it('cells and policies', () => {
    expect(cellName('true', 'false', null)).toBe('profile true × event false');
    expect(cellName('a', 'b', { key: 'consent_conflict', answer: 'deny-wins' })).toBe(
      'profile a × event b → consent_conflict: deny-wins',
    );
    expect(policyLabel(DEFAULT_POLICY)).toBe('strict, version 1');
    expect(policyLabel({ ...DEFAULT_POLICY, name: 'inline', version: 0 })).toBe('inline (given in the call)');
  });

  it.each<[Partial<Facts>, string[]]>([
    [
      { ...GOOD, eventConsent: null },
      [
        'would be sent if the profile’s SMS_CONSENT were true',
        'would be sent if the event’s SMS_CONSENT were true',
      ],
    ],
    [
      { ...GOOD, eventNumber: null },
      [
        'would be sent if the profile’s MOBILE_NUMBER were a usable number',
        'would be sent if the event’s MOBILE_NUMBER were a usable number',
      ],
    ],
    [
      { ...GOOD, optedOut: [NUMBER_A] },
      ['would be sent if there were a new opt-in on this number (+1415•••0123)'],
    ],
    [
      GOOD,
      [
        'would not be sent if the profile’s SMS_CONSENT were false',
        'would not be sent if the event’s SMS_CONSENT were false',
        'would not be sent if the event’s SMS_CONSENT were missing',
        'would not be sent if the profile’s SMS_VALID were false',
        'would not be sent if the event’s SMS_VALID were false',
        'would not be sent if the event’s SMS_VALID were missing',
        'would not be sent if the profile’s MOBILE_NUMBER were unusable',
        'would not be sent if the profile’s MOBILE_NUMBER were another usable number',
        'would not be sent if the event’s MOBILE_NUMBER were missing',
        'would not be sent if the event’s MOBILE_NUMBER were unusable',
        'would not be sent if this number (+1415•••0123) had opted out',
        'would not be sent if the profile’s MOBILE_NUMBER were +1415•••0123 and the event’s MOBILE_NUMBER were another usable number',
      ],
    ],
  ])('what would have changed it: %j', (facts, texts) => {
    expect(decide(facts).counterfactuals.map(({ text }) => text)).toEqual(texts);
  });

  it('what would have changed it, as values to apply', () => {
    expect(decide({ ...GOOD, eventConsent: null, eventNumber: null }).counterfactuals[0]).toEqual({
      change: { profile: { SMS_CONSENT: true, MOBILE_NUMBER: '+12015550123' } },
      outcome: 'deliver',
      text: 'would be sent if the profile’s SMS_CONSENT were true and the profile’s MOBILE_NUMBER were a usable number',
    });
    const changes = decide(GOOD).counterfactuals.map(({ change }) => change);
    expect(changes).toContainEqual({ profile: { MOBILE_NUMBER: 'not a number' } });
    expect(changes).toContainEqual({ event: { MOBILE_NUMBER: null } });
    expect(changes).toContainEqual({ event: { SMS_VALID: null } });
    expect(changes).toContainEqual({ suppressed: true });
    const twoNumbers = decide({ ...GOOD, profileNumber: NUMBER_B });
    expect(twoNumbers.counterfactuals.map(({ change }) => change)).toContainEqual({
      profile: { MOBILE_NUMBER: NUMBER_A },
    });
    expect(twoNumbers.counterfactuals.map(({ text }) => text)).toContain(
      'would be sent if the profile’s MOBILE_NUMBER were +1415•••0123',
    );
  });
});

describe('example numbers', () => {
  it('are ones that nobody in the decision has, another one for each side', () => {
    const [first, second, third] = ['+12015550123', '+12015550124', '+12015550125'];
    const changes = (facts: Partial<Facts>) =>
      decide({ ...GOOD, ...facts }).counterfactuals.map(({ change }) => change);
    expect(changes({ eventNumber: first })).toContainEqual({ profile: { MOBILE_NUMBER: second } });
    expect(changes({ eventNumber: NUMBER_A })).toContainEqual({ profile: { MOBILE_NUMBER: first } });
    expect(changes({ profileNumber: first, eventNumber: null })).toContainEqual({
      event: { MOBILE_NUMBER: third },
    });
    expect(changes({ profileNumber: NUMBER_A, eventNumber: null })).toContainEqual({
      event: { MOBILE_NUMBER: second },
    });
  });
  it('stand there only where numbers change', () => {
    expect(decide({ ...GOOD, eventConsent: null }).counterfactuals[0]?.change).toEqual({
      profile: { SMS_CONSENT: true },
    });
    expect(Object.keys(decide({ ...GOOD, eventConsent: null }).counterfactuals[0]?.change ?? {})).toEqual([
      'profile',
    ]);
  });
  it('and nothing is said of why a usable number would be unusable', () => {
    expect(Object.keys(decide(GOOD).candidates[0] ?? {})).toEqual([
      'attribute',
      'from',
      'value',
      'usable',
      'at',
      'age_seconds',
    ]);
    expect(decide({}).rules[0]?.result).toBe('block');
    expect(decide({}).number).toBeNull();
  });
});

describe('reasons', () => {
  it('are sentences, and each stands in one group', () => {
    for (const text of Object.values(REASONS)) expect(text).toMatch(/^[A-Z].{20,}\.$/);
    const groups = [RULE_REASONS, CONTENT_REASONS, DELIVERY_REASONS].flatMap((group) => Object.keys(group));
    expect(new Set(groups).size).toBe(groups.length);
    expect(Object.keys(REASONS).sort()).toEqual(groups.sort());
  });
  it('are found by their code; an unknown code is shown as it is', () => {
    expect(reasonText('opted_out')).toBe(RULE_REASONS.opted_out);
    expect(reasonText('toString')).toBe('toString');
    expect(reasonText(null)).toBeNull();
  });
});

describe('presets', () => {
  it('are what their names say', () => {
    expect(
      Object.fromEntries(Object.entries(PRESETS).map(([name, preset]) => [name, preset.document])),
    ).toEqual({
      strict: {
        number_conflict: 'profile',
        unusable_profile_number: 'suppress',
        unassigned_number: 'use',
        consent_conflict: 'deny-wins',
        consent_absent: 'suppress',
        validity_conflict: 'deny-wins',
        validity_absent: 'suppress',
        bind_flags_to_number: true,
      },
      'profile-first': { ...STRICT, consent_conflict: 'profile', validity_conflict: 'profile' },
      'event-first': {
        ...STRICT,
        number_conflict: 'event',
        unusable_profile_number: 'event',
        consent_conflict: 'event',
        validity_conflict: 'event',
      },
      'assume-absent': {
        ...STRICT,
        consent_absent: 'send',
        validity_absent: 'send',
        attestation: {
          attested_by: expect.stringMatching(/.{10,}/),
          disclosure: expect.stringMatching(/.{30,}/),
        },
      },
    });
    for (const { summary, when } of Object.values(PRESETS)) {
      expect(summary).toMatch(/.{30,}\.$/);
      expect(when).toMatch(/.{30,}\.$/);
    }
  });
  it('are version 1 of themselves; another name is none', () => {
    expect(presetPolicy('strict')).toEqual(DEFAULT_POLICY);
    expect(presetPolicy('event-first')).toMatchObject({ name: 'event-first', version: 1 });
    expect(presetPolicy('constructor')).toBeUndefined();
  });
});

describe('states', () => {
  it('have ranks that only rise on the way', () => {
    expect(STATE_RANK).toEqual({
      queued: 0,
      held: 0,
      sending: 1,
      unknown: 2,
      sent: 3,
      delivered: 4,
      undelivered: 4,
      failed: 4,
      suppressed: 4,
      expired: 4,
      canceled: 4,
    });
    expect(MESSAGE_STATES).toEqual(Object.keys(STATE_RANK));
    expect(RECEIPT_STATES).toEqual(['sent', 'delivered', 'undelivered', 'failed']);
  });
  it('have the same ranks in SQL', () => {
    expect(rankSql('m.state')).toBe(
      "CASE m.state WHEN 'queued' THEN 0 WHEN 'held' THEN 0 WHEN 'sending' THEN 1 WHEN 'unknown' THEN 2 WHEN 'sent' THEN 3 WHEN 'delivered' THEN 4 WHEN 'undelivered' THEN 4 WHEN 'failed' THEN 4 WHEN 'suppressed' THEN 4 WHEN 'expired' THEN 4 WHEN 'canceled' THEN 4 END",
    );
  });
});

describe('a message is composed', () => {
  const input = inputOf(GOOD);
  it('with its text where it is delivered', () => {
    expect(compose(input, DEFAULT_POLICY, 'Hi {{ name }}', { name: 'Ada' }, {})).toEqual({
      decision: resolve(input, DEFAULT_POLICY),
      body: 'Hi Ada',
      detail: null,
    });
  });
  it('without one where it is not', () => {
    const refused = inputOf({ ...GOOD, eventConsent: false });
    expect(compose(refused, DEFAULT_POLICY, 'Hi {{ name }}', { name: 'Ada' }, {})).toEqual({
      decision: resolve(refused, DEFAULT_POLICY),
      body: null,
      detail: null,
    });
  });
  it('and refused by the rules with mends that hold for the text too', () => {
    const refused = inputOf({ ...GOOD, eventConsent: false });
    const { decision, body } = compose(refused, DEFAULT_POLICY, '{{ user.name }} {{ city }}', {}, {});
    const plain = resolve(refused, DEFAULT_POLICY);
    expect(body).toBeNull();
    expect({ ...decision, counterfactuals: [] }).toEqual({ ...plain, counterfactuals: [] });
    expect(decision.counterfactuals).toHaveLength(plain.counterfactuals.length);
    expect(decision.counterfactuals[0]).toEqual({
      change: { event: { SMS_CONSENT: true, user: { name: 'a value' }, city: 'a value' } },
      outcome: 'deliver',
      text: 'would be sent if the event’s SMS_CONSENT were true and the event’s user and city had values',
    });
    expect(
      compose(refused, DEFAULT_POLICY, '{% if x %}y{% endif %}', {}, {}).decision.counterfactuals,
    ).toEqual([]);
  });
  it('and refused with a rule of its own where the text needs what nobody gave', () => {
    const { decision, body, detail } = compose(input, DEFAULT_POLICY, 'Hi {{ name }}', {}, {});
    expect({ body, detail }).toEqual({ body: null, detail: 'name' });
    expect(decision).toEqual({
      ...resolve(input, DEFAULT_POLICY),
      outcome: 'suppress',
      reason: 'template_variable_missing',
      text: 'Not sent. The text needs a value that neither the event nor the profile has. (name)',
      rules: [
        ...resolve(input, DEFAULT_POLICY).rules,
        {
          rule: 'template',
          profile: null,
          event: null,
          cell: 'template_variable_missing',
          result: 'block',
          reason: 'template_variable_missing',
          text: 'The text needs a value that neither the event nor the profile has. (name)',
        },
      ],
      counterfactuals: [
        {
          change: { event: { name: 'a value' } },
          outcome: 'deliver',
          text: 'would be sent if the event’s name had a value',
        },
      ],
    });
  });
  it('and refused without a mend where the text came out empty', () => {
    const { decision, detail } = compose(input, DEFAULT_POLICY, '{% if x %}Hi{% endif %}', {}, {});
    expect(decision).toMatchObject({
      reason: 'body_empty',
      counterfactuals: [],
      text: 'Not sent. The text came out empty.',
    });
    expect(detail).toBeNull();
  });
});

describe('a masked decision', () => {
  it('masks numbers wherever they stand, and nothing else', () => {
    const decision = decide({
      profileNumber: NUMBER_B,
      eventNumber: NOT_A_NUMBER,
      eventConsent: true,
      eventValid: true,
    });
    const masked = maskDecision(decision);
    expect(masked.number).toEqual({ value: '+1212•••0124', from: 'profile' });
    expect(masked.rules[0]).toMatchObject({ profile: '+1212•••0124', event: '••• (13 characters)' });
    expect(masked.rules.slice(1)).toEqual(decision.rules.slice(1));
    expect(masked.candidates.map(({ value }) => value)).toEqual([
      '+1212•••0124',
      '••• (13 characters)',
      true,
      true,
    ]);
    expect(masked.counterfactuals).toHaveLength(decision.counterfactuals.length);
    const { number: _, rules: __, candidates: ___, counterfactuals: ____, ...rest } = decision;
    expect(masked).toMatchObject(rest);
  });
  it('masks the numbers of its counterfactuals', () => {
    const masked = maskDecision(decide({ ...GOOD, profileNumber: NUMBER_B }));
    const changes = masked.counterfactuals.map(({ change }) => change);
    expect(changes).toContainEqual({ profile: { MOBILE_NUMBER: '+1415•••0123' } });
    expect(changes).toContainEqual({ profile: { MOBILE_NUMBER: null } });
    expect(changes).toContainEqual({ profile: { SMS_CONSENT: true, SMS_VALID: true } });
  });
  it('has no number where none was chosen', () => {
    expect(maskDecision(decide({})).number).toBeNull();
  });
});

describe('a decision as a page of plain text', () => {
  it('says the outcome, every rule, and what would have changed it', () => {
    expect(
      narrate(decide({ ...GOOD, profileConsent: false })),
    ).toBe(`Not sent. The customer has not agreed to texts: SMS_CONSENT is false.

Why, under the policy “test”:
  Number    ✓ The profile has no number, the event has +1415•••0123. The event’s number is used.
  Opt-out   ✓ This number has not opted out.
  Consent   ✗ The profile says no, the event says yes. By policy (consent_conflict: deny-wins) a “no” wins, so SMS_CONSENT is blocked.
  Validity  ✓ The profile says nothing, the event says yes. SMS_VALID is allowed.

What would have changed it:
  - It would be sent if the profile’s SMS_CONSENT were true.
  - It would be sent if the profile’s SMS_CONSENT were missing.
`);
  });
  it('shows the smallest mends and counts the others', () => {
    expect(narrate(decide(GOOD))).toMatch(/\n {2}\(and 7 other ways\)\n$/);
    const six = { ...decide(GOOD), counterfactuals: decide(GOOD).counterfactuals.slice(0, 6) };
    expect(narrate(six)).toMatch(/\n {2}\(and 1 other way\)\n$/);
    const none = compose(inputOf(GOOD), DEFAULT_POLICY, '{% if x %}Hi{% endif %}', {}, {}).decision;
    expect(narrate(none)).toContain('  Text      ✗ The text came out empty.');
    expect(narrate(none)).toMatch(/\n {2}- Nothing that profile or event could say\.\n$/);
    expect(narrate(decide({}))).toContain('  Opt-out   – No number was chosen');
  });
  it('shows several policies side by side', () => {
    const decision = decide({});
    const text = 'Not sent. There is no mobile number, neither in the profile nor in the event.';
    expect(
      narrateAll([
        { policy: 'a', decision },
        { policy: 'long-name', decision },
      ]),
    ).toBe(`a          ${text}\nlong-name  ${text}\n`);
    expect(narrateAll([])).toBe('');
  });
});
