/** JSON bodies from strangers: bounded, decoded strictly, and free of what breaks things further down. */
import { Problem } from './problem.ts';

/** 1 MB, as DESIGN and the README promise. Unit: bytes. */
export const MAX_BODY_BYTES = 1_000_000;
const MAX_DEPTH = 32;

/** Names that reach an object's prototype. As keys or ids they are an attack or an accident, never data. */
const PROTOTYPE_NAMES = new Set(['prototype', ...Object.getOwnPropertyNames(Object.prototype)]);

export function isPrototypeName(name: string): boolean {
  return PROTOTYPE_NAMES.has(name);
}

/**
 * Reads a request's JSON body.
 *
 * @throws Problem 415 for another content type, 413 above the limit, 400 for bytes that are no UTF-8, text that is no
 *   JSON, nesting deeper than 32, lone surrogates, NUL, or keys that are prototype names.
 */
export async function readJson(request: Request): Promise<unknown> {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/([a-z0-9.+-]+\+)?json\s*(;|$)/i.test(type)) {
    throw new Problem(415, 'Send JSON with the header "content-type: application/json".');
  }
  return parseJson(decodeUtf8(await readBytes(request, MAX_BODY_BYTES)));
}

/** As `readJson`, but a request without a body stands for `{}`. */
export async function readOptionalJson(request: Request): Promise<unknown> {
  const hasBody = request.body !== null && request.headers.get('content-length') !== '0';
  return hasBody ? await readJson(request) : {};
}

/** Reads a body up to a limit without ever holding more than that. */
export async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = new Problem(
    413,
    `The body is larger than ${maxBytes} bytes. Send fewer or smaller events.`,
  );
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge;
    chunks.push(chunk);
  }
  const [only] = chunks;
  if (only && chunks.length === 1) return only;
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new Problem(400, 'The body is not valid UTF-8 text.');
  }
}

/** Parses JSON and refuses what no well-meaning client sends. */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Problem(400, `The body is not valid JSON: ${positionOf(error)}.`);
  }
  const complaint = jsonComplaint(value);
  if (complaint) throw new Problem(400, `The body is not acceptable: ${complaint}.`);
  return value;
}

/** Beyond this, two different numbers are read as one, and a text would show another number than was sent. */
const TOO_LARGE = 'a number is larger than 9007199254740991 and would lose digits; send it as a text';

/** What is wrong with a parsed value, or `null`. Iterative: depth is what it guards against. */
export function jsonComplaint(root: unknown): string | null {
  const stack: { value: unknown; depth: number }[] = [{ value: root, depth: 0 }];
  for (let item = stack.pop(); item; item = stack.pop()) {
    const { value, depth } = item;
    if (typeof value === 'string') {
      const complaint = textComplaint(value);
      if (complaint) return complaint;
    } else if (typeof value === 'number') {
      if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return TOO_LARGE;
    } else if (typeof value === 'object' && value !== null) {
      if (depth >= MAX_DEPTH) return `it is nested deeper than ${MAX_DEPTH} levels`;
      if (Array.isArray(value)) {
        for (const element of value) stack.push({ value: element, depth: depth + 1 });
        continue;
      }
      for (const [key, element] of Object.entries(value)) {
        if (isPrototypeName(key)) return `the key "${key}" is not allowed; rename it`;
        const complaint = textComplaint(key);
        if (complaint) return complaint;
        stack.push({ value: element, depth: depth + 1 });
      }
    }
  }
  return null;
}

/** An object with members: no array, no null. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same JSON text for the same value, whatever the order of its keys. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isJsonObject(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function textComplaint(text: string): string | null {
  if (!text.isWellFormed())
    return 'a text holds a lone surrogate (half of a character); send well-formed Unicode';
  if (text.includes('\u0000')) return 'a text holds a NUL character (\\u0000); remove it';
  return null;
}

/** Where parsing failed, without quoting the body: it may hold personal data. */
function positionOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const position = /position (\d+)/.exec(message)?.[1];
  if (position) return `it breaks at character ${position}`;
  return message.includes('end of JSON') ? 'it ends too early' : 'check quotes, commas and brackets';
}
