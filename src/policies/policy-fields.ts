/** A policy as clients write it: what is left out has the strict answer. */
import { z } from 'zod';
import { POLICY_OPTIONS } from '../domain/policy.ts';
import { text } from '../platform/fields.ts';

const attestation = z.strictObject({
  attested_by: text().trim().min(1, 'must say who vouches').max(200, 'must have at most 200 characters'),
  disclosure: text()
    .trim()
    .min(10, 'must be the disclosure text that people agree to, or its URL')
    .max(4000, 'must have at most 4000 characters'),
});

/** One question: its options, and the first of them, the strict answer, where it is left out. */
function question<const T extends readonly [string, ...string[]]>(options: T) {
  const listed = options.map((option) => `"${option}"`).join(', ');
  return z.enum(options, `must be one of ${listed}`).default(options[0] as T[number]);
}

/** A policy that is only tried out: a dry run or a draft for a replay sends nothing, so nobody need vouch. */
export const draftPolicyFields = z.strictObject({
  number_conflict: question(POLICY_OPTIONS.number_conflict),
  unusable_profile_number: question(POLICY_OPTIONS.unusable_profile_number),
  unassigned_number: question(POLICY_OPTIONS.unassigned_number),
  consent_conflict: question(POLICY_OPTIONS.consent_conflict),
  consent_absent: question(POLICY_OPTIONS.consent_absent),
  validity_conflict: question(POLICY_OPTIONS.validity_conflict),
  validity_absent: question(POLICY_OPTIONS.validity_absent),
  bind_flags_to_number: z.boolean('must be true or false').default(true),
  attestation: attestation.optional(),
});

/** A policy that campaigns may run under. Reading silence as consent needs somebody who vouches for it. */
export const policyFields = draftPolicyFields.superRefine((policy, context) => {
  const readsSilence = policy.consent_absent === 'send' || policy.validity_absent === 'send';
  if (readsSilence && policy.attestation === undefined) {
    context.addIssue({
      code: 'custom',
      path: ['attestation'],
      message:
        'is required where consent_absent or validity_absent is "send": {"attested_by": who vouches, "disclosure": the text people agree to, or its URL}',
    });
  }
});
