/**
 * Grounds: what of a decision to send rests on the event's word alone, because the profile said nothing. The batch may
 * confirm or contradict it later.
 *
 * Kept as bits in one column: written with the message, it costs no further row. The `_yields` bits say that, under the
 * policy of the decision, the profile's word would have won: a batch that contradicts then takes back what is not sent.
 */
import type { Decision, RuleName } from './decision.ts';
import type { Policy } from './policy.ts';

export const GROUND = {
  number: 1,
  consent: 2,
  validity: 4,
  number_yields: 8,
  consent_yields: 16,
  validity_yields: 32,
} as const;

/** Any ground at all. */
export const GROUNDS_MASK = GROUND.number | GROUND.consent | GROUND.validity;

/** The bits of a decision; `null` where nothing rests on the event alone, or nothing is sent. */
export function groundsOf(decision: Decision, policy: Policy): number | null {
  if (decision.outcome !== 'deliver') return null;
  let bits = 0;
  if (decision.number?.from === 'event' && cellOf(decision, 'MOBILE_NUMBER', 'profile missing ')) {
    bits |= GROUND.number | (policy.number_conflict === 'event' ? 0 : GROUND.number_yields);
  }
  if (cellOf(decision, 'SMS_CONSENT', 'profile missing × event true')) {
    bits |= GROUND.consent | (policy.consent_conflict === 'event' ? 0 : GROUND.consent_yields);
  }
  if (cellOf(decision, 'SMS_VALID', 'profile missing × event true')) {
    bits |= GROUND.validity | (policy.validity_conflict === 'event' ? 0 : GROUND.validity_yields);
  }
  return bits === 0 ? null : bits;
}

function cellOf(decision: Decision, name: RuleName, beginning: string): boolean {
  return decision.rules.some(({ rule, cell }) => rule === name && cell.startsWith(beginning));
}
