/**
 * A resolution policy: the answers to the questions that the decision tables leave open.
 *
 * The compliance-safe answer to each question is `strict`. The other presets are named trade-offs; a campaign names
 * the policy it runs under, and every decision records the name and version that it used.
 */

/** Every question a policy answers, with its possible answers; the first one is the answer of `strict`. */
export const POLICY_OPTIONS = {
  number_conflict: ['profile', 'event', 'suppress'],
  unusable_profile_number: ['suppress', 'event'],
  unassigned_number: ['use', 'refuse'],
  consent_conflict: ['deny-wins', 'profile', 'event'],
  consent_absent: ['suppress', 'send'],
  validity_conflict: ['deny-wins', 'profile', 'event'],
  validity_absent: ['suppress', 'send'],
} as const;

export type PolicyKey = keyof typeof POLICY_OPTIONS;

/** Who vouches that absent flags may be read as consent, and where the disclosure can be read. */
export interface Attestation {
  readonly attested_by: string;
  readonly disclosure: string;
}

export type Policy = {
  readonly [K in PolicyKey]: (typeof POLICY_OPTIONS)[K][number];
} & {
  /** A `true` that vouched for a number which is not used does not count. */
  readonly bind_flags_to_number: boolean;
  /** Required of a stored policy where `consent_absent` or `validity_absent` is `send`. */
  readonly attestation?: Attestation | undefined;
};

/** A policy as a decision names it. Version 0 marks a policy that was given in the call and is stored nowhere. */
export interface PolicyRef {
  readonly name: string;
  readonly version: number;
}

export interface NamedPolicy extends PolicyRef {
  readonly document: Policy;
}

export const STRICT: Policy = {
  number_conflict: 'profile',
  unusable_profile_number: 'suppress',
  unassigned_number: 'use',
  consent_conflict: 'deny-wins',
  consent_absent: 'suppress',
  validity_conflict: 'deny-wins',
  validity_absent: 'suppress',
  bind_flags_to_number: true,
};

export interface Preset {
  readonly document: Policy;
  readonly summary: string;
  readonly when: string;
}

/** The policies that every installation has. Their names are reserved. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  strict: {
    document: STRICT,
    summary: 'The profile’s number wins, any “no” wins, silence is a “no”.',
    when: 'The default. Use it unless somebody can say in writing why another one is right.',
  },
  'profile-first': {
    document: { ...STRICT, consent_conflict: 'profile', validity_conflict: 'profile' },
    summary: 'Where profile and event disagree, the profile is right; silence is still a “no”.',
    when: 'The profile store is the system of record for consent, and forms are known to send unreliable flags.',
  },
  'event-first': {
    document: {
      ...STRICT,
      number_conflict: 'event',
      unusable_profile_number: 'event',
      consent_conflict: 'event',
      validity_conflict: 'event',
    },
    summary:
      'Where profile and event disagree, the newer word, the event’s, is right; silence is still a “no”.',
    when: 'The form itself collects the number and express consent, so that it knows better than last night’s batch.',
  },
  'assume-absent': {
    document: {
      ...STRICT,
      consent_absent: 'send',
      validity_absent: 'send',
      attestation: {
        attested_by: 'the operator who chose this preset',
        disclosure: 'The signup form shows the SMS disclosure and is submitted only with express consent.',
      },
    },
    summary: 'Where neither side says anything about a flag, it counts as given; any “no” still wins.',
    when: 'Every trigger comes from a form that cannot be submitted without express consent. Write your own attestation in a policy of your own.',
  },
};

export const DEFAULT_POLICY: NamedPolicy = { name: 'strict', version: 1, document: STRICT };

/** The preset of that name as a named policy, or `undefined`. Presets are version 1 of themselves. */
export function presetPolicy(name: string): NamedPolicy | undefined {
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  return preset && { name, version: 1, document: preset.document };
}
