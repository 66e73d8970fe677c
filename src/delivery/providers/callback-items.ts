/** What adapters share in reading a verified JSON callback, and in keeping a provider's words free of personal data. */
import { z } from 'zod';
import type { Callback, CallbackRefusal } from '../provider.ts';

/** A text that no database and no JSON further down stumbles over. A STOP must not be lost to a stray NUL. */
export const cleanText = z.string().transform((text) => text.toWellFormed().replaceAll('\u0000', ''));

/** An id of the provider's, as text; some providers write theirs as numbers. */
export const providerId = z.union([z.string().min(1).max(200), z.number().int()]).transform(String);

export function refused(reason: CallbackRefusal): { readonly ok: false; readonly reason: CallbackRefusal } {
  return { ok: false, reason };
}

/** The body as JSON; `undefined` where it is none. */
export function bodyJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body)) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Reads each entry alone, so that one that cannot be read does not cost the STOP beside it. Only where none can be read is
 * the callback malformed.
 *
 * @param map gives `null` for an entry that we have no use for.
 */
export function itemsOf<E, T>(
  entries: readonly unknown[],
  schema: z.ZodType<E>,
  map: (entry: E) => T | null,
): Callback<T> {
  const read = entries.map((entry) => schema.safeParse(entry));
  if (entries.length > 0 && !read.some((result) => result.success)) return refused('malformed');
  const items = read.flatMap((result) => (result.success ? [map(result.data)] : []));
  return { ok: true, items: items.filter((item) => item !== null) };
}

/**
 * When a text was sent, milliseconds since 1970; `fallback` where the provider's time cannot be read. Offsets may lack
 * their colon (`+0000`), as Infobip writes them.
 */
export function timeOf(text: string | null | undefined, fallback: number): number {
  const at = Date.parse((text ?? '').replace(/([+-]\d{2})(\d{2})$/, '$1:$2'));
  return Number.isNaN(at) ? fallback : at;
}

/** Unit: characters. */
const MAX_DETAIL = 200;

/** A provider's free words without what may be a phone number, and short. */
export function withoutNumbers(text: string): string {
  const start = text.slice(0, 2 * MAX_DETAIL);
  return start.replace(/\+?\d(?:[\s().-]*\d){5,}/g, '•••').slice(0, MAX_DETAIL);
}

/** A value of a table that is data; `undefined` for keys it does not have, such as `constructor`. */
export function entryOf<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
