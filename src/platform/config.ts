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
}

const seconds = z.coerce.number().positive().max(86_400);
const schema = z
  .object({
    PROVIDER: z.string().default('sandbox'),
    FEED_PREFIX: z.string().default('profiles/'),
    LEASE_SECONDS: seconds.default(120),
    PROVIDER_TIMEOUT_MS: z.coerce.number().int().min(10).max(60_000).default(10_000),
    SWEEP_GRACE_SECONDS: seconds.default(60),
    RECONCILE_SECONDS: seconds.default(30),
    MAX_ATTEMPTS: z.coerce.number().int().min(1).max(50).default(8),
    RETRY_BASE_MS: z.coerce.number().int().min(1).max(600_000).default(2000),
    PUSH_MAX_BYTES: z.coerce.number().int().min(1).max(4_500_000_000).default(500_000_000),
    DEMO: z.string().optional(),
    CALLBACK_SECRET: z.string().startsWith('whsec_').optional(),
  })
  .refine((vars) => vars.PROVIDER_TIMEOUT_MS * 2 <= vars.LEASE_SECONDS * 1000, {
    message:
      'LEASE_SECONDS must be at least twice PROVIDER_TIMEOUT_MS: a lease must outlive the calls made under it',
  });

export interface Config {
  readonly provider: string;
  readonly feedPrefix: string;
  readonly leaseMs: number;
  readonly providerTimeoutMs: number;
  readonly sweepGraceMs: number;
  readonly reconcileMs: number;
  readonly maxAttempts: number;
  readonly retryBaseMs: number;
  /** Of one `POST /v1/profiles/import`. R2 takes no larger object in one piece. */
  readonly pushMaxBytes: number;
  readonly demo: boolean;
  readonly callbackSecret: string | null;
}

const known = new WeakMap<object, Config>();

/** @throws ZodError naming every variable that is wrong; a Worker with wrong settings must not run. */
export function readConfig(env: Bindings): Config {
  const cached = known.get(env);
  if (cached) return cached;
  const vars = schema.parse(env);
  const config: Config = {
    provider: vars.PROVIDER,
    feedPrefix: vars.FEED_PREFIX,
    leaseMs: vars.LEASE_SECONDS * 1000,
    providerTimeoutMs: vars.PROVIDER_TIMEOUT_MS,
    sweepGraceMs: vars.SWEEP_GRACE_SECONDS * 1000,
    reconcileMs: vars.RECONCILE_SECONDS * 1000,
    maxAttempts: vars.MAX_ATTEMPTS,
    retryBaseMs: vars.RETRY_BASE_MS,
    pushMaxBytes: vars.PUSH_MAX_BYTES,
    demo: vars.DEMO === '1',
    callbackSecret: vars.CALLBACK_SECRET ?? null,
  };
  known.set(env, config);
  return config;
}
