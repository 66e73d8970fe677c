/** Sinch's codes and what they mean in our words. Source: “Delivery reports” of the SMS REST API's reference. */
import type { SendErrorCode } from '../errors.ts';

/** The `code` of a refused request. */
export const API_ERRORS: Readonly<Record<string, SendErrorCode>> = {
  syntax_invalid_json: 'request_invalid',
  syntax_invalid_parameter_format: 'request_invalid',
  syntax_constraint_violation: 'request_invalid',
  conflict_group_loop: 'request_invalid',
  unknown_group: 'request_invalid',
  unknown_campaign: 'request_invalid',
  missing_callback_url: 'request_invalid',
};

interface StatusMeaning {
  readonly state: 'sent' | 'delivered' | 'undelivered' | 'failed';
  /** What it means where the code says no more. */
  readonly error: SendErrorCode | null;
}

/** The `status` of a delivery report. `Unknown` is final, and yet says neither that it came nor that it did not. */
export const STATUSES: Readonly<Record<string, StatusMeaning>> = {
  Queued: { state: 'sent', error: null },
  Dispatched: { state: 'sent', error: null },
  Delivered: { state: 'delivered', error: null },
  Unknown: { state: 'sent', error: null },
  Aborted: { state: 'failed', error: 'provider_down' },
  Cancelled: { state: 'failed', error: 'rejected' },
  Rejected: { state: 'failed', error: 'rejected' },
  Deleted: { state: 'undelivered', error: 'rejected' },
  Failed: { state: 'undelivered', error: 'unreachable' },
  Expired: { state: 'undelivered', error: 'expired_at_carrier' },
};

/** The `code` of a delivery report where it is one of the REST API's own; others are the carriers' SMPP codes. */
export const REPORT_CODES: Readonly<Record<string, SendErrorCode>> = {
  402: 'country_not_enabled', // message unroutable
  403: 'provider_down', // internal error
  404: 'unreachable', // temporary delivery failure
  405: 'content_invalid', // unmatched parameter
  406: 'expired_at_carrier', // internal expiry
  407: 'rejected', // cancelled
  408: 'rejected', // internal reject
  410: 'sender_invalid', // unmatched default originator
  411: 'content_invalid', // exceeded parts limit
  412: 'country_not_enabled', // unprovisioned region
  413: 'account_problem', // the account is blocked
  414: 'content_invalid', // bad media
  415: 'rejected', // MMS: rejected by gateway or network
  416: 'content_invalid', // MMS: not supported
  417: 'unreachable', // MMS: unreachable
  418: 'content_invalid', // MMS: the handset does not know the content
};
