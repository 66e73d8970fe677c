/** Bird's errors and what they mean in our words. Source: the reference of its SMS API, and bird.com/docs/errors. */
import type { SendErrorCode } from '../errors.ts';

/** Refused requests, by the error's `name`, `code` or `type`: the first that is known decides, in that order. */
export const API_ERRORS: Readonly<Record<string, SendErrorCode>> = {
  SMSInvalidRecipient: 'number_invalid',
  SMSNoEligibleSender: 'sender_invalid',
  SMSSenderNotConfigured: 'sender_invalid',
  SMSSenderReserved: 'sender_invalid',
  SenderCategoryNotPermitted: 'sender_not_registered',
  SMSDestinationNotEnabled: 'country_not_enabled',
  E12020: 'country_not_enabled',
  SMSUnsupportedFeature: 'request_invalid',
  auth_error: 'account_problem',
  authentication_failed: 'account_problem',
  permission_error: 'account_problem',
  permission_denied: 'account_problem',
  billing_error: 'no_credit',
  invalid_recipient: 'number_invalid',
  payload_too_large_error: 'content_invalid',
  bad_request_error: 'request_invalid',
  invalid_request: 'request_invalid',
  missing_required_field: 'request_invalid',
  misdirected_error: 'request_invalid',
  not_found_error: 'request_invalid',
  validation_error: 'request_invalid',
};

/** Why an accepted message failed: the `code` of its error. Bird adds to the list. */
export const FAILURES: Readonly<Record<string, SendErrorCode>> = {
  invalid_destination: 'number_invalid',
  unreachable: 'unreachable',
  blocked_by_carrier: 'content_blocked',
  blocked_by_recipient: 'recipient_blocked',
  landline_unreachable: 'landline',
  content_rejected: 'content_blocked',
  sender_unregistered: 'sender_not_registered',
  recipient_opted_out: 'opted_out',
  provider_unavailable: 'provider_down',
  insufficient_balance: 'no_credit',
};

interface EventMeaning {
  readonly state: 'sent' | 'delivered' | 'undelivered' | 'failed';
  /** What it means where the event gives no known reason. */
  readonly error: SendErrorCode | null;
}

/** The events that report on a message of ours. */
export const EVENTS: Readonly<Record<string, EventMeaning>> = {
  'sms.accepted': { state: 'sent', error: null },
  'sms.sent': { state: 'sent', error: null },
  'sms.delivered': { state: 'delivered', error: null },
  'sms.undelivered': { state: 'undelivered', error: 'unreachable' },
  'sms.expired': { state: 'undelivered', error: 'expired_at_carrier' },
  'sms.failed': { state: 'failed', error: 'rejected' },
  'sms.rejected': { state: 'failed', error: 'rejected' },
};
