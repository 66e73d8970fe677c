/** Paths into a payload: JSON Pointer (RFC 6901, `/form/email`) or JSONPath (RFC 9535, `$.answers[0].email`). */
import { JSONPathEnvironment, JSONPointer, type JSONValue } from 'json-p3';

/** Strangers' payloads meet these paths, so functions that run regular expressions over their texts are not among them. */
class BoundedPaths extends JSONPathEnvironment {
  protected override setupFilterFunctions(): void {
    super.setupFilterFunctions();
    this.functionRegister.delete('match');
    this.functionRegister.delete('search');
  }
}

const environment = new BoundedPaths({ maxRecursionDepth: 50 });

/** How a value is found in a payload; `undefined` where it is not there. */
export type Finder = (payload: unknown) => unknown;

/** Compiled once an isolate: a source's paths are few, and its deliveries many. */
const compiled = new Map<string, Finder>();
const MAX_COMPILED = 2000;

/** @throws Error that says what is wrong with the path. */
export function finderOf(path: string): Finder {
  const known = compiled.get(path);
  if (known) return known;
  const finder = compile(path);
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(path, finder);
  return finder;
}

/** What is wrong with a path, or `null`. */
export function pathComplaint(path: string): string | null {
  try {
    finderOf(path);
    return null;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  }
}

function compile(path: string): Finder {
  if (path === '' || path.startsWith('/')) {
    const pointer = new JSONPointer(path);
    return (payload) => {
      const found = pointer.resolve(payload as JSONValue, MISSING);
      return found === MISSING ? undefined : found;
    };
  }
  if (!path.startsWith('$'))
    throw new Error('begin it with "$" (JSONPath, $.email) or "/" (JSON Pointer, /email)');
  // Two descents multiply: the work would grow with the square of what a stranger sends.
  if (path.split('..').length > 2) throw new Error('".." may stand in it once');
  if (/\[\s*\?[^\]]*\$/.test(path)) throw new Error('a filter may look at "@" only, not at "$"');
  const query = environment.compile(path);
  return (payload) => query.match(payload as JSONValue)?.value;
}

/** No payload holds it: its identity is what counts. */
const MISSING: JSONValue = { missing: true };
