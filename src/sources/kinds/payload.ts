/** What kinds share in reading bodies of strangers. Nothing here throws, whatever comes in. */
import { eventType, externalId } from '../../platform/fields.ts';
import { isJsonObject, jsonComplaint } from '../../platform/json.ts';
import type { Delivery, Mapping } from '../kind.ts';

export type Payload =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly mapping: Mapping };

/** More events in one body are refused: each is stored and decided before the answer. */
export const MAX_BATCH = 500;

export function unreadable(detail: string, hint: string | null = null): Mapping {
  return { kind: 'unreadable', detail, hint };
}

/** The body as UTF-8; `null` where it is none. */
export function bodyText(body: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body);
  } catch {
    return null;
  }
}

/** The body as JSON, free of what breaks things further down. Numbers that would lose digits become texts. */
export function jsonBody(delivery: Delivery): Payload {
  const text = bodyText(delivery.body);
  if (text === null) return { ok: false, mapping: unreadable('The body is not valid UTF-8 text.') };
  if (text.trim() === '') return { ok: false, mapping: unreadable('The body is empty.') };
  return checked(parsed(text), 'The body is not valid JSON, or nested too deeply.');
}

/** Deeper than anything that is accepted later, and found without parsing: a megabyte of brackets costs a parser a second. */
const PARSED_DEPTH = 64;

function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (inString) {
      if (character === '\\') index++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '[' || character === '{') {
      depth++;
      if (depth > PARSED_DEPTH) return true;
    } else if (character === ']' || character === '}') depth--;
  }
  return false;
}

/** As `jsonBody`, and `application/x-www-form-urlencoded` too: a name given several times becomes a list. */
export function jsonOrFormBody(delivery: Delivery): Payload {
  const type = delivery.headers.get('content-type')?.toLowerCase() ?? '';
  if (!type.startsWith('application/x-www-form-urlencoded')) return jsonBody(delivery);
  const text = bodyText(delivery.body);
  if (text === null) return { ok: false, mapping: unreadable('The body is not valid UTF-8 text.') };
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of new URLSearchParams(text)) {
    const earlier = fields.get(name);
    if (earlier === undefined) fields.set(name, value);
    else if (Array.isArray(earlier)) earlier.push(value);
    else fields.set(name, [earlier, value]);
  }
  return checked(Object.fromEntries(fields), 'The body is no form.');
}

/** A JSON text's value; `undefined` where it is none. */
export function parsed(text: string): unknown {
  if (isTooDeep(text)) return undefined;
  try {
    return JSON.parse(text, /\d{16}/.test(text) ? keepDigits : undefined) as unknown;
  } catch {
    return undefined;
  }
}

/** Shopify's test notification and others carry ids beyond what a double holds. */
function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isUnsafe = typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER;
  return isUnsafe && context?.source !== undefined ? context.source : value;
}

function checked(value: unknown, otherwise: string): Payload {
  if (value === undefined) return { ok: false, mapping: unreadable(otherwise) };
  const complaint = jsonComplaint(value);
  return complaint === null
    ? { ok: true, value }
    : { ok: false, mapping: unreadable(`The body is not acceptable: ${complaint}.`) };
}

/** What stands at a path of own members; `undefined` where the path ends early. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let inner = value;
  for (const name of path) {
    if (!isJsonObject(inner) || !Object.hasOwn(inner, name)) return undefined;
    inner = inner[name];
  }
  return inner;
}

/** An object's members; none where it is no object. */
export function members(value: unknown): Readonly<Record<string, unknown>> {
  return isJsonObject(value) ? value : {};
}

/** A text that is not blank, or a number as text; else `null`. */
export function textOf(value: unknown): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : null;
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

/** An id as our events take it: the first candidate that is one, else `null`. */
export function idOf(...candidates: readonly unknown[]): string | null {
  for (const candidate of candidates) {
    const text = textOf(candidate);
    if (text !== null && externalId.safeParse(text).success) return text;
  }
  return null;
}

/** The tool's word for what happened as an event type: "Course Clicked" becomes `Course_Clicked`. */
export function typeOf(word: unknown): string | null {
  const text = textOf(word)?.slice(0, 100);
  if (text === undefined) return null;
  const type = text.replace(/[^A-Za-z0-9._:/-]/g, '_').replace(/^[^A-Za-z0-9]+/, '');
  return eventType.safeParse(type).success ? type : null;
}

/** Smaller numbers are seconds since 1970, larger ones milliseconds: the year 2286 in one, April 1970 in the other. */
const FIRST_MILLISECONDS = 10_000_000_000;
const YEAR_10000 = 253_402_300_800_000;

/** The first candidate that is a time (ISO 8601 with a zone, or a number of seconds or milliseconds since 1970), as ISO 8601. */
export function timeOf(...candidates: readonly unknown[]): string | null {
  for (const candidate of candidates) {
    const ms = milliseconds(candidate);
    if (Number.isFinite(ms) && ms >= 0 && ms < YEAR_10000) return new Date(ms).toISOString();
  }
  return null;
}

function milliseconds(value: unknown): number {
  if (typeof value === 'number') return value < FIRST_MILLISECONDS ? value * 1000 : value;
  if (typeof value !== 'string' || value.length > 40) return Number.NaN;
  if (/^\d{1,15}$/.test(value)) return milliseconds(Number(value));
  // Without a zone it would be read as the time of wherever this runs.
  return /^\d{4}-\d{2}-\d{2}T.*(?:Z|[+-]\d{2}:?\d{2})$/.test(value)
    ? Date.parse(value.replace(/([+-]\d{2})(\d{2})$/, '$1:$2'))
    : Number.NaN;
}

/** Reads each entry of a batch with `read`; one that cannot be read refuses all, so that a 2xx means every one was taken. */
export function batch(
  entries: readonly unknown[],
  read: (entry: unknown, index: number) => Mapping,
): Mapping {
  if (entries.length === 0) return { kind: 'ignored', note: 'An empty batch.', hint: null };
  if (entries.length > MAX_BATCH)
    return unreadable(`The body holds ${entries.length} events.`, `Send at most ${MAX_BATCH} in one body.`);
  const mappings = entries.map((entry, index) => read(entry, index));
  for (const [index, mapping] of mappings.entries()) {
    if (mapping.kind === 'unreadable')
      return unreadable(`Event ${index + 1} of ${entries.length}: ${mapping.detail}`, mapping.hint);
  }
  const events = mappings.flatMap((mapping) => (mapping.kind === 'events' ? mapping.events : []));
  if (events.length > 0) return { kind: 'events', events };
  return mappings.find((mapping) => mapping.kind === 'ignored') ?? unreadable('No event was found.');
}
