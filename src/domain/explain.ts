/** Verdicts in plain words. Numbers are always masked here; whole numbers stand only in the values beside the words. */
import type { Attributes, Flag } from './attributes.ts';
import type { Change } from './counterfactuals.ts';
import type { Counterfactual } from './decision.ts';
import type { FlagHit, NumberHit, PolicyAnswer, Verdict } from './evaluate.ts';
import { maskNumber, maskRaw, type Phone, type UnusableWhy } from './phone.ts';
import type { NamedPolicy } from './policy.ts';
import { RULE_REASONS } from './reasons.ts';
import type { FlagName, Side } from './tables.ts';

const OF_SIDE: Readonly<Record<Side, string>> = { profile: 'the profile’s', event: 'the event’s' };

/** Why a string is no number we would text, for a person who has to mend it. */
export const UNUSABLE_TEXT: Readonly<Record<UnusableWhy, string>> = {
  not_a_number: 'it is not a possible phone number',
  national_without_country: 'it is written without a country code, and the source has no default country',
  extension: 'it has an extension, which cannot be texted',
  premium_rate: 'it is a premium-rate number',
  too_long: 'it is too long for a phone number',
  unassigned: 'its range is not assigned to anybody, and the policy refuses such numbers',
};

/** The decision in one sentence. */
export function outcomeText(verdict: Verdict, number: Phone | null): string {
  if (verdict.reason !== null) return `Not sent. ${RULE_REASONS[verdict.reason]}`;
  const to = number?.e164 ? maskNumber(number.e164) : 'the number';
  return `To be sent to ${to}, ${verdict.use === 'profile' ? 'the profile’s number' : 'the event’s number'}: every rule allows it.`;
}

export function numberText(hit: NumberHit, sides: Record<Side, Attributes>): string {
  const said = `${cap(sayNumber('profile', sides.profile.MOBILE_NUMBER))}, ${sayNumber('event', sides.event.MOBILE_NUMBER)}`;
  const same = hit.row.event === 'same' ? ' (the same number)' : '';
  const then = 'use' in hit.effect ? `${OF_SIDE[hit.effect.use]} number is used` : 'no number is used';
  return `${said}${same}. ${cap(`${because(hit.asked)}${then}`)}.`;
}

export function flagText(name: FlagName, hit: FlagHit, said: Record<Side, Flag>): string {
  const words = `${cap(sayFlag('profile', said.profile))}, ${sayFlag('event', said.event)}.`;
  const discounted = hit.discounted
    ? ` ${cap(OF_SIDE[hit.discounted])} yes vouched for a number that is not used, so it does not count.`
    : '';
  const then = { allow: 'allowed', deny: 'blocked', silent: 'blocked' }[hit.effect];
  return `${words}${discounted} ${cap(because(hit.asked))}${name} is ${then}.`;
}

export function suppressionText(optedOut: boolean | null): string {
  if (optedOut === null) return 'No number was chosen, so there is nothing to look up.';
  return optedOut
    ? 'This number has opted out. That beats everything profile and event say.'
    : 'This number has not opted out.';
}

/** A set of changes as something to apply and something to read. */
export function counterfactual(
  changes: readonly Change[],
  outcome: 'deliver' | 'suppress',
  sides: Record<Side, Attributes>,
): Counterfactual {
  const values: Record<Side, Record<string, string | boolean | null>> = { profile: {}, event: {} };
  let suppressed: boolean | undefined;
  const words: string[] = [];
  for (const change of changes) {
    if (change.input === 'opted_out') {
      suppressed = change.to;
      const phone = sides[change.side].MOBILE_NUMBER;
      const which = phone?.e164 ? `this number (${maskNumber(phone.e164)})` : 'this number';
      words.push(change.to ? `${which} had opted out` : `there were a new opt-in on ${which}`);
    } else if (change.input === 'MOBILE_NUMBER') {
      const other = change.side === 'profile' ? 'event' : 'profile';
      const [value, word] = numberChange(change.side, change.to, sides[other].MOBILE_NUMBER, sides);
      values[change.side].MOBILE_NUMBER = value;
      words.push(`${OF_SIDE[change.side]} MOBILE_NUMBER were ${word}`);
    } else {
      values[change.side][change.input] = change.to === 'missing' ? null : change.to === 'true';
      words.push(`${OF_SIDE[change.side]} ${change.input} were ${change.to}`);
    }
  }
  return {
    change: {
      ...(Object.keys(values.profile).length > 0 && { profile: values.profile }),
      ...(Object.keys(values.event).length > 0 && { event: values.event }),
      ...(suppressed !== undefined && { suppressed }),
    },
    outcome,
    text: `${outcome === 'deliver' ? 'would be sent' : 'would not be sent'} if ${words.join(' and ')}`,
  };
}

/**
 * The cell as the tables name it, with the question it asked and the policy's answer. Stored with every decision, and
 * what a flowchart finds its path by: the wording must stay as it is.
 */
export function cellName(profile: string, event: string, asked: PolicyAnswer | null): string {
  return `profile ${profile} × event ${event}${asked ? ` → ${asked.key}: ${asked.answer}` : ''}`;
}

/** How a policy is called in texts: its name, or that it came with the call. */
export function policyLabel(policy: NamedPolicy): string {
  return policy.version === 0
    ? `${policy.name} (given in the call)`
    : `${policy.name}, version ${policy.version}`;
}

/** Fictional numbers (NANP reserves 555-0100 to 555-0199) that stand for “another usable number”. */
const EXAMPLE_NUMBERS = ['+12015550123', '+12015550124', '+12015550125', '+12015550126'] as const;

function numberChange(
  side: Side,
  to: 'missing' | 'unusable' | 'another' | 'other-side',
  other: Phone | null,
  sides: Record<Side, Attributes>,
): [string | null, string] {
  if (to === 'missing') return [null, 'missing'];
  if (to === 'unusable') return ['not a number', 'unusable'];
  if (to === 'other-side' && other?.e164) return [other.e164, maskNumber(other.e164)];
  const taken = [sides.profile.MOBILE_NUMBER?.e164, sides.event.MOBILE_NUMBER?.e164];
  const free = EXAMPLE_NUMBERS.filter((number) => !taken.includes(number));
  const example = free[side === 'profile' ? 0 : 1] ?? EXAMPLE_NUMBERS[0];
  return [example, taken.some(Boolean) ? 'another usable number' : 'a usable number'];
}

function sayNumber(side: Side, phone: Phone | null): string {
  if (phone === null) return `the ${side} has no number`;
  if (phone.e164 !== null) return `the ${side} has ${maskNumber(phone.e164)}`;
  return `the ${side} has ${maskRaw(phone.raw)}, which is unusable: ${UNUSABLE_TEXT[phone.why]}`;
}

function sayFlag(side: Side, flag: Flag): string {
  return `the ${side} says ${flag === null ? 'nothing' : flag ? 'yes' : 'no'}`;
}

const ANSWER_TEXT: Readonly<Record<string, string>> = {
  'deny-wins': 'a “no” wins',
  profile: 'the profile is believed',
  event: 'the event is believed',
  suppress: 'nothing is sent',
  send: 'silence counts as a “yes”',
};

function because(asked: PolicyAnswer | null): string {
  if (!asked) return '';
  const silence = asked.key.endsWith('_absent') && asked.answer === 'suppress';
  const words = silence ? 'silence is a “no”' : (ANSWER_TEXT[asked.answer] ?? asked.answer);
  return `by policy (${asked.key}: ${asked.answer}) ${words}, so `;
}

function cap(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
