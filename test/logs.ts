/** Listens to the console of a run and finds what must never stand there: phone numbers, secrets, texts. */
import { vi } from 'vitest';

const LEVELS = ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const;

export interface ConsoleWatch {
  /** Every line so far, whatever its level. */
  readonly lines: readonly string[];
  /** Lines that hold something like a phone number, or one of these words. */
  leaks(secrets?: readonly string[]): string[];
  end(): void;
}

/** Ten to fifteen digits that stand by themselves, with or without plus and the usual separators. Parts of hex ids do not. */
const NUMBER = /(?<![0-9A-Za-z_.-])\+?\(?\d{1,3}\)?(?:[ ().-]?\d){9,14}(?![0-9A-Za-z_])/;

export function watchConsole(): ConsoleWatch {
  const lines: string[] = [];
  const spies = LEVELS.map((level) =>
    vi.spyOn(console, level).mockImplementation((...words: unknown[]) => {
      lines.push(words.map(textOf).join(' '));
    }),
  );
  return {
    lines,
    leaks: (secrets = []) => leaksIn(lines, secrets),
    end: () => {
      for (const spy of spies) spy.mockRestore();
    },
  };
}

/** Lines that hold something like a phone number, or one of these words. */
export function leaksIn(lines: readonly string[], secrets: readonly string[]): string[] {
  return lines.filter((line) => NUMBER.test(line) || secrets.some((secret) => line.includes(secret)));
}

function textOf(word: unknown): string {
  if (word instanceof Error) return `${word.name}: ${word.message} ${word.stack ?? ''}`;
  return typeof word === 'string' ? word : JSON.stringify(word);
}
