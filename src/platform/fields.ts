/** zod building blocks that several requests share. */
import { z } from 'zod';
import { isPrototypeName } from './json.ts';

/** A text field; says apart whether it is missing or of another type. */
export const text = (): z.ZodString =>
  z.string({ error: (issue) => (issue.input === undefined ? 'is required' : 'must be a string') });

/** An id from outside: up to 200 characters, printable, and no name of an object's prototype. */
export const externalId = text()
  .min(1, 'must not be empty')
  .max(200, 'must have at most 200 characters')
  .regex(/^[^\p{C}]*$/u, 'must not hold control, invisible or unassigned characters')
  .refine((id) => id.trim() === id, 'must not begin or end with white space')
  .refine((id) => !isPrototypeName(id), 'is the name of an object property and not allowed as an id');

/** The name of a campaign or policy of ours, fit for a URL path. */
export const slug = text()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,63}$/,
    'must be 1 to 64 of a-z, 0-9, "-" and "_", beginning with a letter or digit',
  )
  .refine((id) => !isPrototypeName(id), 'is the name of an object property and not allowed as a name');

export const eventType = text().regex(
  /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$/,
  'must be a name such as "signup.converted": letters, digits and . _ : / -',
);

export const timestamp = z.iso.datetime({
  offset: true,
  error: 'must be an ISO 8601 time with a zone, such as "2026-11-22T10:00:00Z"',
});

/** A JSON object with any members. Its keys were checked when the body was parsed. */
export const jsonObject = z.record(z.string(), z.unknown(), 'must be a JSON object');
