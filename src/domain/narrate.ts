/** A decision as a page of plain text, for people who do not read JSON. Numbers are masked. */
import type { Decision, RuleName } from './decision.ts';

const LABELS: Readonly<Record<RuleName, string>> = {
  MOBILE_NUMBER: 'Number',
  suppression: 'Opt-out',
  SMS_CONSENT: 'Consent',
  SMS_VALID: 'Validity',
  template: 'Text',
};

/** Mends beyond these are left to the JSON: the first ones are the smallest. */
const MAX_MENDS = 5;

/** The outcome, every rule in order, and what would have changed it. */
export function narrate(decision: Decision): string {
  const rules = decision.rules.map(
    (rule) => `  ${LABELS[rule.rule].padEnd(10)}${mark(rule.result)} ${rule.text}`,
  );
  const mends = decision.counterfactuals.slice(0, MAX_MENDS).map(({ text }) => `  - It ${text}.`);
  const more = decision.counterfactuals.length - mends.length;
  return [
    decision.text,
    '',
    `Why, under the policy “${decision.policy.name}”:`,
    ...rules,
    '',
    'What would have changed it:',
    ...(mends.length > 0 ? mends : ['  - Nothing that profile or event could say.']),
    ...(more > 0 ? [`  (and ${more} other ${more === 1 ? 'way' : 'ways'})`] : []),
    '',
  ].join('\n');
}

/** Several policies side by side: one line each. */
export function narrateAll(
  decisions: readonly { readonly policy: string; readonly decision: Decision }[],
): string {
  const width = Math.max(0, ...decisions.map(({ policy }) => policy.length)) + 2;
  return decisions.map(({ policy, decision }) => `${policy.padEnd(width)}${decision.text}\n`).join('');
}

function mark(result: string): string {
  if (result === 'block') return '✗';
  return result === 'not asked' ? '–' : '✓';
}
