/**
 * What an inbound text asks for.
 *
 * First the whole text as a keyword, then free text: 47 CFR 64.1200(a)(10) wants any reasonable means of revoking
 * consent honoured. Words are matched whole. What is doubtful counts as an opt-out of marketing, for a person to look at.
 */
import { clausesOf, oneLetterApart, withoutDigits } from './normalise.ts';
import { CLAUSE_END, compile, MASKED, matchAt, type Pattern } from './patterns.ts';
import { LANGUAGE_CODES, LANGUAGES, type LanguageCode } from './words/index.ts';
import type { Language } from './words/language.ts';

export interface Reading {
  /** `affirm`: a yes, which opts in only as an answer to a text of the system itself. */
  readonly kind: 'opt_out' | 'opt_in' | 'affirm' | 'help';
  readonly language: LanguageCode;
  /** The keyword or pattern that matched, for the record. */
  readonly rule: string;
  readonly doubt: boolean;
}

interface Compiled {
  readonly code: LanguageCode;
  readonly keywords: ReadonlyMap<string, Reading['kind']>;
  readonly clauses: ReadonlySet<string>;
  readonly spellings: ReadonlyMap<string, string>;
  readonly harmless: readonly Pattern[];
  readonly optOut: readonly Pattern[];
  readonly doubt: readonly Pattern[];
  readonly stems: ReadonlySet<string>;
}

const KINDS = ['opt_out', 'opt_in', 'affirm', 'help'] as const;

const COMPILED: readonly Compiled[] = LANGUAGE_CODES.map((code) => compiled(code, LANGUAGES[code]));
const NOISE = new Set(LANGUAGE_CODES.flatMap((code) => LANGUAGES[code].noise));
const NEIGHBOURS = new Set(LANGUAGE_CODES.flatMap((code) => LANGUAGES[code].neighbours));

function compiled(code: LanguageCode, language: Language): Compiled {
  const all = (sources: readonly string[]): Pattern[] =>
    sources.map((source) => compile(source, language.classes));
  return {
    code,
    keywords: new Map(
      KINDS.flatMap((kind) => language.keywords[kind].map((words) => [words, kind] as const)),
    ),
    clauses: new Set(language.clauses),
    spellings: new Map(Object.entries(language.spellings)),
    harmless: all(language.harmless),
    optOut: all(language.opt_out),
    doubt: all(language.doubt),
    stems: new Set(language.stems),
  };
}

/** @returns `null` where it is just a text. */
export function understand(text: string): Reading | null {
  const clauses = clausesOf(text).map((words) => words.map(withoutDigits));
  const written = clauses.flat();
  if (written.length === 0) return null;
  const asked = text.normalize('NFKC').includes('?');
  const whole = wholeText(written);
  if (whole) return { ...whole, doubt: asked && whole.kind === 'opt_out' };

  return freeText(clauses) ?? misspelt(written);
}

/** The whole text as a keyword: as it is, without noise, in one piece (`s t o p`), and spelled rightly. */
function wholeText(words: readonly string[]): Reading | null {
  const quiet = words.filter((word) => !NOISE.has(word));
  const distinct = (list: readonly string[]): string[] => list.filter((word, i) => word !== list[i - 1]);
  const asWritten = [words, quiet, distinct(quiet)].map((list) => list.join(' '));
  asWritten.push(words.join(''), quiet.join(''));
  for (const spelling of [false, true]) {
    for (const { code, keywords, spellings } of COMPILED) {
      const phrases = spelling
        ? [distinct(quiet.map((word) => spellings.get(word) ?? word)).join(' ')]
        : asWritten;
      for (const phrase of phrases) {
        const kind = keywords.get(phrase);
        if (kind) return { kind, language: code, rule: `keyword: ${phrase}`, doubt: false };
      }
    }
  }
  return null;
}

function freeText(clauses: readonly (readonly string[])[]): Reading | null {
  // What is harmless or misspelt in one language is not in another: each reads the text by itself.
  const readings = COMPILED.map((language) => {
    const words = joined(clauses.flatMap((clause) => spokenClause(clause, language)));
    return { language, left: masked(words, language.harmless) };
  });
  for (const { language, left } of readings) {
    const rule = keywordClause(left, language) ?? found(left, language.optOut);
    if (rule !== null) return { kind: 'opt_out', language: language.code, rule, doubt: false };
  }
  for (const { language, left } of readings) {
    const rule = found(left, language.doubt) ?? leftOver(left, language);
    if (rule !== null) return { kind: 'opt_out', language: language.code, rule, doubt: true };
  }
  return null;
}

/** A clause without its noise, spelled rightly; nothing where nothing is left. */
function spokenClause(clause: readonly string[], { spellings }: Compiled): string[] {
  const words = clause
    .flatMap((word) => (spellings.get(word) ?? word).split(' '))
    .filter((word) => !NOISE.has(word));
  return words.length > 0 ? [...words, CLAUSE_END] : [];
}

/** Two words that are read as one: `do not` is `dont`. */
function joined(words: readonly string[]): string[] {
  const result: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const pair = `${words[i]} ${words[i + 1]}`;
    if (pair === 'do not' || pair === 'don t') {
      result.push('dont');
      i++;
    } else result.push(words[i] ?? '');
  }
  return result;
}

function masked(words: readonly string[], harmless: readonly Pattern[]): string[] {
  const left = [...words];
  for (const pattern of harmless) {
    for (let at = 0; at < left.length; at++) {
      const end = matchAt(pattern, left, at, false);
      if (end !== null && end > at) left.fill(MASKED, at, end);
    }
  }
  return left;
}

function found(words: readonly string[], patterns: readonly Pattern[]): string | null {
  for (let at = 0; at < words.length; at++) {
    for (const pattern of patterns) {
      const end = matchAt(pattern, words, at, true);
      if (end !== null && end > at) return `pattern: ${pattern.source}`;
    }
  }
  return null;
}

/** One clause among others that is a keyword: `Who is this? STOP`. */
function keywordClause(words: readonly string[], language: Compiled): string | null {
  let clause: string[] = [];
  for (const word of words) {
    if (word !== CLAUSE_END) clause.push(word);
    else {
      const phrase = clause.join(' ');
      if (language.clauses.has(phrase)) return `clause: ${phrase}`;
      clause = [];
    }
  }
  return null;
}

/** A text of at most this many words is doubtful where a stem is left over in it. */
const SHORT = 3;

function leftOver(words: readonly string[], language: Compiled): string | null {
  if (words.filter((word) => word !== CLAUSE_END).length > SHORT) return null;
  const stem = words.find((word) => language.stems.has(word));
  return stem === undefined ? null : `word: ${stem}`;
}

/** The shortest keyword that is looked for one letter away. */
const MIN_MISSPELT = 4;

/** One word, one letter away from an opt-out keyword, and no word of its own. */
function misspelt(words: readonly string[]): Reading | null {
  const quiet = words.filter((word) => !NOISE.has(word));
  const [word] = quiet;
  if (quiet.length !== 1 || word === undefined || word.length < MIN_MISSPELT - 1 || NEIGHBOURS.has(word))
    return null;
  for (const { code, keywords } of COMPILED) {
    for (const [keyword, kind] of keywords) {
      if (kind !== 'opt_out' || keyword.length < MIN_MISSPELT || keyword.includes(' ')) continue;
      if (oneLetterApart(word, keyword))
        return { kind, language: code, rule: `misspelt: ${keyword}`, doubt: true };
    }
  }
  return null;
}
