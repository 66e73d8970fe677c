/** Sources in memory, so that a delivery costs no read for its configuration: a change is in force within 30 seconds. */
import type { Runtime } from '../platform/runtime.ts';
import type { Source } from './source.ts';
import { readSource } from './store.ts';

const KEEP_MS = 30_000;
const MAX_KEPT = 500;

const kept = new Map<string, { readonly source: Source; readonly until: number }>();

export async function cachedSource(runtime: Runtime, id: string): Promise<Source | null> {
  const known = kept.get(id);
  if (known && known.until > runtime.now()) return known.source;
  kept.delete(id);
  const source = await readSource(runtime, id);
  if (source) {
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(id, { source, until: runtime.now() + KEEP_MS });
  }
  return source;
}

/** At the place where it was changed, the change is in force at once. */
export function forgetSource(id: string): void {
  kept.delete(id);
}
