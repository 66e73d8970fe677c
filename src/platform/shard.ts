/**
 * The seam along which the store is later split over many D1 databases: all rows of one customer are reached through
 * `shardFor`. Today there is one shard.
 */
import type { Runtime } from './runtime.ts';

export interface Shard {
  readonly name: string;
  readonly db: D1Database;
}

const MAIN = 'main';

/** The database that holds this customer's profile, events and messages. */
export function shardFor(runtime: Runtime, _customerId: string): Shard {
  return { name: MAIN, db: runtime.db };
}

/** The shard that a queue pointer names. */
export function shardNamed(runtime: Runtime, name: string): Shard {
  return { name, db: runtime.db };
}

/** Every shard, for work that belongs to no single customer: sweeps, lists, configuration. */
export function allShards(runtime: Runtime): readonly Shard[] {
  return [{ name: MAIN, db: runtime.db }];
}

/** Splits items by the shard of their customer, keeping their order within a shard. */
export function groupByShard<T>(
  runtime: Runtime,
  items: readonly T[],
  customerOf: (item: T) => string,
): readonly { readonly shard: Shard; readonly items: readonly T[] }[] {
  const groups = new Map<string, { shard: Shard; items: T[] }>();
  for (const item of items) {
    const shard = shardFor(runtime, customerOf(item));
    const group = groups.get(shard.name);
    if (group) group.items.push(item);
    else groups.set(shard.name, { shard, items: [item] });
  }
  return [...groups.values()];
}
