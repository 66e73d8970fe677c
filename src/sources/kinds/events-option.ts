/** The option `events` of tools that fire many: which of them are taken, by the tool's own words. */
import { z } from 'zod';
import type { KindSettings, Mapping } from '../kind.ts';

export const eventsMember = z
  .array(z.string().min(1, 'must not be empty').max(200, 'must have at most 200 characters'))
  .min(1, 'must name at least one')
  .max(100, 'must name at most 100')
  .optional();

export const eventsOptions = z.strictObject({ events: eventsMember });

/**
 * Why an event is not taken, or `null`.
 *
 * @param byDefault what is taken where the option is missing; `null`: everything.
 */
export function notTaken(
  word: string,
  settings: KindSettings,
  byDefault: readonly string[] | null,
): Mapping | null {
  const taken = eventsMember.safeParse(settings.options.events).data ?? byDefault;
  if (taken === null || taken.includes(word)) return null;
  return {
    kind: 'ignored',
    note: 'Another event than this source takes.',
    hint: `It takes ${taken.join(', ')}. To take others, name them in the source's options.events.`,
  };
}
