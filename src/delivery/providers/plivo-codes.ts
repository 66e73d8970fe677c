/** Plivo's error codes in our words. Source: https://www.plivo.com/docs/messaging/troubleshooting/error-codes. */
import type { SendErrorCode } from '../errors.ts';

export const PLIVO_CODES: Readonly<Record<string, SendErrorCode>> = {
  10: 'content_invalid',
  20: 'unreachable',
  30: 'unreachable',
  40: 'sender_invalid',
  50: 'number_invalid',
  60: 'landline',
  70: 'country_not_enabled',
  80: 'sender_invalid',
  90: 'content_blocked',
  100: 'country_not_enabled',
  110: 'content_blocked',
  200: 'opted_out',
  300: 'provider_down',
  420: 'expired_at_carrier',
  450: 'country_not_enabled',
  451: 'country_not_enabled',
  900: 'no_credit',
  910: 'account_problem',
  950: 'sender_not_registered',
};
