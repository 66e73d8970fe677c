/**
 * Words by which people opt out and in: the whole text, in any case, without punctuation.
 *
 * Opt-out: 47 CFR 64.1200(a)(10) lists words that always revoke consent; the carriers' own lists add STOPALL and the
 * like. Opt-in is deliberately narrow: YES may answer anything, so it is none.
 */
const OPT_OUT = new Set([
  'stop',
  'stopall',
  'stop all',
  'quit',
  'end',
  'revoke',
  'opt out',
  'optout',
  'cancel',
  'unsubscribe',
  'please opt me out',
]);
const OPT_IN = new Set(['start', 'unstop']);

/** What an inbound text asks for; `null` where it is just a text. */
export function keywordOf(text: string): 'opt_out' | 'opt_in' | null {
  const words = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
  if (OPT_OUT.has(words)) return 'opt_out';
  return OPT_IN.has(words) ? 'opt_in' : null;
}
