/**
 * The port to SMS providers. One small adapter each, below providers/: one `fetch` to send, the answer classified,
 * callbacks verified on the raw body and parsed, and a look-up where the API has one.
 */
import type { ReceiptNote, Runtime } from '../platform/runtime.ts';
import type { SendError } from './errors.ts';
import type { ProviderName } from './providers/names.ts';

export interface OutboundMessage {
  /** Our message id; given to the provider as idempotency key, own message id or client reference wherever it takes one. */
  readonly id: string;
  readonly channel: 'sms' | 'mms';
  readonly sender: string;
  /** E.164. */
  readonly number: string;
  readonly body: string;
  readonly mediaUrls: readonly string[];
  /** How long the text is worth delivering, whole seconds, for providers that take a validity. */
  readonly validitySeconds: number;
}

/**
 * What became of one call.
 *
 * - `accepted`: from here on somebody may be texted.
 * - `rejected`: a definite no for good, also where it came with HTTP 200. What follows is read from its error.
 * - `retry_later`: a definite “not sent” that may change by itself: 429, a refused connection. `afterMs` is the provider's
 *   own wish (`Retry-After`), null where it has none.
 * - `unknown`: the request was written and no understandable answer came: time-out, reset, 5xx, malformed 2xx.
 */
export type SendOutcome =
  | { readonly kind: 'accepted'; readonly providerMessageId: string; readonly parts?: number }
  | { readonly kind: 'rejected'; readonly error: SendError }
  | { readonly kind: 'retry_later'; readonly afterMs: number | null; readonly error: SendError }
  | { readonly kind: 'unknown'; readonly error: SendError };

/** What a look-up is asked about. */
export interface LookupQuery {
  /** Our message id. */
  readonly id: string;
  readonly providerMessageId: string | null;
  readonly sender: string;
  readonly number: string;
  /** When the call was made, milliseconds since 1970, for APIs that search by time. */
  readonly calledAt: number;
}

/** `not_taken` only where the API would certainly show the message; else `cannot_tell`. */
export type LookupOutcome =
  | { readonly kind: 'taken'; readonly providerMessageId: string }
  | { readonly kind: 'not_taken' }
  | { readonly kind: 'cannot_tell' };

/** A callback as it came in: verification needs the exact URL, headers and bytes. */
export interface CallbackRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

export type CallbackRefusal =
  | 'not_configured' // no secret is set for this provider
  | 'signature_missing'
  | 'signature_mismatch'
  | 'timestamp_out_of_range'
  | 'malformed'; // signed rightly, but not what the provider documents

/** A verified callback's content, or why it was refused. What we have no use for is verified and gives no items. */
export type Callback<T> =
  | { readonly ok: true; readonly items: readonly T[] }
  | { readonly ok: false; readonly reason: CallbackRefusal };

/** An inbound text, whichever provider brought it. */
export interface InboundText {
  /** As the provider wrote it, with or without plus. */
  readonly from: string;
  /** The sender of ours that was texted; null where the provider does not say. */
  readonly to: string | null;
  readonly text: string;
  /** When it was sent, milliseconds since 1970; the time of receipt where the provider does not say. */
  readonly at: number;
  /** The same for every delivery of this text: provider name and its id. */
  readonly deliveryId: string;
  /** What the provider itself took it for, such as Twilio's `OptOutType`; null where it says nothing. */
  readonly providerKeyword: 'opt_out' | 'opt_in' | 'help' | null;
  /** The provider has answered this text itself, so that we must not. */
  readonly providerReplies: boolean;
}

export interface Provider {
  readonly name: ProviderName;
  readonly channels: readonly ('sms' | 'mms')[];
  /** @param signal aborts when the provider time-out is over; the outcome is then `unknown`. */
  send(message: OutboundMessage, signal: AbortSignal): Promise<SendOutcome>;
  /** Absent where the API has no look-up. */
  lookup?(query: LookupQuery, signal: AbortSignal): Promise<LookupOutcome>;
  readStatus(request: CallbackRequest): Promise<Callback<ReceiptNote>>;
  readInbound(request: CallbackRequest): Promise<Callback<InboundText>>;
  /** It posts receipts and texts to one address, so each route reads both. */
  readonly mixesCallbacks?: true;
  /** The 2xx that this provider expects to a callback; by default an empty 204. */
  acknowledge?(): Response;
}

/** What an adapter needs of the world; a `Runtime` is one. */
export type ProviderWorld = Pick<Runtime, 'variable' | 'fetch' | 'now'>;

export interface ProviderDefinition {
  readonly name: ProviderName;
  /** Variables and secrets without which nothing can be sent; /health and the start name those that are missing. */
  readonly required: readonly string[];
  /** Another way to prove who we are: where one of these is set, all of them are needed instead of `required`. */
  readonly insteadOfRequired?: readonly string[];
  /** Those without which callbacks are refused. */
  readonly requiredForCallbacks: readonly string[];
  readonly optional: readonly string[];
  connect(world: ProviderWorld): Provider;
}
