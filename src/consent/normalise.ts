/** A text as matching sees it: plain small words, clause by clause, whatever a phone or a person did to them. */

/** Letters of other scripts that look like Latin ones: what a phone in another keyboard layout sends. */
const LOOKALIKES: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ['аɑα', 'a'],
    ['вβ', 'b'],
    ['сϲ', 'c'],
    ['еεё', 'e'],
    ['һ', 'h'],
    ['іι', 'i'],
    ['ј', 'j'],
    ['кκ', 'k'],
    ['ӏ', 'l'],
    ['м', 'm'],
    ['ոη', 'n'],
    ['оοσօ', 'o'],
    ['рρ', 'p'],
    ['ԛ', 'q'],
    ['ѕ', 's'],
    ['тτ', 't'],
    ['υս', 'u'],
    ['ν', 'v'],
    ['х', 'x'],
    ['у', 'y'],
  ].flatMap(([from = '', to = '']) => [...from].map((letter) => [letter, to])),
);

/** Longer texts say what they want within this; the rest would only cost time. Unit: UTF-16 units. */
const MAX_READ = 2000;

/** Small Latin letters without accents, invisible characters or apostrophes; punctuation stays. Idempotent. */
export function plain(text: string): string {
  return text
    .slice(0, MAX_READ)
    .normalize('NFKC')
    .toLowerCase()
    .normalize('NFD')
    .replace(/[\p{M}\p{Cf}\p{Cc}'’‘ʼ`´]/gu, (char) =>
      char === '\n' || char === '\r' || char === '\t' ? char : '',
    )
    .replaceAll('ß', 'ss')
    .replaceAll('ſ', 's')
    .replace(/[\u0370-\u058f]/gu, (letter) => LOOKALIKES[letter] ?? letter)
    .replaceAll('ɑ', 'a')
    .normalize('NFC');
}

/** The words of a text, clause by clause; a comma, a line end or a full stop ends a clause. */
export function clausesOf(text: string): string[][] {
  return plain(text)
    .replace(/\$(?=\p{L})|(?<=\p{L})\$(?=\p{L})/gu, 's')
    .replace(/(?<=\p{L})@(?=\p{L})/gu, 'a')
    .split(/[.!?;:,\n\r…¡¿()]+/u)
    .map((clause) =>
      clause
        .split(/[^\p{L}\p{N}]+/u)
        .filter((word) => word !== '')
        .map(unstretched),
    )
    .filter((words) => words.length > 0);
}

/** `stoooop` is `stop`; a doubled letter stays as it is. */
function unstretched(word: string): string {
  return word.replace(/(\p{L})\1{2,}/gu, '$1');
}

/** Digits in a word as the letters that they stand for: `st0p`; the word itself where it is a number. */
export function withoutDigits(word: string): string {
  if (!/\d/.test(word) || !/\p{L}/u.test(word)) return word;
  const letters: Readonly<Record<string, string>> = {
    0: 'o',
    1: 'i',
    3: 'e',
    4: 'a',
    5: 's',
    7: 't',
    8: 'b',
  };
  return word.replace(/\d/g, (digit) => letters[digit] ?? digit);
}

/** Whether one letter more, less or other, or two swapped neighbours, make one word the other. */
export function oneLetterApart(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1) return false;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  const [restA, restB] = [a.slice(i), b.slice(i)];
  return (
    restA.slice(1) === restB.slice(1) ||
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2))
  );
}
