/**
 * Secrets of feeds: the configuration names a variable of the Worker, and only that name is stored and shown.
 *
 * Names begin with `FEED_`, so that who may configure a feed cannot have the Worker send its other secrets to a server of theirs.
 */
import { z } from 'zod';
import { text } from '../../platform/fields.ts';
import { BrokenFeed } from '../formats/broken.ts';
import type { World } from './outward.ts';

export const secretName = text().regex(
  /^FEED_[A-Z0-9_]{1,60}$/,
  'must be the name of a variable that begins with "FEED_", such as "FEED_CDP_TOKEN"; the secret itself goes into `wrangler secret put`',
);

/** Headers that belong to the connection, or that tell hosts apart. */
const RESERVED_HEADERS =
  /^(host|connection|content-.*|transfer-encoding|upgrade|te|trailer|cookie|if-.*|range|cf-.*)$/;

export const authFields = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('bearer'), secret: secretName }),
    z.strictObject({
      type: z.literal('basic'),
      user: text()
        .max(200, 'must have at most 200 characters')
        .regex(/^[^:\p{C}]*$/u, 'must not hold ":"'),
      secret: secretName,
    }),
    z.strictObject({
      type: z.literal('header'),
      name: text()
        .regex(/^[A-Za-z0-9-]{1,100}$/, 'must be the name of a header, such as "X-Api-Key"')
        .refine((name) => !RESERVED_HEADERS.test(name.toLowerCase()), 'is a header that a feed must not set'),
      secret: secretName,
    }),
  ],
  'must have a "type": "bearer", "basic" or "header"',
);

export type Auth = z.output<typeof authFields>;

/** The value of a variable. @throws BrokenFeed where it is not set */
export function secretOf(world: Pick<World, 'variable'>, name: string): string {
  const value = world.variable(name);
  if (value === undefined) {
    throw new BrokenFeed(`The variable ${name} is not set; set it with: npx wrangler secret put ${name}`);
  }
  if (!/^[\x20-\x7e]+$/.test(value)) {
    throw new BrokenFeed(`The variable ${name} holds characters that a header cannot carry; set it again.`);
  }
  return value;
}

/** @throws BrokenFeed where the variable is not set */
export function authHeaders(world: Pick<World, 'variable'>, auth: Auth | null): Record<string, string> {
  if (auth === null) return {};
  const secret = secretOf(world, auth.secret);
  switch (auth.type) {
    case 'bearer':
      return { authorization: `Bearer ${secret}` };
    case 'basic':
      return { authorization: `Basic ${base64(`${auth.user}:${secret}`)}` };
    case 'header':
      return { [auth.name.toLowerCase()]: secret };
  }
}

/** Of the UTF-8 bytes (RFC 7617). */
function base64(words: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(words)));
}
