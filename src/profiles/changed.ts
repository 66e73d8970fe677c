/** Who wants to know which customers' profiles were just written: said once at start, told after every write. */
import { errorText, log } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';

export type ProfilesChanged = (runtime: Runtime, customerIds: readonly string[]) => Promise<void>;

const listeners: ProfilesChanged[] = [];

/** Called by the app when it is put together. */
export function onProfilesChanged(listener: ProfilesChanged): void {
  listeners.push(listener);
}

/**
 * Tells after the commit of a write. A listener that fails does not undo the write and is not told again, and a Worker
 * that dies in between tells nobody: listeners must find what they missed by `profiles.written_at`.
 */
export async function announceChanged(runtime: Runtime, customerIds: readonly string[]): Promise<void> {
  if (customerIds.length === 0) return;
  for (const listener of listeners) {
    try {
      await listener(runtime, customerIds);
    } catch (error) {
      log('error', 'profiles.listener_failed', { customers: customerIds.length, error: errorText(error) });
    }
  }
}
