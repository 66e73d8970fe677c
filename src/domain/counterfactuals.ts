/**
 * Which changes to the inputs would have flipped the outcome: all minimal sets, over states.
 *
 * A set is minimal when none of its proper subsets flips the outcome. The search tries sets in the order of their
 * size, so what it finds first is what is easiest to mend. It depends only on the situation and the policy, of which
 * there are few, so answers are kept in a bounded memo.
 */
import { evaluate, type Situation } from './evaluate.ts';
import type { Policy } from './policy.ts';
import type { EventNumber, FlagState, ProfileNumber, Side } from './tables.ts';

export type NumberChange = 'missing' | 'unusable' | 'another' | 'other-side';

/** One input, set to another value. `opted_out` is about the number of that side. */
export type Change =
  | { readonly side: Side; readonly input: 'MOBILE_NUMBER'; readonly to: NumberChange }
  | { readonly side: Side; readonly input: 'SMS_CONSENT' | 'SMS_VALID'; readonly to: FlagState }
  | { readonly side: Side; readonly input: 'opted_out'; readonly to: boolean };

export interface Flip {
  readonly changes: readonly Change[];
  readonly outcome: 'deliver' | 'suppress';
}

/** A number by identity: the profile's, the event's where it differs, or a new one on either side. */
type Label = 'P' | 'E' | 'new-profile' | 'new-event';
type NumberValue = Label | 'missing' | 'unusable';

interface State {
  numbers: Record<Side, NumberValue>;
  consent: Record<Side, FlagState>;
  validity: Record<Side, FlagState>;
  optedOut: Record<Label, boolean>;
}

const FLAG_STATES: readonly FlagState[] = ['true', 'false', 'missing'];
const SIDES: readonly Side[] = ['profile', 'event'];
const MEMO_LIMIT = 4096;
const memo = new Map<string, readonly Flip[]>();
const policyKeys = new WeakMap<Policy, string>();

/**
 * All minimal sets of changes that turn the verdict around, smallest first.
 *
 * After a STOP, changes of numbers are left out: texting somebody on another number because they opted out on this one
 * is not a mend. What remains is a new opt-in on this number, with whatever the flags need besides.
 */
export function flips(situation: Situation, policy: Policy): readonly Flip[] {
  const key = `${policyKey(policy)}|${situationKey(situation)}`;
  const known = memo.get(key);
  if (known) return known;
  const found = search(situation, policy);
  if (memo.size >= MEMO_LIMIT) memo.clear();
  memo.set(key, found);
  return found;
}

/** The situation after changes; what they promise is what `evaluate` says of it. */
export function applyChanges(situation: Situation, changes: readonly Change[]): Situation {
  const state = toState(situation);
  // Opt-outs are about the numbers as they were, so they are applied before numbers change hands.
  for (const change of changes) {
    if (change.input !== 'opted_out') continue;
    const label = state.numbers[change.side];
    if (label === 'P' || label === 'E') state.optedOut[label] = change.to;
  }
  const before = { ...state.numbers };
  for (const { side, input, to } of changes) {
    if (input === 'MOBILE_NUMBER') {
      if (to === 'another') state.numbers[side] = `new-${side}`;
      else if (to === 'other-side') state.numbers[side] = before[side === 'profile' ? 'event' : 'profile'];
      else state.numbers[side] = to;
    } else if (input === 'SMS_CONSENT') state.consent[side] = to;
    else if (input === 'SMS_VALID') state.validity[side] = to;
  }
  return toSituation(state);
}

function search(situation: Situation, policy: Policy): readonly Flip[] {
  const verdict = evaluate(situation, policy);
  const variables = alternatives(situation, verdict.use, verdict.reason === 'opted_out');
  const outcome = verdict.outcome === 'deliver' ? 'suppress' : 'deliver';
  const found: Flip[] = [];

  const extend = (from: number, left: number, changes: readonly Change[]): void => {
    if (found.some((flip) => flip.changes.every((change) => changes.includes(change)))) return;
    if (left === 0) {
      if (evaluate(applyChanges(situation, changes), policy).outcome === outcome)
        found.push({ changes, outcome });
      return;
    }
    for (let i = from; i + left <= variables.length; i++) {
      for (const change of variables[i] ?? []) extend(i + 1, left - 1, [...changes, change]);
    }
  };
  for (let size = 1; size <= variables.length; size++) extend(0, size, []);
  return found;
}

/** For every input, the values it could have had instead; what is easiest to mend stands first. */
function alternatives(
  situation: Situation,
  use: Side | null,
  afterStop: boolean,
): readonly (readonly Change[])[] {
  const variables: Change[][] = [];
  for (const [input, rule] of [
    ['SMS_CONSENT', 'consent'],
    ['SMS_VALID', 'validity'],
  ] as const) {
    for (const side of SIDES) {
      const now = situation[rule][side];
      variables.push(
        FLAG_STATES.filter((state) => state !== now).map((state) => ({ side, input, to: state })),
      );
    }
  }
  for (const side of SIDES) {
    if (afterStop) break;
    const now = situation.number[side];
    const other = side === 'profile' ? situation.number.event : situation.number.profile;
    const to: NumberChange[] = [];
    if (now !== 'missing') to.push('missing');
    if (now !== 'unusable') to.push('unusable');
    to.push('another');
    const otherIsUsable = other === 'usable' || other === 'different';
    if (otherIsUsable && now !== 'same' && situation.number.event !== 'same') to.push('other-side');
    variables.push(to.map((value) => ({ side, input: 'MOBILE_NUMBER', to: value })));
  }
  // An opt-out can be lifted wherever there is one, and matters where there is none only for the number in use.
  for (const side of SIDES) {
    const own = side === 'profile' || situation.number.event === 'different';
    const out = situation.optedOut[side];
    if (own && (out || side === use)) variables.push([{ side, input: 'opted_out', to: !out }]);
  }
  return variables;
}

function toState(situation: Situation): State {
  const profile: NumberValue = situation.number.profile === 'usable' ? 'P' : situation.number.profile;
  const labels: Record<EventNumber, NumberValue> = {
    missing: 'missing',
    unusable: 'unusable',
    same: 'P',
    different: 'E',
  };
  return {
    numbers: { profile, event: labels[situation.number.event] },
    consent: { ...situation.consent },
    validity: { ...situation.validity },
    optedOut: {
      P: situation.optedOut.profile,
      E: situation.optedOut.event,
      'new-profile': false,
      'new-event': false,
    },
  };
}

function toSituation({ numbers, consent, validity, optedOut }: State): Situation {
  const { profile, event } = numbers;
  const isLabel = (value: NumberValue): value is Label => value !== 'missing' && value !== 'unusable';
  const profileState: ProfileNumber = isLabel(profile) ? 'usable' : profile;
  const eventState: EventNumber = isLabel(event) ? (event === profile ? 'same' : 'different') : event;
  return {
    number: { profile: profileState, event: eventState },
    consent,
    validity,
    optedOut: {
      profile: isLabel(profile) && optedOut[profile],
      event: isLabel(event) && optedOut[event],
    },
  };
}

function policyKey(policy: Policy): string {
  const known = policyKeys.get(policy);
  if (known !== undefined) return known;
  const { attestation: _, ...questions } = policy;
  const key = JSON.stringify(Object.entries(questions).sort());
  policyKeys.set(policy, key);
  return key;
}

function situationKey({ number, consent, validity, optedOut }: Situation): string {
  return [
    number.profile,
    number.event,
    consent.profile,
    consent.event,
    validity.profile,
    validity.event,
    optedOut.profile,
    optedOut.event,
  ].join();
}
