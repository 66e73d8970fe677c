/**
 * Why a message was not sent, as codes for machines and sentences for people. A reason is part of the API: codes are
 * added, never renamed.
 */

/** Reasons that the resolution rules give. */
export const RULE_REASONS = {
  number_missing: 'There is no mobile number, neither in the profile nor in the event.',
  number_unusable: 'The mobile number cannot be read as a phone number that can receive texts.',
  number_conflict: 'Profile and event name different mobile numbers, and the policy sends to neither.',
  opted_out: 'This number has opted out of texts. Only a new opt-in on this number lifts that.',
  consent_denied: 'The customer has not agreed to texts: SMS_CONSENT is false.',
  consent_missing: 'Nobody has said that the customer agreed to texts: SMS_CONSENT is missing.',
  validity_denied: 'The number is marked as not valid for texts: SMS_VALID is false.',
  validity_missing: 'Nobody has said that the number is valid for texts: SMS_VALID is missing.',
} as const;

/** Reasons that come from the message itself once the rules have said “deliver”. */
export const CONTENT_REASONS = {
  template_variable_missing: 'The text needs a value that neither the event nor the profile has.',
  template_error: 'The text could not be made from its template with this event’s values.',
  body_empty: 'The text came out empty.',
  body_too_long: 'The text came out longer than a message may be.',
} as const;

/** Reasons that arise on the way, after a message was accepted. */
export const DELIVERY_REASONS = {
  waiting_for_profile: 'Something is missing that the profile may bring; the message waits for it.',
  grounds_contradicted:
    'The message rested on the event’s word alone, and the profile that came since says otherwise.',
  campaign_paused: 'The campaign is not live at the moment; the message waits.',
  campaign_deleted: 'The campaign was deleted before the message was sent.',
  superseded: 'A newer word of this person made the answer untrue before it was sent.',
  expired: 'The message was still waiting when its time to live ended.',
  provider_rejected: 'The provider refused the message for good.',
  provider_busy: 'The provider did not take the message; it is tried again later.',
  lease_too_short: 'The worker had more messages than time; this one goes to the next worker.',
  next_provider: 'This provider did not take the message; the next one of the route is asked.',
  sender_refused: 'The provider did not take the message because of its sender or our account there.',
  sender_paused:
    'The sender rests at this provider because of a problem there; the message waits. See /health.',
  provider_resting: 'The provider kept failing and rests; the message waits. See /health.',
  no_provider: 'No provider of the route is set up for this kind of message; the message waits. See /health.',
  paced: 'The sender may not send faster; the message has its turn later.',
  retried: 'Somebody asked for the message to be sent after all.',
  retries_exhausted: 'The provider did not take the message in any of the allowed attempts.',
  provider_timeout: 'The provider did not answer in time. Whether it took the message is not known yet.',
  lease_expired:
    'The worker that was sending stopped without a word. Whether the provider took the message is not known yet.',
  not_taken: 'The provider says that it never took the message, so it is sent again.',
  outcome_unknowable:
    'Whether the provider took the message cannot be known. It counts as sent and is not sent again, to be safe.',
  resend_preferred:
    'The provider cannot say whether it took the message, and the campaign prefers a duplicate to a loss.',
  dead_lettered: 'The queue gave up on the message’s pointer; the sweeper takes it up again.',
  receipt_undelivered: 'The carrier reports that the text could not be delivered.',
  receipt_failed: 'The carrier reports that the text failed.',
} as const;

export const REASONS = { ...RULE_REASONS, ...CONTENT_REASONS, ...DELIVERY_REASONS } as const;

export type RuleReason = keyof typeof RULE_REASONS;
export type ContentReason = keyof typeof CONTENT_REASONS;
export type DeliveryReason = keyof typeof DELIVERY_REASONS;
export type Reason = keyof typeof REASONS;

/** The sentence for a reason code; an unknown code is returned as it is, never hidden. */
export function reasonText(reason: string | null): string | null {
  if (reason === null) return null;
  return Object.hasOwn(REASONS, reason) ? REASONS[reason as Reason] : reason;
}
