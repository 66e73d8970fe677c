/** How a feed in an S3-compatible bucket is configured. */
import { z } from 'zod';
import { text } from '../../platform/fields.ts';
import { secretName } from './secrets.ts';

const endpoint = text()
  .max(500, 'must have at most 500 characters')
  .refine(
    (words) => URL.canParse(words) && new URL(words).pathname === '/' && !/[?#]/.test(words),
    'must be an address without a path, such as "https://s3.eu-central-1.amazonaws.com"; the bucket is a field of its own',
  );

const bytes = z
  .number('must be a number of bytes')
  .int('must be a whole number')
  .min(1, 'must be at least 1')
  .max(50_000_000_000, 'must be at most 50000000000');

/** Without the fields that feeds of every kind have. */
export const s3Fields = z.strictObject({
  kind: z.literal('s3'),
  endpoint,
  region: text().regex(
    /^[a-z0-9-]{1,50}$/,
    'must be a region such as "eu-central-1"; where there are none, "auto"',
  ),
  bucket: text().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket'),
  prefix: text().max(500, 'must have at most 500 characters').default(''),
  /** Names of variables of the Worker. */
  access_key_id: secretName,
  secret_access_key: secretName,
  session_token: secretName.nullable().default(null),
  /** `https://endpoint/bucket/key`, or `https://bucket.endpoint/key`. */
  addressing: z.enum(['path', 'host'], 'must be "path" or "host"').default('path'),
  ports: z
    .array(z.number().int().min(1).max(65_535), 'must be a list of port numbers')
    .max(10, 'must have at most 10')
    .default([]),
  timeout_seconds: z
    .number('must be a number from 1 to 300')
    .min(1, 'must be at least 1')
    .max(300, 'must be at most 300')
    .default(30),
  /** Of one object. */
  max_bytes: bytes.default(10_000_000_000),
});

export type S3Settings = z.output<typeof s3Fields>;
