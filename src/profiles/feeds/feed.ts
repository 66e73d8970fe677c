/** A feed's configuration: where documents come from, how they are read, and what must hold before they are believed. */
import { isSupportedCountry } from 'libphonenumber-js/max';
import { z } from 'zod';
import type { CountryCode } from '../../domain/phone.ts';
import { slug, text } from '../../platform/fields.ts';
import { isPrototypeName } from '../../platform/json.ts';
import { httpsFields } from './https-fields.ts';
import { OWN_PREFIX } from './r2.ts';
import { s3Fields } from './s3-fields.ts';
import { scheduleFields } from './schedule.ts';

/** A column's name in a file, or an attribute's in the profile. */
const columnName = text()
  .min(1, 'must not be empty')
  .max(200, 'must have at most 200 characters')
  .refine((name) => !isPrototypeName(name), 'is the name of an object property; choose another one');

const share = (fallback: number) =>
  z
    .number('must be a number from 0 to 1')
    .min(0, 'must be at least 0')
    .max(1, 'must be at most 1')
    .default(fallback);

const guards = z.strictObject({
  /** A run with more rejected rows than this share changes nothing. */
  max_bad_share: share(0.2),
  /** A full feed with fewer rows than this share of its last good one waits for a person's yes. */
  min_share: share(0.8),
  /** A full feed that would clear more than this share of the customers (and more than 100) waits, too. */
  max_clear_share: share(0.5),
});

/** How documents are read, whatever they come from. */
const reading = {
  enabled: z.boolean('must be true or false').default(true),
  mode: z.enum(['delta', 'full'], 'must be "delta" or "full"').default('delta'),
  format: z.enum(['auto', 'csv', 'ndjson'], 'must be "auto", "csv" or "ndjson"').default('auto'),
  delimiter: z.enum(['auto', ',', ';', '\t', '|'], 'must be "auto", ",", ";", "\\t" or "|"').default('auto'),
  /** Our name ← names that the column may have in the file, the first that is there counts. */
  columns: z
    .record(
      columnName,
      z
        .array(columnName, 'must be a list of column names')
        .min(1, 'must not be empty')
        .max(20, 'must have at most 20 names'),
    )
    .default({}),
  /** What becomes of columns that are neither known nor mapped. */
  other_columns: z.enum(['attributes', 'ignore'], 'must be "attributes" or "ignore"').default('attributes'),
  default_country: z
    .string('must be an ISO 3166 code such as "US", or null')
    .refine(
      (code): code is CountryCode => isSupportedCountry(code),
      'must be an ISO 3166 code such as "US", or null',
    )
    .nullable()
    .default(null),
  /** A blank keeps what is stored, or clears it. By default a delta keeps and a full feed, which states all, clears. */
  blank: z.enum(['keep', 'clear'], 'must be "keep" or "clear"').optional(),
  guards: guards.prefault({}),
  schedule: scheduleFields.nullable().default(null),
};

const r2 = z.strictObject({
  kind: z.literal('r2'),
  prefix: text()
    .max(500, 'must have at most 500 characters')
    .refine((prefix) => !prefix.startsWith(OWN_PREFIX), `must not begin with "${OWN_PREFIX}"`),
  ...reading,
});

const push = z.strictObject({ kind: z.literal('push'), ...reading });

/** A feed as it is configured. */
export const feedFields = z.discriminatedUnion(
  'kind',
  [r2, push, httpsFields.extend(reading), s3Fields.extend(reading)],
  'must have a "kind": "r2", "https", "s3" or "push"',
);

export const feedId = slug;

export type FeedSettings = z.output<typeof feedFields>;
export type Feed = FeedSettings & { readonly id: string };

/** Objects that were pushed to a feed wait here until they are imported. */
export function pushPrefix(feedId: string): string {
  return `${OWN_PREFIX}push/${feedId}/`;
}

/** Whether a blank value clears what is stored. */
export function blankClears(feed: Pick<Feed, 'blank' | 'mode'>): boolean {
  return (feed.blank ?? (feed.mode === 'full' ? 'clear' : 'keep')) === 'clear';
}

/** The feed that a call means which names none. */
export const DEFAULT_FEED = 'profiles';

/** The feeds that are there without any configuration. A stored feed of the same id takes the place of one. */
export function builtInFeeds(prefix: string): readonly Feed[] {
  return [
    { ...feedFields.parse({ kind: 'r2', prefix }), id: DEFAULT_FEED },
    { ...feedFields.parse({ kind: 'push' }), id: 'push' },
  ];
}
