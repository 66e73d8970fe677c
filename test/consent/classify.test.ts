import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { understand } from '../../src/consent/classify.ts';
import { clausesOf, oneLetterApart, plain } from '../../src/consent/normalise.ts';
import { LANGUAGE_CODES, LANGUAGES } from '../../src/consent/words/index.ts';
import { JUST_TEXTS, OPT_OUTS } from './corpus.ts';

describe('the corpus', () => {
  it('is large enough to mean something', () => {
    expect(new Set(OPT_OUTS).size).toBeGreaterThanOrEqual(200);
    expect(new Set(JUST_TEXTS).size).toBeGreaterThanOrEqual(100);
  });
  it.each(OPT_OUTS)('%j is an opt-out', (text) => expect(understand(text)?.kind).toBe('opt_out'));
  it.each(JUST_TEXTS)('%j is none', (text) => expect(understand(text)?.kind).not.toBe('opt_out'));
});

describe('what is doubtful', () => {
  it.each(['stop?', 'Stop the music', 'atopp', 'this is spam'])(
    '%j is an opt-out for a person to look at',
    (text) => expect(understand(text)).toMatchObject({ kind: 'opt_out', doubt: true }),
  );
  it.each(['STOP', 'please stop texting me', 'sotp', 'Who is this? STOP'])('%j is not', (text) =>
    expect(understand(text)).toMatchObject({ kind: 'opt_out', doubt: false }),
  );
});

describe('words that are no opt-out', () => {
  it.each([
    ['START', 'opt_in', 'en'],
    ['unstop', 'opt_in', 'en'],
    ['YES', 'affirm', 'en'],
    ['Sí', 'affirm', 'es'],
    ['HELP', 'help', 'en'],
    ['info', 'help', 'en'],
    ['Ayuda', 'help', 'es'],
    ['AIDE', 'help', 'fr'],
    ['Hilfe!', 'help', 'de'],
    ['ajuda', 'help', 'pt'],
  ])('%j is %s in %s', (text, kind, language) => expect(understand(text)).toMatchObject({ kind, language }));
});

describe('laws', () => {
  const words = LANGUAGE_CODES.flatMap((code) => LANGUAGES[code].keywords.opt_out.map((keyword) => keyword));
  const noise = fc.constantFrom(
    '',
    '!',
    '.',
    '*',
    '"',
    '🙂',
    '\u200b',
    '\u2060',
    ' ',
    '\u00ad',
    '…',
    '\ufeff',
  );
  const disguised = fc
    .tuple(
      fc.constantFrom(...words),
      fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
      noise,
      noise,
      fc.constantFrom('', '\u200b', '\u00ad', '\u200d'),
    )
    .map(([keyword, upper, before, after, inside]) => {
      const cased = [...keyword].map((c, i) => (upper[i] ? c.toUpperCase() : c)).join(inside);
      return `${before}${cased}${after}`;
    });

  it('a keyword is one in any case, with any punctuation around and invisible characters inside', () => {
    fc.assert(
      fc.property(disguised, (text) => understand(text)?.kind === 'opt_out'),
      { numRuns: 2000 },
    );
  });

  it('normalising twice is normalising once', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => plain(plain(text)) === plain(text)));
  });

  it('any text is read without an error, and clauses hold words only', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        understand(text);
        return clausesOf(text).every((clause) => clause.length > 0 && clause.every((word) => word !== ''));
      }),
    );
  });

  it('a per-se word inside a longer word is none', () => {
    const perSe = ['stop', 'quit', 'end', 'revoke', 'cancel'];
    fc.assert(
      fc.property(
        fc.constantFrom(...perSe),
        fc.stringMatching(/^[b-df-hj-np-tv-xz]{3}$/),
        fc.stringMatching(/^[b-df-hj-np-tv-xz]{3}$/),
        (word, before, after) => understand(`we ${before}${word}${after} at noon`) === null,
      ),
    );
  });

  it('a per-se word in an ordinary sentence is none', () => {
    const sentences = [
      'I will @ by the store tomorrow',
      'we met at the @ of the street where she lives',
      'my brother wanted to @ his job and move abroad',
    ];
    for (const sentence of sentences.slice(1))
      for (const word of ['end', 'quit', 'revoke'])
        expect(understand(sentence.replace('@', word)), sentence).toBeNull();
    expect(understand('I will stop by the store tomorrow')).toBeNull();
  });

  it('one letter apart is symmetric', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-c]{1,5}$/), fc.stringMatching(/^[a-c]{1,5}$/), (a, b) => {
        return oneLetterApart(a, b) === oneLetterApart(b, a);
      }),
    );
  });
});
