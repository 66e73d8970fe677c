/**
 * What a language file says. Everything is written as `normalise.ts` leaves it: small letters, no accents, no
 * apostrophes (`don't` is `dont`), ß as ss.
 *
 * A pattern is words in a row: `a|b` is either, `a?` may be left out, `@name` is a word class of the language, `$` is the end
 * of a clause. It is matched against whole words, never parts of words; there are no gaps but what is written.
 */
export interface Language {
  /** The whole text, without regard to `noise` around it. */
  readonly keywords: {
    readonly opt_out: readonly string[];
    readonly opt_in: readonly string[];
    /** A yes: an opt-in only as the answer to a text of the system itself. */
    readonly affirm: readonly string[];
    readonly help: readonly string[];
  };
  /** Those of the opt-out keywords that also count as one clause among others: `Who is this? STOP`. */
  readonly clauses: readonly string[];
  /** Misspellings of one word, and contractions of two, as they are read. */
  readonly spellings: Readonly<Record<string, string>>;
  /** Words that say nothing either way: please, now, swearing. Taken out before anything is matched. */
  readonly noise: readonly string[];
  readonly classes: Readonly<Record<string, string>>;
  /** Harmless uses of the words below, taken out first: `stop by`, `bus stop`, `dont stop`. */
  readonly harmless: readonly string[];
  /** Anywhere in the text: an opt-out. */
  readonly opt_out: readonly string[];
  /** Anywhere in the text: perhaps an opt-out. It counts for marketing, and a person looks at it. */
  readonly doubt: readonly string[];
  /** Words that make a short text doubtful when they are left over: `stop that noise`. */
  readonly stems: readonly string[];
  /** Words one letter away from a keyword that are words of their own: `shop` is no misspelt `stop`. */
  readonly neighbours: readonly string[];
}
