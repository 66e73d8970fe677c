/**
 * Waiting for the profile: a decision that is “no” only because something is missing may turn to “yes” once the batch
 * brings the customer's row. What somebody denied, what conflicts and what cannot be read does not wait.
 */
import type { Decision } from './decision.ts';
import { REASONS, type Reason } from './reasons.ts';

/** A missing variable counts: the text takes from the profile what the event does not say. */
const MISSING: ReadonlySet<Reason> = new Set([
  'number_missing',
  'consent_missing',
  'validity_missing',
  'template_variable_missing',
]);

/** Whether every rule that blocks does so because something is missing. */
export function onlyMissing(decision: Decision): boolean {
  const blocking = decision.rules.flatMap(({ reason }) => reason ?? []);
  return decision.outcome === 'suppress' && blocking.every((reason) => MISSING.has(reason));
}

/** The same decision, put off. @param until milliseconds since 1970. */
export function hold(decision: Decision, until: number): Decision {
  if (decision.reason === null) throw new RangeError('a decision to send needs no waiting');
  const holdUntil = new Date(until).toISOString();
  return {
    ...decision,
    outcome: 'hold',
    reason: 'waiting_for_profile',
    waits_for: decision.reason,
    hold_until: holdUntil,
    text: `Waiting for the profile until ${holdUntil.slice(0, 16).replace('T', ' ')} UTC. ${REASONS[decision.reason]}`,
  };
}

/** The end of a wait in vain: what was missing still is. @param decidedAt ISO 8601. */
export function endHold(decision: Decision, decidedAt: string): Decision {
  const { waits_for, hold_until: _, ...rest } = decision;
  if (waits_for === undefined) throw new RangeError('this decision does not wait');
  return {
    ...rest,
    outcome: 'suppress',
    reason: waits_for,
    text: `Not sent. ${REASONS[waits_for]} The profile did not bring it in time.`,
    decided_at: decidedAt,
  };
}
