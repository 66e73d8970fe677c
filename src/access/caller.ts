/**
 * Callers: who calls, known by the SHA-256 of a bearer key. Keys are random (256 bits), so a plain hash suffices.
 *
 * D1 is the truth; KV repeats it, so that an event costs no D1 round trip for its key. `npm run key` alone writes and
 * deletes KV entries, along with the row: no request can put back what was revoked, and a revoked key works for no longer
 * than the minute that KV needs to tell the world. The demo key exists only where the variable DEMO says so, and is
 * stored nowhere.
 */
import { z } from 'zod';
import type { CountryCode } from '../domain/phone.ts';
import { sha256Hex } from '../platform/ids.ts';
import { Problem } from '../platform/problem.ts';
import type { Runtime } from '../platform/runtime.ts';

export const SCOPES = ['ingest', 'read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Caller {
  readonly id: string;
  readonly scopes: readonly Scope[];
  readonly defaultCountry: CountryCode | undefined;
}

export const KEY_SQL = `SELECT id, scopes, default_country FROM api_keys WHERE key_hash = ?1 AND revoked_at IS NULL`;

/** How long an edge may serve a KV entry without asking again. */
const EDGE_SECONDS = 60;
const DEMO_CALLER: Caller = { id: 'demo', scopes: SCOPES, defaultCountry: undefined };
const DEMO_KEY = 'ot_demo';

const cachedCaller = z.object({
  id: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  default_country: z.string().nullable(),
});

/** The caller behind a request. @throws Problem 401 without a known key, 403 where the key lacks the scope. */
export async function authenticate(
  runtime: Runtime,
  authorization: string | undefined,
  scope: Scope,
): Promise<Caller> {
  const key = /^Bearer ([\x21-\x7e]{1,200})$/i.exec(authorization ?? '')?.[1];
  if (key === undefined) throw unauthenticated('Send the header "authorization: Bearer <key>".');
  const caller = runtime.config.demo && key === DEMO_KEY ? DEMO_CALLER : await findCaller(runtime, key);
  if (!caller) throw unauthenticated('This key is not known, or it was revoked.');
  if (!caller.scopes.includes(scope)) throw new Problem(403, `This key lacks the scope "${scope}".`);
  return caller;
}

/** For answers that say more to who may know more: whether the request has a key with the scope. A wrong key is none. */
export async function holdsKey(
  runtime: Runtime,
  authorization: string | undefined,
  scope: Scope,
): Promise<boolean> {
  try {
    if (authorization !== undefined) return (await authenticate(runtime, authorization, scope)) !== undefined;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
  return false;
}

async function findCaller(runtime: Runtime, key: string): Promise<Caller | null> {
  const hash = await sha256Hex(key);
  const cached = await runtime.cache.get(`key:${hash}`, { type: 'json', cacheTtl: EDGE_SECONDS });
  const known = cachedCaller.safeParse(cached);
  if (known.success) return toCaller(known.data);

  const row = await runtime.db
    .prepare(KEY_SQL)
    .bind(hash)
    .first<{ id: string; scopes: string; default_country: string | null }>();
  if (!row) return null;
  return toCaller(cachedCaller.parse({ ...row, scopes: JSON.parse(row.scopes) as unknown }));
}

function toCaller(row: z.output<typeof cachedCaller>): Caller {
  return {
    id: row.id,
    scopes: row.scopes,
    defaultCountry: (row.default_country ?? undefined) as CountryCode | undefined,
  };
}

function unauthenticated(detail: string): Problem {
  return new Problem(401, detail, { headers: { 'www-authenticate': 'Bearer' } });
}
