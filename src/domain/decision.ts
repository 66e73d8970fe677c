/** The shape of a decision: what was decided, from what, by which cells, and what would have changed it. */
import type { PolicyRef } from './policy.ts';
import type { Reason } from './reasons.ts';
import type { Side } from './tables.ts';

export type RuleName = 'MOBILE_NUMBER' | 'suppression' | 'SMS_CONSENT' | 'SMS_VALID' | 'template';
export type RuleValue = string | boolean | null;

/** One value that was there to choose from, with where it came from and how old it was. */
export interface Candidate {
  readonly attribute: 'MOBILE_NUMBER' | 'SMS_CONSENT' | 'SMS_VALID';
  readonly from: Side;
  /** A number in E.164 where it is usable, else as it was given. */
  readonly value: string | boolean;
  /** Only for numbers: whether it can be texted, and if not, why. */
  readonly usable?: boolean;
  readonly why?: string;
  /** ISO 8601: the event's time, or the time of the batch row. */
  readonly at: string | null;
  /** Seconds between `at` and the decision. */
  readonly age_seconds: number | null;
}

/** One rule with the cell that applied. Rules stand in the order in which they are asked. */
export interface RuleTrace {
  readonly rule: RuleName;
  readonly profile: RuleValue;
  readonly event: RuleValue;
  /** The table's cell: `profile false × event true → consent_conflict: deny-wins`. */
  readonly cell: string;
  /** `use profile`, `use event`, `allow`, `clear`, `block` or `not asked`. */
  readonly result: string;
  readonly reason: Reason | null;
  /** The same in plain words, numbers masked. */
  readonly text: string;
}

export interface Counterfactual {
  /** Inputs to set: `{"profile": {"SMS_CONSENT": true}}`. `"suppressed": false` stands for a new opt-in. */
  readonly change: {
    readonly profile?: Readonly<Record<string, string | boolean | null>>;
    /** Also further event data, where the text needs it. */
    readonly event?: Readonly<Record<string, unknown>>;
    readonly suppressed?: boolean;
  };
  readonly outcome: 'deliver' | 'suppress';
  readonly text: string;
}

export interface Decision {
  readonly outcome: 'deliver' | 'suppress' | 'hold';
  readonly reason: Reason | null;
  /** Of a `hold`: what is missing, and when the waiting ends (ISO 8601). */
  readonly waits_for?: Reason;
  readonly hold_until?: string;
  /** One sentence for people, numbers masked. */
  readonly text: string;
  readonly number: { readonly value: string; readonly from: Side } | null;
  readonly policy: PolicyRef;
  readonly decided_at: string;
  readonly candidates: readonly Candidate[];
  readonly rules: readonly RuleTrace[];
  readonly counterfactuals: readonly Counterfactual[];
}
