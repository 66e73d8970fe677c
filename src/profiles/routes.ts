/** `/v1/profiles`: look one up, set one. */
import { Hono } from 'hono';
import { type AccessEnv, requires } from '../access/requires.ts';
import { reservedName } from '../domain/attributes.ts';
import { isJsonObject, readJson } from '../platform/json.ts';
import { invalid, Problem } from '../platform/problem.ts';
import { shardFor } from '../platform/shard.ts';
import { foundInvalid, readFindings } from './findings.ts';
import { profileJson } from './profile.ts';
import { OWN_FIELDS, readRecord } from './record.ts';
import { readProfile, upsertProfiles } from './store.ts';

export const profileRoutes = new Hono<AccessEnv>();

profileRoutes.get('/:id', requires('read'), async (c) => {
  const id = c.req.param('id');
  const profile = await shown(shardFor(c.var.runtime, id).db, id);
  if (!profile) throw new Problem(404, 'There is no profile of this customer.');
  return c.json(profile);
});

/** Sets the whole profile: what is left out is missing from then on. */
profileRoutes.put('/:id', requires('admin'), async (c) => {
  const { runtime, caller } = c.var;
  const id = c.req.param('id');
  const body = await readJson(c.req.raw);
  if (!isJsonObject(body)) {
    throw invalid([{ path: '(body)', message: 'must be a JSON object' }]);
  }
  if ('customer_id' in body && body.customer_id !== id) {
    throw invalid([{ path: 'customer_id', message: 'differs from the id in the URL; leave it out' }]);
  }
  const unknown = Object.keys(body).filter((key) => !isKnown(key));
  if (unknown.length > 0) {
    throw invalid(
      unknown.map((path) => ({ path, message: 'is not a known field; put it into "attributes"' })),
    );
  }
  const defaults = { updatedAt: runtime.now(), defaultCountry: caller.defaultCountry };
  const parsed = readRecord({ ...body, customer_id: id }, defaults);
  if (!parsed.ok) throw invalid(parsed.errors);
  const { db } = shardFor(runtime, id);
  const { stale } = await upsertProfiles(db, [parsed.profile], runtime.now());
  if (stale > 0) throw new Problem(409, 'A newer profile is stored; updated_at lies before its time.');
  return c.json(await shown(db, id));
});

async function shown(db: D1Database, id: string): Promise<Record<string, unknown> | null> {
  const row = await readProfile(db, id);
  return row && profileJson(row, foundInvalid(row, await readFindings(db, [row.e164])));
}

function isKnown(key: string): boolean {
  return reservedName(key) !== null || OWN_FIELDS.has(key);
}
