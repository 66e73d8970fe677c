/** Telnyx's codes in our words. Source: https://developers.telnyx.com/docs/messaging/messages/error-codes. */
import type { SendErrorCode } from '../errors.ts';

export const TELNYX_CODES: Readonly<Record<string, SendErrorCode>> = {
  10001: 'sender_invalid', // inactive phone number
  10002: 'number_invalid',
  10003: 'request_invalid', // invalid URL
  10004: 'request_invalid', // missing parameter
  10005: 'request_invalid', // resource not found
  10006: 'request_invalid', // invalid id
  10009: 'account_problem', // authentication failed
  10010: 'account_problem', // authorization failed
  10011: 'throttled',
  10014: 'request_invalid', // media type of the request
  10015: 'request_invalid',
  10016: 'number_invalid', // not E.164
  20002: 'account_problem',
  20012: 'account_problem',
  20100: 'no_credit',
  40001: 'landline',
  40002: 'content_blocked',
  40003: 'content_blocked',
  40004: 'recipient_blocked',
  40005: 'expired_at_carrier',
  40006: 'unreachable',
  40007: 'rejected', // loop
  40008: 'unreachable',
  40009: 'content_invalid',
  40010: 'sender_not_registered',
  40011: 'throttled',
  40012: 'number_invalid',
  40013: 'sender_invalid',
  40014: 'expired_at_carrier',
  40015: 'content_blocked',
  40016: 'throttled',
  40017: 'content_blocked',
  40018: 'throttled',
  40100: 'sender_invalid',
  40150: 'sender_not_registered',
  40300: 'opted_out',
  40301: 'content_invalid',
  40302: 'content_invalid',
  40304: 'content_invalid',
  40305: 'sender_invalid',
  40306: 'sender_invalid',
  40308: 'sender_invalid',
  40309: 'country_not_enabled',
  40310: 'number_invalid',
  40312: 'sender_invalid',
  40313: 'sender_invalid',
  40315: 'sender_invalid',
  40316: 'content_invalid',
  40317: 'content_invalid',
  40318: 'throttled',
  40319: 'country_not_enabled',
  40320: 'sender_invalid',
  40321: 'sender_invalid',
  40322: 'content_blocked',
  40329: 'sender_not_registered',
  40330: 'sender_not_registered',
  40333: 'no_credit',
};

/** A definite “not sent” that time alone mends. */
export const LATER: ReadonlySet<string> = new Set(['10011', '40011', '40318']);
