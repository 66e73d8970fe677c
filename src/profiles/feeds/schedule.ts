/** When a feed is looked at: a cron expression in a time zone, by croner. Pure: the time is passed in. */
import { Cron } from 'croner';
import { z } from 'zod';
import { text } from '../../platform/fields.ts';

const timeZone = text()
  .max(100, 'must have at most 100 characters')
  .refine(isTimeZone, 'must be an IANA time zone such as "Europe/Berlin" or "UTC"')
  .default('UTC');

/** `{"cron": "30 4 * * *", "time_zone": "Europe/Berlin"}`: five fields, because the Worker's tick is a minute. */
export const scheduleFields = z
  .strictObject({ cron: text().max(100, 'must have at most 100 characters'), time_zone: timeZone })
  .superRefine((schedule, check) => {
    const complaint = complaintOf(schedule.cron);
    if (complaint !== null) check.addIssue({ code: 'custom', path: ['cron'], message: complaint });
  });

export type Schedule = z.output<typeof scheduleFields>;

/**
 * The first time after `after` at which the schedule comes. Milliseconds since 1970; null: it never comes again.
 *
 * A time that the clock jumps over in spring comes right after the jump; one that it passes twice in autumn comes once, while
 * an expression for every hour or minute comes in each of the two hours.
 */
export function nextRun(schedule: Schedule, after: number): number | null {
  return cronOf(schedule).nextRun(new Date(after))?.getTime() ?? null;
}

/** Whether the schedule came after `lastTick`, up to and including `now`. However often it came, it is one run. */
export function isDue(schedule: Schedule, lastTick: number, now: number): boolean {
  const next = nextRun(schedule, lastTick);
  return next !== null && next <= now;
}

function cronOf({ cron, time_zone }: Schedule): Cron {
  return new Cron(cron, { mode: '5-part', timezone: time_zone, paused: true });
}

/** In words for people; null where the expression is good. */
function complaintOf(cron: string): string | null {
  if (!/^\S+( +\S+){4}$/.test(cron.trim())) {
    return 'must have five fields, such as "30 4 * * *" for 04:30 every day: minute, hour, day of month, month, day of week';
  }
  try {
    const next = cronOf({ cron, time_zone: 'UTC' }).nextRun(new Date(0));
    return next === null ? 'names a day that never comes, such as 31 February' : null;
  } catch (error) {
    return `is no cron expression: ${cronWords(error)}`;
  }
}

/** croner says `CronPattern: Invalid value for minute: 61`. */
function cronWords(error: unknown): string {
  const words = error instanceof Error ? error.message.replace(/^\w+:\s*/, '') : 'it cannot be read';
  return words.charAt(0).toLowerCase() + words.slice(1);
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
