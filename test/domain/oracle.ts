/**
 * The rules again, written independently as sentences: no tables, no cells, no shared code. `resolve()` must agree
 * with it everywhere.
 */
import type { Policy } from '../../src/domain/policy.ts';
import { type Facts, NOT_A_NUMBER } from './inputs.ts';

export function oracle(facts: Facts, policy: Policy): { reason: string | null; number: string | null } {
  const usable = (number: string | null): boolean => number !== null && number !== NOT_A_NUMBER;
  const { profileNumber: profile, eventNumber: event } = facts;

  // Whose number?
  let chosen: 'profile' | 'event' | null = null;
  let why: string | null = null;
  if (usable(profile) && usable(event) && profile !== event) {
    // Two different numbers: the policy chooses, or sends to neither.
    if (policy.number_conflict === 'suppress') why = 'number_conflict';
    else chosen = policy.number_conflict;
  } else if (usable(profile)) {
    // A usable profile number stands, unless the event really contradicts it.
    chosen = 'profile';
  } else if (usable(event)) {
    // The event's number is used instead if the profile's is missing; if the profile's is unusable, the policy decides.
    if (profile === null || policy.unusable_profile_number === 'event') chosen = 'event';
    else why = 'number_unusable';
  } else {
    // Nobody has a usable number: something unusable is reported as such.
    why = profile === null && event === null ? 'number_missing' : 'number_unusable';
  }
  if (why !== null) return { reason: why, number: null };
  const number = chosen === 'profile' ? profile : event;

  // An opt-out of that number beats everything.
  if (number !== null && facts.optedOut.includes(number)) return { reason: 'opted_out', number };

  // A yes given together with a number that is not used is not a yes to the number that is.
  const twoNumbers = usable(profile) && usable(event) && profile !== event;
  const counts = (side: 'profile' | 'event', flag: boolean | null): boolean | null =>
    policy.bind_flags_to_number && twoNumbers && flag === true && side !== chosen ? null : flag;

  const flagReason = (
    name: string,
    p: boolean | null,
    e: boolean | null,
    conflict: Policy['consent_conflict'],
    absent: Policy['consent_absent'],
  ): string | null => {
    const profileSays = counts('profile', p);
    const eventSays = counts('event', e);
    const denied = `${name}_denied`;
    // Nobody says anything: silence is a no, unless the policy reads it as a yes.
    if (profileSays === null && eventSays === null) return absent === 'send' ? null : `${name}_missing`;
    // Only one speaks, or both agree: that is the answer.
    if (profileSays === null) return eventSays ? null : denied;
    if (eventSays === null) return profileSays ? null : denied;
    if (profileSays === eventSays) return profileSays ? null : denied;
    // They contradict each other: the policy says whom to believe; by default a no wins.
    if (conflict === 'deny-wins') return denied;
    return (conflict === 'profile' ? profileSays : eventSays) ? null : denied;
  };
  return {
    reason:
      flagReason(
        'consent',
        facts.profileConsent,
        facts.eventConsent,
        policy.consent_conflict,
        policy.consent_absent,
      ) ??
      flagReason(
        'validity',
        facts.profileValid,
        facts.eventValid,
        policy.validity_conflict,
        policy.validity_absent,
      ),
    number,
  };
}
