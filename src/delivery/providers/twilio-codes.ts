/** Twilio's error codes and what they mean in our words. Source: https://www.twilio.com/docs/api/errors. */
import type { ReceiptNote } from '../../platform/runtime.ts';
import type { SendErrorCode } from '../errors.ts';

/** Of refused requests and of status callbacks: Twilio has one list for both. */
export const ERROR_CODES: Readonly<Record<string, SendErrorCode>> = {
  // Numbers
  21211: 'number_invalid', // invalid To
  21217: 'number_invalid', // does not appear to be valid
  21219: 'account_problem', // a trial account may text verified numbers only
  21265: 'number_invalid', // To cannot be a short code
  21401: 'number_invalid',
  21614: 'landline', // not a mobile number
  21635: 'landline', // landlines cannot receive texts
  30005: 'number_invalid', // unknown destination handset
  30006: 'landline', // landline or unreachable carrier
  60205: 'landline',
  // Consent and blocks
  21610: 'opted_out',
  30004: 'recipient_blocked',
  30009: 'unreachable', // a segment is missing
  30003: 'unreachable', // unreachable handset
  30024: 'sender_not_registered', // numeric sender id not provisioned on carrier
  30036: 'expired_at_carrier', // validity period expired
  // Content
  21602: 'content_invalid', // no body
  21605: 'content_invalid', // body too long
  21617: 'content_invalid', // concatenated body over 1,600 characters
  21619: 'content_invalid', // neither body nor media
  21620: 'content_invalid', // invalid media URL
  21621: 'content_invalid', // media of a wrong type
  21623: 'content_invalid', // too many media
  21655: 'content_invalid', // content SID
  30007: 'content_blocked', // carrier filtering
  30019: 'content_invalid', // media too large for the carrier
  30038: 'content_blocked', // OTP text filtered
  11200: 'content_invalid', // the medium could not be fetched
  12300: 'content_invalid', // media content type
  63013: 'content_blocked', // violates channel policy
  // Senders
  21212: 'sender_invalid', // invalid From
  21213: 'sender_invalid', // From is missing
  21603: 'sender_invalid', // From is missing
  21606: 'sender_invalid', // not a number of this account, or not SMS-capable
  21607: 'sender_invalid', // may not send in trial mode
  21609: 'request_invalid', // invalid StatusCallback
  21618: 'content_invalid', // the body cannot be sent
  21659: 'sender_invalid', // not a Twilio number or a short code
  21660: 'sender_invalid', // mismatch between From and account
  21661: 'sender_invalid', // From is not SMS-capable
  21701: 'sender_invalid', // the messaging service does not exist
  21702: 'sender_invalid',
  21703: 'sender_invalid', // the messaging service has no sender
  21704: 'sender_invalid',
  21705: 'sender_invalid',
  21712: 'sender_invalid', // the sender is not in the messaging service
  14107: 'throttled', // From/To pair limit
  14108: 'sender_invalid', // From is not SMS-capable
  14111: 'account_problem', // invalid To in trial mode
  30010: 'content_blocked', // price exceeds the maximum
  30023: 'throttled', // US A2P 10DLC: daily cap reached
  30027: 'throttled', // US A2P 10DLC: daily limit of T-Mobile
  30032: 'sender_not_registered', // toll-free number not verified
  30033: 'sender_not_registered', // US A2P campaign suspended
  30034: 'sender_not_registered', // number not registered for US A2P 10DLC
  30035: 'sender_not_registered', // registration is still pending
  30039: 'content_blocked', // message loop
  30040: 'sender_not_registered', // destination carrier needs sender registration
  63007: 'sender_invalid',
  // Account
  20002: 'request_invalid',
  20003: 'account_problem', // authentication
  20005: 'account_problem', // account not active
  20006: 'account_problem', // access denied
  20008: 'account_problem', // test credentials
  20404: 'account_problem', // the account's address does not exist
  21608: 'account_problem', // trial account: unverified number
  30002: 'account_problem', // suspended
  10001: 'account_problem', // not active
  90010: 'account_problem', // account not active
  // Routes and load
  21408: 'country_not_enabled', // no permission for the region
  21612: 'country_not_enabled', // no route from this sender to this number
  30011: 'country_not_enabled', // MMS not supported by the network
  30018: 'sender_not_registered', // the carrier requires registration
  30410: 'provider_down', // provider time-out
  30008: 'provider_down', // unknown error
  30017: 'throttled', // carrier congestion
  30022: 'throttled', // exceeds the sender's throughput
  30001: 'throttled', // queue overflow
  21611: 'throttled', // the sender's queue is full
  20429: 'throttled',
  20500: 'provider_down',
  20503: 'provider_down',
};

/** `MessageStatus` of a callback. What is not final and not sent yet tells nothing new. */
export const STATUSES: Readonly<Record<string, ReceiptNote['state']>> = {
  sent: 'sent',
  delivered: 'delivered',
  read: 'delivered',
  partially_delivered: 'delivered',
  undelivered: 'undelivered',
  failed: 'failed',
  canceled: 'failed',
};
