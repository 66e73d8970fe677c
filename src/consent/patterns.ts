/** Patterns over whole words, compiled once. Their cost is bounded: no repetition, only what may be left out. */

interface Step {
  readonly words: ReadonlySet<string>;
  readonly optional: boolean;
}

export interface Pattern {
  readonly source: string;
  readonly steps: readonly Step[];
  /** Must stand at the end of a clause. */
  readonly atEnd: boolean;
}

/** Ends a clause among the words of a text. Patterns may reach across, harmless uses may not. */
export const CLAUSE_END = '.';
/** Stands for words that were taken out as harmless. */
export const MASKED = '_';

/** @throws where a pattern names a class that there is not: a mistake in a language file. */
export function compile(source: string, classes: Readonly<Record<string, string>>): Pattern {
  const parts = source.split(' ');
  // `$` among the alternatives of the last step means: or nothing more in this clause.
  const steps = parts.map((part) => {
    const optional = part.endsWith('?');
    const words = (optional ? part.slice(0, -1) : part).split('|').flatMap((word) => {
      if (!word.startsWith('@')) return [word.replace(/\?$/, '')];
      const members = classes[word.slice(1).replace(/\?$/, '')];
      if (members === undefined) throw new Error(`pattern "${source}" names no class ${word}`);
      return members.split('|');
    });
    return { words: new Set(words), optional };
  });
  const last = steps.at(-1);
  const atEnd = last !== undefined && last.words.size === 1 && last.words.has('$');
  return { source, steps: atEnd ? steps.slice(0, -1) : steps, atEnd };
}

/** Where the pattern matches at this position: the index after its last word, else null. */
export function matchAt(
  pattern: Pattern,
  words: readonly string[],
  start: number,
  across: boolean,
): number | null {
  const follow = (step: number, at: number): number | null => {
    const { [step]: wanted } = pattern.steps;
    if (!wanted) return !pattern.atEnd || isEnd(words, at) ? at : null;
    const here = across && at > start && words[at] === CLAUSE_END ? at + 1 : at;
    const word = words[here];
    if (word !== undefined && wanted.words.has(word)) {
      const end = follow(step + 1, here + 1);
      if (end !== null) return end;
    }
    if (wanted.words.has('$') && isEnd(words, at)) return at;
    return wanted.optional ? follow(step + 1, at) : null;
  };
  return follow(0, start);
}

function isEnd(words: readonly string[], at: number): boolean {
  return at >= words.length || words[at] === CLAUSE_END;
}
