/** How an HTTPS feed is configured. */
import { z } from 'zod';
import { text } from '../../platform/fields.ts';
import type { FieldProblem } from '../../platform/problem.ts';
import { addressComplaint } from './address.ts';
import { trustedHosts, type World } from './outward.ts';
import { authFields } from './secrets.ts';

/** Query parameters that hold secrets would be stored and shown with the address. */
const SECRET_PARAMETER = /(token|secret|passw|api[_-]?key|^key$|^sig$|signature|credential)/i;

const url = text()
  .max(2000, 'must have at most 2000 characters')
  .refine(
    (words) => URL.canParse(words),
    'must be a whole address, such as "https://example.com/customers.csv"',
  )
  .refine(
    (words) =>
      !URL.canParse(words) ||
      ![...new URL(words).searchParams.keys()].some((name) => SECRET_PARAMETER.test(name)),
    'must not hold a secret in its query; give it as "auth"',
  )
  .refine((words) => !words.includes('#'), 'must not have a fragment (#…)');

/** A place in a JSON document: names with dots between them. */
const jsonPath = text()
  .max(200, 'must have at most 200 characters')
  .regex(/^([\w$-]+(\.[\w$-]+)*)?$/, 'must be names with dots between them, such as "data.items"');

/** `""`: the page itself is the array. */
const items = jsonPath;

const pages = z.discriminatedUnion(
  'by',
  [
    /** RFC 8288: the header `Link: <…>; rel="next"`. Without `items` a page is CSV or NDJSON as it is. */
    z.strictObject({ by: z.literal('link'), items: items.nullable().default(null) }),
    /** The page names the next one: an address, or what `parameter` is to be in it. */
    z.strictObject({
      by: z.literal('cursor'),
      items,
      next: jsonPath.min(1, 'must not be empty'),
      parameter: text()
        .min(1, 'must not be empty')
        .max(100, 'must have at most 100 characters')
        .nullable()
        .default(null),
    }),
  ],
  'must have a "by": "link" or "cursor"',
);

const whole = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.number(message).int(message).min(min, message).max(max, message);
};

/** Without the fields that feeds of every kind have. */
export const httpsFields = z.strictObject({
  kind: z.literal('https'),
  url,
  auth: authFields.nullable().default(null),
  /** null: one document. */
  pages: pages.nullable().default(null),
  /** Ports besides 443. */
  ports: z
    .array(whole(1, 65_535), 'must be a list of port numbers')
    .max(10, 'must have at most 10')
    .default([]),
  timeout_seconds: whole(1, 300).default(30),
  max_bytes: whole(1, 50_000_000_000).default(2_000_000_000),
  max_pages: whole(1, 100_000).default(10_000),
});

export type HttpsSettings = z.output<typeof httpsFields>;
export type Pages = NonNullable<HttpsSettings['pages']>;

/** What a schema cannot see: whether this Worker may ask the address at all. For the answer to whoever configures it. */
export function addressProblems(
  world: Pick<World, 'variable'>,
  path: 'url' | 'endpoint',
  address: string,
  ports: readonly number[],
): FieldProblem[] {
  const message = addressComplaint(new URL(address), { trusted: trustedHosts(world.variable), ports });
  return message === null ? [] : [{ path, message }];
}
