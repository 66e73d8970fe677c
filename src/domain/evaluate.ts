/**
 * The rules over states: no values, no words, only what each side says. `resolve()` puts values in and words around;
 * counterfactuals, flowcharts and the replay ask the same function.
 *
 * Order: MOBILE_NUMBER, then suppression (it beats every flag), then SMS_CONSENT, then SMS_VALID. All rules are
 * evaluated, also those after the first that failed, so that the trace shows everything there is to mend.
 */
import type { Policy, PolicyKey } from './policy.ts';
import type { RuleReason } from './reasons.ts';
import {
  type Cell,
  type EventNumber,
  FLAG_RULES,
  FLAG_TABLE,
  type FlagEffect,
  type FlagRow,
  type FlagState,
  NUMBER_TABLE,
  type NumberEffect,
  type NumberRow,
  type ProfileNumber,
  type Side,
} from './tables.ts';

/** Everything that a decision depends on, besides the policy. */
export interface Situation {
  readonly number: { readonly profile: ProfileNumber; readonly event: EventNumber };
  readonly consent: { readonly profile: FlagState; readonly event: FlagState };
  readonly validity: { readonly profile: FlagState; readonly event: FlagState };
  /** Whether each side's number has opted out. A side without a usable number has not. */
  readonly optedOut: { readonly profile: boolean; readonly event: boolean };
}

/** The policy's question that a cell asked, and the answer that applied. */
export interface PolicyAnswer {
  readonly key: PolicyKey;
  readonly answer: string;
}

export interface NumberHit {
  readonly row: NumberRow;
  readonly asked: PolicyAnswer | null;
  readonly effect: NumberEffect;
}

export interface FlagHit {
  readonly row: FlagRow;
  readonly asked: PolicyAnswer | null;
  readonly effect: FlagEffect;
  readonly reason: RuleReason | null;
  /** The side whose `true` did not count because it vouched for a number that is not used. */
  readonly discounted: Side | null;
}

export interface Verdict {
  readonly outcome: 'deliver' | 'suppress';
  /** The first reason in the order of the rules; `null` when delivered. */
  readonly reason: RuleReason | null;
  readonly use: Side | null;
  readonly number: NumberHit;
  /** `null` where no number was chosen, so that there was nothing to look up. */
  readonly optedOut: boolean | null;
  readonly consent: FlagHit;
  readonly validity: FlagHit;
}

/** Applies the decision tables to a situation under a policy. Pure and total. */
export function evaluate(situation: Situation, policy: Policy): Verdict {
  const number = numberHit(situation, policy);
  const use = 'use' in number.effect ? number.effect.use : null;
  const unbound = policy.bind_flags_to_number ? sideNotVouchedFor(situation, use) : null;
  const consent = flagHit('consent', situation, policy, unbound);
  const validity = flagHit('validity', situation, policy, unbound);
  const optedOut = use === null ? null : situation.optedOut[use];

  const reason =
    ('suppress' in number.effect ? number.effect.suppress : null) ??
    (optedOut ? 'opted_out' : null) ??
    consent.reason ??
    validity.reason;
  return {
    outcome: reason === null ? 'deliver' : 'suppress',
    reason,
    use,
    number,
    optedOut,
    consent,
    validity,
  };
}

/** The side whose flags vouch for a number that is not used, where both sides have one and the two differ. */
function sideNotVouchedFor(situation: Situation, use: Side | null): Side | null {
  const conflict = situation.number.profile === 'usable' && situation.number.event === 'different';
  if (!conflict || use === null) return null;
  return use === 'profile' ? 'event' : 'profile';
}

function numberHit(situation: Situation, policy: Policy): NumberHit {
  const { profile, event } = situation.number;
  const row = NUMBER_TABLE.find((r) => r.profile === profile && r.event === event);
  if (!row) throw new RangeError(`no cell for number ${profile} × ${event}`);
  return { row, ...answer(row.cell, policy, (key) => key) };
}

function flagHit(
  rule: 'consent' | 'validity',
  situation: Situation,
  policy: Policy,
  unbound: Side | null,
): FlagHit {
  const said = situation[rule];
  const discounted = unbound !== null && said[unbound] === 'true' ? unbound : null;
  const profile = discounted === 'profile' ? 'missing' : said.profile;
  const event = discounted === 'event' ? 'missing' : said.event;
  const row = FLAG_TABLE.find((r) => r.profile === profile && r.event === event);
  if (!row) throw new RangeError(`no cell for flag ${profile} × ${event}`);
  const { keys, reasons } = FLAG_RULES[rule];
  const { asked, effect } = answer(row.cell, policy, (key) => keys[key]);
  return { row, asked, effect, reason: effect === 'allow' ? null : reasons[effect], discounted };
}

/** Reads a cell: its effect, or the effect of the policy's answer to the question it asks. */
function answer<E, K extends PolicyKey>(
  cell: Cell<E, K>,
  policy: Policy,
  keyFor: (key: K) => PolicyKey,
): { asked: PolicyAnswer | null; effect: E } {
  if ('effect' in cell) return { asked: null, effect: cell.effect };
  const key = keyFor(cell.policy);
  const chosen = policy[key];
  const effect = cell.options[chosen];
  if (effect === undefined) throw new RangeError(`policy ${key}=${chosen} is not an option of this cell`);
  return { asked: { key, answer: chosen }, effect };
}
