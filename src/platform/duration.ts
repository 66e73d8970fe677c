/** Durations as people write them: "90s", "30m", "24h", "7d". */
import { z } from 'zod';

const SECONDS = { d: 86_400, h: 3600, m: 60, s: 1 } as const;
const FORM = /^(\d{1,7})([smhd])$/;

/** A field such as "24h"; gives whole seconds. */
export function duration(minSeconds: number, maxSeconds: number) {
  const range = `must be a duration from ${durationText(minSeconds)} to ${durationText(maxSeconds)}, such as "30m", "24h" or "7d"`;
  return z.string(range).transform((text, context): number => {
    const seconds = durationSeconds(text);
    if (seconds >= minSeconds && seconds <= maxSeconds) return seconds;
    context.addIssue({ code: 'custom', message: range });
    return z.NEVER;
  });
}

/** Seconds of a duration; `NaN` where the text is none. */
export function durationSeconds(text: string): number {
  const [, count, unit] = FORM.exec(text) ?? [];
  return Number(count) * SECONDS[(unit ?? 's') as keyof typeof SECONDS];
}

/** The same duration in its largest whole unit. */
export function durationText(seconds: number): string {
  const unit = (Object.keys(SECONDS) as (keyof typeof SECONDS)[]).find(
    (name) => seconds % SECONDS[name] === 0,
  );
  return unit === undefined ? `${seconds}s` : `${seconds / SECONDS[unit]}${unit}`;
}
