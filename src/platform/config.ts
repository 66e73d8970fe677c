/** The Worker's settings, read once from the environment and checked early, with every unit in the name. */
import { z } from 'zod';

// workerd forbids code generation; zod then need not try.
z.config({ jitless: true });

/** Bindings and variables. What a deployment never has by default is optional. */
export interface Bindings extends Env {
  /** "1" serves the demo page, the sandbox inbox and the key `ot_demo`. */
  readonly DEMO?: string;
  /** `whsec_…`: signs the sandbox carrier's callbacks (Standard Webhooks). */
  readonly CALLBACK_SECRET?: string;
  /** Messages per second of each sender that has no pace of its own; no limit where it is not set. */
  readonly SENDER_MPS?: string;
  /** Where this Worker is reached from outside: the base of opt-out links. */
  readonly PUBLIC_URL?: string;
}

const seconds = z.coerce.number().positive().max(86_400);
const schema = z
  .object({
    PROVIDER: z.string().trim().min(1).default('sandbox'),
    SENDER_MPS: z.coerce.number().positive().max(1000).optional(),
    FEED_PREFIX: z.string().default('profiles/'),
    SYNC_TICK_SECONDS: seconds.default(20),
    SYNC_TICK_SUBREQUESTS: z.coerce.number().int().min(20).max(1_000_000).default(700),
    SYNC_TICK_ROWS: z.coerce.number().int().min(1).max(1_000_000_000).default(1_000_000),
    SYNC_CHUNK_ROWS: z.coerce.number().int().min(1).max(20_000).default(5000),
    LEASE_SECONDS: seconds.default(120),
    PROVIDER_TIMEOUT_MS: z.coerce.number().int().min(10).max(60_000).default(10_000),
    SWEEP_GRACE_SECONDS: seconds.default(60),
    RECONCILE_SECONDS: seconds.default(30),
    MAX_ATTEMPTS: z.coerce.number().int().min(1).max(50).default(8),
    RETRY_BASE_MS: z.coerce.number().int().min(1).max(600_000).default(2000),
    PROFILE_READS: z.enum(['primary', 'nearest']).default('primary'),
    PUSH_MAX_BYTES: z.coerce.number().int().min(1).max(4_500_000_000).default(500_000_000),
    DEMO: z.string().optional(),
    CALLBACK_SECRET: z.string().startsWith('whsec_').optional(),
    OPT_OUT_SCOPE: z.enum(['all', 'marketing']).default('all'),
    PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  })
  .refine((vars) => vars.PROVIDER_TIMEOUT_MS * 2 <= vars.LEASE_SECONDS * 1000, {
    message:
      'LEASE_SECONDS must be at least twice PROVIDER_TIMEOUT_MS: a lease must outlive the calls made under it',
  });

export interface Config {
  /** The route of campaigns that name no providers: tried in this order. */
  readonly providers: readonly string[];
  /** Messages per second of a sender without a pace of its own; `null`: no limit. */
  readonly senderMps: number | null;
  readonly feedPrefix: string;
  /** What one tick of the profile sync may use; then the run goes on at the next one. Rows stand in for CPU time. */
  readonly syncTickMs: number;
  readonly syncTickSubrequests: number;
  readonly syncTickRows: number;
  /** Rows of one transaction of the profile sync. */
  readonly syncChunkRows: number;
  readonly leaseMs: number;
  readonly providerTimeoutMs: number;
  readonly sweepGraceMs: number;
  readonly reconcileMs: number;
  readonly maxAttempts: number;
  readonly retryBaseMs: number;
  /** Where an event's profile is read: D1's primary, or the nearest replica. Consent is always read from the primary. */
  readonly profileReads: 'primary' | 'nearest';
  /** Of one `POST /v1/profiles/import`. R2 takes no larger object in one piece. */
  readonly pushMaxBytes: number;
  readonly demo: boolean;
  readonly callbackSecret: string | null;
  /** How far a STOP reaches. */
  readonly optOutScope: 'all' | 'marketing';
  /** Without a slash at its end. */
  readonly publicUrl: string | null;
}

const known = new WeakMap<object, Config>();

/** @throws ZodError naming every variable that is wrong; a Worker with wrong settings must not run. */
export function readConfig(env: Bindings): Config {
  const cached = known.get(env);
  if (cached) return cached;
  const vars = schema.parse(env);
  const config: Config = {
    providers: vars.PROVIDER.split(/[\s,]+/).filter((name) => name !== ''),
    senderMps: vars.SENDER_MPS ?? null,
    feedPrefix: vars.FEED_PREFIX,
    syncTickMs: vars.SYNC_TICK_SECONDS * 1000,
    syncTickSubrequests: vars.SYNC_TICK_SUBREQUESTS,
    syncTickRows: vars.SYNC_TICK_ROWS,
    syncChunkRows: vars.SYNC_CHUNK_ROWS,
    leaseMs: vars.LEASE_SECONDS * 1000,
    providerTimeoutMs: vars.PROVIDER_TIMEOUT_MS,
    sweepGraceMs: vars.SWEEP_GRACE_SECONDS * 1000,
    reconcileMs: vars.RECONCILE_SECONDS * 1000,
    maxAttempts: vars.MAX_ATTEMPTS,
    retryBaseMs: vars.RETRY_BASE_MS,
    profileReads: vars.PROFILE_READS,
    pushMaxBytes: vars.PUSH_MAX_BYTES,
    demo: vars.DEMO === '1',
    callbackSecret: vars.CALLBACK_SECRET ?? null,
    optOutScope: vars.OPT_OUT_SCOPE,
    publicUrl: vars.PUBLIC_URL?.replace(/\/+$/, '') ?? null,
  };
  known.set(env, config);
  return config;
}
