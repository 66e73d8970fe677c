/**
 * Our own list of what providers refuse, delay or report. Adapters map each provider's codes to these; the provider's
 * code is kept beside. Codes are part of the API: added, never renamed.
 *
 * `fault` says whose mend it is, and so whether another provider of the route may be tried: only after a definite “no”
 * that is the provider's (or our account's there), never for what every provider would refuse.
 * `effect` is what the rest of the system learns from it.
 */

export type Fault = 'recipient' | 'content' | 'sender' | 'account' | 'provider';
export type Effect =
  | 'none'
  /** The number has opted out at the provider: it is suppressed. */
  | 'opted_out'
  /** No mobile, or no number at all: SMS_VALID is false for it, with provenance “provider”. */
  | 'number_invalid'
  /** Sender or account: this sender rests at this provider, its messages wait, and /health says so. */
  | 'pause_sender';

interface SendErrorKind {
  readonly fault: Fault;
  readonly effect: Effect;
  readonly text: string;
}

export const SEND_ERRORS = {
  number_invalid: {
    fault: 'recipient',
    effect: 'number_invalid',
    text: 'The provider says that this is no valid mobile number.',
  },
  landline: {
    fault: 'recipient',
    effect: 'number_invalid',
    text: 'The number is a landline or cannot receive texts.',
  },
  unreachable: {
    fault: 'recipient',
    effect: 'none',
    text: 'The phone could not be reached: switched off, out of range, or unknown to its network.',
  },
  opted_out: {
    fault: 'recipient',
    effect: 'opted_out',
    text: 'The recipient has opted out at the provider or carrier.',
  },
  recipient_blocked: {
    fault: 'recipient',
    effect: 'none',
    text: 'The recipient’s carrier or plan blocks such texts, or the number is on a block list.',
  },
  content_blocked: {
    fault: 'content',
    effect: 'none',
    text: 'Carrier or provider filtered the text as spam or forbidden content.',
  },
  content_invalid: {
    fault: 'content',
    effect: 'none',
    text: 'The text or its media cannot be sent as they are: too long, empty, or of a wrong type.',
  },
  sender_invalid: {
    fault: 'sender',
    effect: 'pause_sender',
    text: 'The sender does not exist at this provider or may not send there.',
  },
  sender_not_registered: {
    fault: 'sender',
    effect: 'pause_sender',
    text: 'The sender is not registered for this traffic (10DLC, toll-free verification, sender id registry).',
  },
  country_not_enabled: {
    fault: 'provider',
    effect: 'none',
    text: 'This account or route does not reach the recipient’s country or network.',
  },
  account_problem: {
    fault: 'account',
    effect: 'pause_sender',
    text: 'The account at the provider is suspended, or its credentials are refused.',
  },
  no_credit: { fault: 'account', effect: 'pause_sender', text: 'The account at the provider has no credit.' },
  throttled: { fault: 'provider', effect: 'none', text: 'The provider asked to slow down.' },
  provider_down: { fault: 'provider', effect: 'none', text: 'The provider is down or had an inner error.' },
  expired_at_carrier: {
    fault: 'recipient',
    effect: 'none',
    text: 'The carrier could not deliver the text within its validity.',
  },
  request_invalid: {
    fault: 'provider',
    effect: 'none',
    text: 'The provider did not understand the request; this is a fault of the adapter or its settings.',
  },
  rejected: {
    fault: 'content',
    effect: 'none',
    text: 'The provider refused the message without a known reason.',
  },
  no_answer: {
    fault: 'provider',
    effect: 'none',
    text: 'The provider did not answer, or not so that it could be understood.',
  },
} as const satisfies Readonly<Record<string, SendErrorKind>>;

export type SendErrorCode = keyof typeof SEND_ERRORS;

/** One refusal or report, in our words and the provider's. */
export interface SendError {
  readonly code: SendErrorCode;
  /** The provider's own code, such as "21610"; `null` where it gave none. */
  readonly providerCode: string | null;
  /** The provider's words, without personal data: no number, no text of ours. */
  readonly detail: string | null;
}

export function faultOf(code: SendErrorCode): Fault {
  return SEND_ERRORS[code].fault;
}

export function effectOf(code: SendErrorCode): Effect {
  return SEND_ERRORS[code].effect;
}

/** One line for timelines: `landline (twilio 30006): …`. */
export function errorLine(provider: string, error: SendError): string {
  const code = error.providerCode === null ? provider : `${provider} ${error.providerCode}`;
  return `${error.code} (${code})${error.detail === null ? '' : `: ${error.detail}`}`.slice(0, 300);
}
