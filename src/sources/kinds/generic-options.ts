/** How a source of kind `generic` proves itself, as data. Also what CloudEvents, Zapier, Make and Optimove may be set to. */
import { z } from 'zod';

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,100}$/, 'must be the name of a header: letters, digits and "-"')
  .transform((name) => name.toLowerCase());

const hmacOptions = z
  .strictObject({
    scheme: z.literal('hmac'),
    /** The header with the signature. */
    header: headerName,
    hash: z.enum(['sha1', 'sha256', 'sha384', 'sha512']).default('sha256'),
    encoding: z.enum(['hex', 'base64']).default('hex'),
    /** What stands before the signature in its header, such as `sha256=`. */
    prefix: z.string().max(50).default(''),
    timestamp_header: headerName.optional(),
    timestamp_unit: z.enum(['s', 'ms']).default('s'),
    /** What is signed: `{body}`, and where wanted `{timestamp}`, `{method}`, `{url}` and fixed text between them. */
    signed: z.string().max(200).default('{body}'),
  })
  .refine(({ signed }) => signed.split('{body}').length === 2, {
    path: ['signed'],
    error: 'must name {body} once: what is not signed could be changed by anybody',
  })
  .refine(
    ({ signed, timestamp_header }) => signed.includes('{timestamp}') === (timestamp_header !== undefined),
    {
      path: ['signed'],
      error:
        'must name {timestamp} where timestamp_header is set, and only there: an unsigned time proves nothing',
    },
  );

export const proofOptions = z.discriminatedUnion(
  'scheme',
  [
    z.strictObject({ scheme: z.literal('bearer') }),
    z.strictObject({ scheme: z.literal('basic') }),
    z.strictObject({ scheme: z.literal('header'), header: headerName }),
    hmacOptions,
  ],
  'must have a scheme: "bearer", "basic", "header" or "hmac"',
);

export type Proof = z.output<typeof proofOptions>;
