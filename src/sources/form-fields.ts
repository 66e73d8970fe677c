/** What a browser's form says, in any of its three encodings, and the fields that are meant for us and not for the event. */
import { reservedName } from '../domain/attributes.ts';
import { isJsonObject, isPrototypeName } from '../platform/json.ts';
import { bodyText, parsed } from './kinds/payload.ts';

export interface FormFields {
  /** The page's key, where it is not in the address. */
  readonly key: string | null;
  readonly redirect: string | null;
  readonly turnstile: string | null;
  /** Whether the trap for programs is filled. */
  readonly trapped: boolean;
  /** The rest, for the event. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const KEY = '_key';
const REDIRECT = '_redirect';
const TURNSTILE = 'cf-turnstile-response';

/** @returns `null` where the body is no form. */
export async function readForm(
  body: Uint8Array<ArrayBuffer>,
  contentType: string,
  honeypot: string,
): Promise<FormFields | null> {
  const all = await fieldsOf(body, contentType);
  if (all === null) return null;
  const text = (name: string): string | null => {
    const value = all[name];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const trap = all[honeypot];
  const ours = new Set([KEY, REDIRECT, TURNSTILE, honeypot]);
  return {
    key: text(KEY),
    redirect: text(REDIRECT),
    turnstile: text(TURNSTILE),
    trapped: trap !== undefined && trap !== null && trap !== '',
    fields: Object.fromEntries(Object.entries(all).filter(([name]) => !ours.has(name))),
  };
}

async function fieldsOf(
  body: Uint8Array<ArrayBuffer>,
  contentType: string,
): Promise<Record<string, unknown> | null> {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/x-www-form-urlencoded') {
    const text = bodyText(body);
    return text === null ? null : collect(new URLSearchParams(text));
  }
  if (type === 'multipart/form-data') {
    try {
      const data = await new Response(body, { headers: { 'content-type': contentType } }).formData();
      // Files are no part of an event.
      return collect(
        [...data].flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : [])),
      );
    } catch {
      return null;
    }
  }
  const text = bodyText(body);
  const value = text === null ? null : parsed(text);
  return isJsonObject(value) ? value : null;
}

/** A name given several times becomes a list; of the reserved names the last counts, as a box after its hidden default. */
function collect(pairs: Iterable<readonly [string, string]>): Record<string, unknown> | null {
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of pairs) {
    if (isPrototypeName(name)) return null;
    const earlier = fields.get(name);
    if (earlier === undefined || reservedName(name) !== null || name.startsWith('_')) fields.set(name, value);
    else if (Array.isArray(earlier)) earlier.push(value);
    else fields.set(name, [earlier, value]);
  }
  return Object.fromEntries(fields);
}
