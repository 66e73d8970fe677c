/** The feed as a whole cannot be read; nothing of it may be applied. The message is for the operator. */
export class BrokenFeed extends Error {
  override readonly name = 'BrokenFeed';
}
