/** The port to SMS providers. One small adapter each, below providers/; each call is one request to the provider. */

export interface OutboundMessage {
  /** Our message id; given to the provider as the client reference wherever it takes one. */
  readonly id: string;
  readonly channel: 'sms' | 'mms';
  readonly sender: string;
  /** E.164. */
  readonly number: string;
  readonly body: string;
  readonly mediaUrls: readonly string[];
}

/** What became of one call. Only `not_sent` may be tried again: it says that the provider definitely has not sent. */
export type SendOutcome =
  | { readonly kind: 'accepted'; readonly providerMessageId: string }
  | { readonly kind: 'rejected'; readonly detail: string }
  | { readonly kind: 'not_sent'; readonly detail: string; readonly retryAfterMs?: number }
  | { readonly kind: 'unknown'; readonly detail: string };

/** What the provider says when asked whether it took a message. */
export type LookupOutcome =
  | { readonly kind: 'taken'; readonly providerMessageId: string }
  | { readonly kind: 'not_taken' }
  | { readonly kind: 'cannot_tell' };

export interface Provider {
  readonly name: string;
  /** @param signal aborts when the provider time-out is over; the outcome is then `unknown`. */
  send(message: OutboundMessage, signal: AbortSignal): Promise<SendOutcome>;
  lookup(messageId: string, signal: AbortSignal): Promise<LookupOutcome>;
}
