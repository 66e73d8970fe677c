/** What is wrong with delivery, for `/health`: names, codes and counts, never a secret. */
import { maskText } from '../domain/mask.ts';
import { ledgerHealth, type Reliance, relianceOfCampaigns } from '../ledger/health.ts';
import type { SenderPause } from '../ledger/senders.ts';
import { log } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import { allShards } from '../platform/shard.ts';
import { iso } from '../platform/sql.ts';
import { missingSettings } from './providers/index.ts';

/** An outcome that is unknown for longer than this is worth a look. */
const UNKNOWN_MS = 15 * 60_000;
/** A receipt that found no message by then did not just come early. */
const UNMATCHED_MS = 5 * 60_000;

type PausedSender = Omit<SenderPause, 'since' | 'probe_at'> & {
  readonly since: string | null;
  readonly tried_again_at: string | null;
};

export interface Health {
  readonly status: 'ok' | 'degraded';
  readonly database: 'ok';
  /** By provider of the default route or of a live campaign, and for `opt_out_links`: names of variables and secrets not set. */
  readonly missing_settings: Readonly<Record<string, readonly string[]>>;
  readonly paused_senders: readonly PausedSender[];
  readonly resting_providers: readonly Readonly<Record<string, string | number>>[];
  readonly unknown_outcomes: { readonly older_than_15_minutes: number; readonly never_to_be_known: number };
  readonly unmatched_receipts: number;
  readonly messages_without_provider: number;
}

/** @throws where the database cannot be reached. */
export async function deliveryHealth(runtime: Runtime): Promise<Health> {
  const now = runtime.now();
  const shards = await Promise.all(
    allShards(runtime).map((shard) => ledgerHealth(shard.db, now - UNKNOWN_MS, now - UNMATCHED_MS)),
  );
  const sum = (count: (shard: (typeof shards)[number]) => number): number =>
    shards.reduce((total, shard) => total + count(shard), 0);
  const found = {
    missing_settings: await missingOfAll(runtime),
    paused_senders: shards
      .flatMap(({ pauses }) => pauses)
      .map(({ since, probe_at, ...pause }) => ({
        ...pause,
        since: iso(since),
        tried_again_at: iso(probe_at),
      })),
    resting_providers: shards
      .flatMap(({ resting }) => resting)
      .map(({ provider, opens, open_since, open_until }) => ({
        provider,
        times_in_a_row: opens,
        since: iso(open_since),
        tried_again_at: iso(open_until),
      })),
    unknown_outcomes: {
      older_than_15_minutes: sum(({ unknown }) => unknown.older),
      never_to_be_known: sum(({ unknown }) => unknown.unknowable),
    },
    unmatched_receipts: sum(({ unmatchedReceipts }) => unmatchedReceipts),
    messages_without_provider: sum(({ withoutProvider }) => withoutProvider),
  };
  const well =
    Object.keys(found.missing_settings).length === 0 &&
    found.paused_senders.length === 0 &&
    found.resting_providers.length === 0 &&
    found.unknown_outcomes.older_than_15_minutes === 0 &&
    found.unmatched_receipts === 0 &&
    found.messages_without_provider === 0;
  return { status: well ? 'ok' : 'degraded', database: 'ok', ...found };
}

/** What anybody may see: whose number a sender is, is nobody's business without a key. */
export function withoutNumbers(health: Health): Health {
  const masked = health.paused_senders.map((pause) => ({
    ...pause,
    sender: pause.sender === '*' ? '*' : maskText(pause.sender),
  }));
  return { ...health, paused_senders: masked };
}

const said = new WeakSet<object>();

/**
 * Says once, at the start, by name only, what is not set: for the configured providers, for those of live campaigns and for
 * opt-out links. Where the database cannot be asked, the next start of a Worker, and /health, name the campaigns' part.
 */
export function nameMissingSettings(runtime: Runtime): void {
  if (said.has(runtime.config)) return;
  said.add(runtime.config);
  runtime.background(
    missingOfAll(runtime)
      .catch(() => missingFor(runtime, NOTHING_LIVE))
      .then((missing) => {
        for (const [part, names] of Object.entries(missing))
          log('error', 'settings.missing', { part, names: names.join(' ') });
      }),
  );
}

const NOTHING_LIVE: Reliance = { providers: [], links: false };

async function missingOfAll(runtime: Runtime): Promise<Record<string, readonly string[]>> {
  return missingFor(runtime, await relianceOfCampaigns(runtime.db));
}

function missingFor(runtime: Runtime, live: Reliance): Record<string, readonly string[]> {
  const providers = [...new Set([...runtime.config.providers, ...live.providers])];
  const missing = providers.map((name) => [name, missingSettings(runtime, name)] as const);
  return Object.fromEntries(
    [...missing, ['opt_out_links', missingForLinks(runtime, live.links)] as const].filter(
      ([, names]) => names.length > 0,
    ),
  );
}

/** A link needs both; a secret without an address makes none. PUBLIC_URL alone is no fault: reports need it, too. */
function missingForLinks({ variable }: Runtime, used: boolean): readonly string[] {
  if (!used && variable('OPT_OUT_SECRET') === undefined) return [];
  return ['PUBLIC_URL', 'OPT_OUT_SECRET'].filter((name) => variable(name) === undefined);
}
