/** What follows from an error beyond its message, ready for the ledger. */
import type { Effect } from '../ledger/effects.ts';
import { derivedId } from '../platform/ids.ts';
import { effectOf, faultOf, SEND_ERRORS, type SendErrorCode } from './errors.ts';

/**
 * @param error our canonical code; anything else has no effect.
 * @param occasion what makes this word the same when it comes again: provider, message and attempt, or the receipt's id.
 */
export async function effectFrom(
  error: string | null,
  code: string | null,
  ...occasion: readonly string[]
): Promise<Effect | null> {
  if (error === null || !isSendError(error)) return null;
  const kind = effectOf(error);
  if (kind === 'none') return null;
  return {
    kind,
    error,
    code,
    recordId: await derivedId('con', 'provider', ...occasion),
    wholeAccount: faultOf(error) === 'account',
  };
}

function isSendError(code: string): code is SendErrorCode {
  return Object.hasOwn(SEND_ERRORS, code);
}
