/**
 * The decision about one message: what profile and event say, resolved by the decision tables under a policy.
 *
 * Pure: no clock, no database, no randomness. The same input gives the same decision, years later too; that is what
 * the what-if replay and the audit rest on.
 */
import type { Attributes, Flag } from './attributes.ts';
import { NO_ATTRIBUTES } from './attributes.ts';
import { flips } from './counterfactuals.ts';
import type { Candidate, Decision, RuleTrace } from './decision.ts';
import { evaluate, type FlagHit, type Situation, type Verdict } from './evaluate.ts';
import { cellName, counterfactual, flagText, numberText, outcomeText, suppressionText } from './explain.ts';
import type { Phone } from './phone.ts';
import type { NamedPolicy, Policy } from './policy.ts';
import type { EventNumber, FlagName, FlagState, ProfileNumber, Side } from './tables.ts';

/** What one side said, and when: the event's own time, or the time of the batch row. ISO 8601. */
export interface Statement {
  readonly attributes: Attributes;
  readonly at: string | null;
}

export interface ResolveInput {
  /** `null` where the store has no profile for this customer. */
  readonly profile: Statement | null;
  readonly event: Statement;
  /** Numbers in E.164 that have opted out; at least those among the candidates. */
  readonly optedOut: ReadonlySet<string>;
  /** When the decision is taken, ISO 8601. */
  readonly decidedAt: string;
}

/** Only the verdict, without words: what a replay of very many events needs. */
export function judge(input: Omit<ResolveInput, 'decidedAt'>, policy: Policy): Verdict {
  return evaluate(situationOf(sidesOf(input, policy), input.optedOut), policy);
}

/** Decides. Total: every combination of inputs gives a decision with its reasons. */
export function resolve(input: ResolveInput, policy: NamedPolicy): Decision {
  const sides = sidesOf(input, policy.document);
  const situation = situationOf(sides, input.optedOut);
  const verdict = evaluate(situation, policy.document);
  const phone = verdict.use === null ? null : sides[verdict.use].MOBILE_NUMBER;
  return {
    outcome: verdict.outcome,
    reason: verdict.reason,
    text: outcomeText(verdict, phone),
    number: verdict.use !== null && phone?.e164 ? { value: phone.e164, from: verdict.use } : null,
    policy: { name: policy.name, version: policy.version },
    decided_at: input.decidedAt,
    candidates: candidates(sides, input),
    rules: trace(verdict, sides),
    counterfactuals: flips(situation, policy.document).map((flip) =>
      counterfactual(flip.changes, flip.outcome, sides),
    ),
  };
}

/** What the tables need to know of the two sides. */
export function situationOf(sides: Record<Side, Attributes>, optedOut: ReadonlySet<string>): Situation {
  const { profile, event } = sides;
  const profileNumber: ProfileNumber = numberState(profile.MOBILE_NUMBER);
  const eventState = numberState(event.MOBILE_NUMBER);
  const same = event.MOBILE_NUMBER?.e164 === profile.MOBILE_NUMBER?.e164;
  const eventNumber: EventNumber = eventState === 'usable' ? (same ? 'same' : 'different') : eventState;
  const isOut = (phone: Phone | null): boolean => phone?.e164 != null && optedOut.has(phone.e164);
  return {
    number: { profile: profileNumber, event: eventNumber },
    consent: { profile: flagState(profile.SMS_CONSENT), event: flagState(event.SMS_CONSENT) },
    validity: { profile: flagState(profile.SMS_VALID), event: flagState(event.SMS_VALID) },
    optedOut: { profile: isOut(profile.MOBILE_NUMBER), event: isOut(event.MOBILE_NUMBER) },
  };
}

/** What each side says, as this policy understands numbers. */
function sidesOf(input: Omit<ResolveInput, 'decidedAt'>, policy: Policy): Record<Side, Attributes> {
  return {
    profile: understood(input.profile?.attributes ?? NO_ATTRIBUTES, policy),
    event: understood(input.event.attributes, policy),
  };
}

/** A number whose range nobody has is unusable where the policy refuses such numbers. */
function understood(attributes: Attributes, policy: Policy): Attributes {
  const phone = attributes.MOBILE_NUMBER;
  if (phone?.e164 == null || phone.assigned || policy.unassigned_number === 'use') return attributes;
  return { ...attributes, MOBILE_NUMBER: { raw: phone.raw, e164: null, why: 'unassigned' } };
}

function numberState(phone: Phone | null): ProfileNumber {
  if (phone === null) return 'missing';
  return phone.e164 === null ? 'unusable' : 'usable';
}

function flagState(flag: Flag): FlagState {
  return flag === null ? 'missing' : flag ? 'true' : 'false';
}

function trace(verdict: Verdict, sides: Record<Side, Attributes>): RuleTrace[] {
  const { number, optedOut } = verdict;
  const flag = (rule: FlagName, hit: FlagHit): RuleTrace => {
    const said = { profile: sides.profile[rule], event: sides.event[rule] };
    return {
      rule,
      ...said,
      cell: cellName(hit.row.profile, hit.row.event, hit.asked),
      result: hit.effect === 'allow' ? 'allow' : 'block',
      reason: hit.reason,
      text: flagText(rule, hit, said),
    };
  };
  const value = (side: Side): string | null =>
    sides[side].MOBILE_NUMBER?.e164 ?? sides[side].MOBILE_NUMBER?.raw ?? null;
  return [
    {
      rule: 'MOBILE_NUMBER',
      profile: value('profile'),
      event: value('event'),
      cell: cellName(number.row.profile, number.row.event, number.asked),
      result: 'use' in number.effect ? `use ${number.effect.use}` : 'block',
      reason: 'suppress' in number.effect ? number.effect.suppress : null,
      text: numberText(number, sides),
    },
    {
      rule: 'suppression',
      profile: null,
      event: null,
      cell: optedOut === null ? 'no number' : optedOut ? 'opted out' : 'not opted out',
      result: optedOut === null ? 'not asked' : optedOut ? 'block' : 'clear',
      reason: optedOut ? 'opted_out' : null,
      text: suppressionText(optedOut),
    },
    flag('SMS_CONSENT', verdict.consent),
    flag('SMS_VALID', verdict.validity),
  ];
}

function candidates(sides: Record<Side, Attributes>, input: ResolveInput): Candidate[] {
  const list: Candidate[] = [];
  for (const from of ['profile', 'event'] as const) {
    const at = input[from]?.at ?? null;
    const age = at === null ? null : Math.round((Date.parse(input.decidedAt) - Date.parse(at)) / 1000);
    const { MOBILE_NUMBER: phone, ...flags } = sides[from];
    if (phone !== null) {
      list.push({
        attribute: 'MOBILE_NUMBER',
        from,
        value: phone.e164 ?? phone.raw,
        usable: phone.e164 !== null,
        ...(phone.e164 === null && { why: phone.why }),
        at,
        age_seconds: age,
      });
    }
    for (const attribute of ['SMS_CONSENT', 'SMS_VALID'] as const) {
      const value = flags[attribute];
      if (value !== null) list.push({ attribute, from, value, at, age_seconds: age });
    }
  }
  return list;
}
