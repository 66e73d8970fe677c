/**
 * The decision tables, once, as data.
 *
 * The resolver evaluates them, the trace quotes the cell that decided, the flowcharts and `docs/resolution.md` are
 * drawn from them, and the tests enumerate them. To change a rule, change its cell here and nowhere else.
 *
 * The source page gives the number fallback in words and the rest as two pictures that are not available. Every cell
 * with a `policy` is our reading of those pictures, open to a policy, with a compliance-safe default.
 */
import type { PolicyKey } from './policy.ts';
import type { RuleReason } from './reasons.ts';

export type Side = 'profile' | 'event';

/** What a side says about the number. `same` and `different` compare the event's number with the profile's. */
export type ProfileNumber = 'missing' | 'usable' | 'unusable';
export type EventNumber = 'missing' | 'same' | 'different' | 'unusable';

/** What a side says about a flag. Blank and null are missing, never false. */
export type FlagState = 'true' | 'false' | 'missing';

export type NumberEffect = { readonly use: Side } | { readonly suppress: RuleReason };

/** A cell is an effect, or a question whose answer the policy chooses. */
export type Cell<E, K extends PolicyKey = PolicyKey> =
  | { readonly effect: E }
  | { readonly policy: K; readonly options: Readonly<Record<string, E>> };

export interface NumberRow {
  readonly profile: ProfileNumber;
  readonly event: EventNumber;
  readonly cell: Cell<NumberEffect>;
  readonly note?: string;
}

const use = (side: Side): Cell<NumberEffect> => ({ effect: { use: side } });
const suppress = (reason: RuleReason): Cell<NumberEffect> => ({ effect: { suppress: reason } });

/** MOBILE_NUMBER. `same` exists only beside a usable profile number: two numbers are compared after E.164. */
export const NUMBER_TABLE: readonly NumberRow[] = [
  { profile: 'missing', event: 'missing', cell: suppress('number_missing') },
  {
    profile: 'missing',
    event: 'different',
    cell: use('event'),
    note: 'the fallback that the source page states in words',
  },
  { profile: 'missing', event: 'unusable', cell: suppress('number_unusable') },
  { profile: 'usable', event: 'missing', cell: use('profile') },
  { profile: 'usable', event: 'same', cell: use('profile') },
  {
    profile: 'usable',
    event: 'different',
    cell: {
      policy: 'number_conflict',
      options: {
        profile: { use: 'profile' },
        event: { use: 'event' },
        suppress: { suppress: 'number_conflict' },
      },
    },
  },
  {
    profile: 'usable',
    event: 'unusable',
    cell: use('profile'),
    note: 'the event’s number is noted, not used',
  },
  { profile: 'unusable', event: 'missing', cell: suppress('number_unusable') },
  {
    profile: 'unusable',
    event: 'different',
    cell: {
      policy: 'unusable_profile_number',
      options: { suppress: { suppress: 'number_unusable' }, event: { use: 'event' } },
    },
  },
  { profile: 'unusable', event: 'unusable', cell: suppress('number_unusable') },
];

/** What a flag's cell says: `allow`, `deny` (somebody said no) or `silent` (nobody said anything). */
export type FlagEffect = 'allow' | 'deny' | 'silent';

export interface FlagRow {
  readonly profile: FlagState;
  readonly event: FlagState;
  readonly cell: Cell<FlagEffect, 'consent_conflict' | 'consent_absent'>;
}

/**
 * SMS_CONSENT and, separately, SMS_VALID. Written once with the questions of SMS_CONSENT; `FLAG_RULES` says which
 * questions of the policy stand in their place for SMS_VALID.
 */
export const FLAG_TABLE: readonly FlagRow[] = [
  { profile: 'true', event: 'true', cell: { effect: 'allow' } },
  {
    profile: 'true',
    event: 'false',
    cell: { policy: 'consent_conflict', options: { 'deny-wins': 'deny', profile: 'allow', event: 'deny' } },
  },
  { profile: 'true', event: 'missing', cell: { effect: 'allow' } },
  {
    profile: 'false',
    event: 'true',
    cell: { policy: 'consent_conflict', options: { 'deny-wins': 'deny', profile: 'deny', event: 'allow' } },
  },
  { profile: 'false', event: 'false', cell: { effect: 'deny' } },
  { profile: 'false', event: 'missing', cell: { effect: 'deny' } },
  { profile: 'missing', event: 'true', cell: { effect: 'allow' } },
  { profile: 'missing', event: 'false', cell: { effect: 'deny' } },
  {
    profile: 'missing',
    event: 'missing',
    cell: { policy: 'consent_absent', options: { suppress: 'silent', send: 'allow' } },
  },
];

export type FlagName = 'SMS_CONSENT' | 'SMS_VALID';

export interface FlagRule {
  readonly name: FlagName;
  /** The policy's question that stands in for the table's `consent_conflict` and `consent_absent`. */
  readonly keys: { readonly consent_conflict: PolicyKey; readonly consent_absent: PolicyKey };
  readonly reasons: { readonly deny: RuleReason; readonly silent: RuleReason };
}

/** The two flags in the order in which they are asked. */
export const FLAG_RULES: Readonly<Record<'consent' | 'validity', FlagRule>> = {
  consent: {
    name: 'SMS_CONSENT',
    keys: { consent_conflict: 'consent_conflict', consent_absent: 'consent_absent' },
    reasons: { deny: 'consent_denied', silent: 'consent_missing' },
  },
  validity: {
    name: 'SMS_VALID',
    keys: { consent_conflict: 'validity_conflict', consent_absent: 'validity_absent' },
    reasons: { deny: 'validity_denied', silent: 'validity_missing' },
  },
};
