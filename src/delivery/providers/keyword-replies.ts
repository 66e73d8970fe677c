/**
 * The opt-out words that providers answer themselves. A text that the provider has answered must not be answered by us a
 * second time; where its replies are switched off there, a variable says so and ours are sent.
 */
import type { InboundText, ProviderWorld } from '../provider.ts';
import { entryOf } from './callback-items.ts';

type Keyword = NonNullable<InboundText['providerKeyword']>;

/** The words that US providers act on by default; the whole text, whatever its case. */
const STANDARD_WORDS: Readonly<Record<string, Keyword>> = {
  STOP: 'opt_out',
  STOPALL: 'opt_out',
  UNSUBSCRIBE: 'opt_out',
  CANCEL: 'opt_out',
  END: 'opt_out',
  QUIT: 'opt_out',
  OPTOUT: 'opt_out',
  REVOKE: 'opt_out',
  START: 'opt_in',
  UNSTOP: 'opt_in',
  YES: 'opt_in',
  HELP: 'help',
  INFO: 'help',
};

export function standardKeyword(text: string): Keyword | null {
  return entryOf(STANDARD_WORDS, text.trim().toUpperCase()) ?? null;
}

/**
 * Whether the provider has answered this text.
 *
 * @param variable its value is `off` where the replies are switched off at the provider; by default they are on.
 * @param named what the provider itself said that it took the text for.
 */
export function repliesItself(
  world: Pick<ProviderWorld, 'variable'>,
  variable: string,
  text: string,
  named: Keyword | null,
): boolean {
  if (world.variable(variable)?.trim().toLowerCase() === 'off') return false;
  return (named ?? standardKeyword(text)) !== null;
}
