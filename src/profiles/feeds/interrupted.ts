/**
 * The source failed in a way that may pass: no answer, a connection that broke, HTTP 429 or 5xx. Other than after a BrokenFeed,
 * the same document is worth another try from its cursor. The message is for the operator.
 */
export class InterruptedFeed extends Error {
  override readonly name = 'InterruptedFeed';
}
