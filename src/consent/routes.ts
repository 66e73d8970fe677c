/** `/v1/suppressions/{number}`: opt-outs by hand, and the explicit opt-in that lifts one. */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import type { CountryCode } from '../domain/phone.ts';
import { readPhone } from '../domain/phone.ts';
import { readOptionalJson } from '../platform/json.ts';
import { invalid, Problem } from '../platform/problem.ts';
import { parse } from '../platform/validate.ts';
import { optIn, optOut, readSuppression } from './suppressions.ts';

const fields = z.strictObject({
  note: z.string('must be a string').max(500, 'must have at most 500 characters').optional(),
});

export const suppressionRoutes = new Hono<AccessEnv>();

suppressionRoutes.get('/:number', requires('read'), async (c) => {
  const number = numberOf(c.req.param('number'), c.var.caller.defaultCountry);
  const suppression = await readSuppression(c.var.runtime.db, number);
  if (!suppression) throw new Problem(404, 'This number has not opted out.');
  return c.json(suppression);
});

suppressionRoutes.put('/:number', requires('admin'), async (c) => {
  const { runtime, caller } = c.var;
  const number = numberOf(c.req.param('number'), caller.defaultCountry);
  const { note } = parse(fields, await readOptionalJson(c.req.raw));
  await optOut(runtime.db, { number, origin: 'api', note: note ?? null, at: runtime.now() });
  return c.json(await readSuppression(runtime.db, number));
});

/** Stands for a new, explicit opt-in on this number, and is recorded as one. */
suppressionRoutes.delete('/:number', requires('admin'), async (c) => {
  const { runtime, caller } = c.var;
  const number = numberOf(c.req.param('number'), caller.defaultCountry);
  if (!(await readSuppression(runtime.db, number))) throw new Problem(404, 'This number has not opted out.');
  await optIn(runtime.db, { number, origin: 'api', note: null, at: runtime.now() });
  return c.body(null, 204);
});

function numberOf(text: string, defaultCountry: CountryCode | undefined): string {
  const { e164 } = readPhone(text, defaultCountry);
  if (e164 === null)
    throw invalid([{ path: 'number', message: 'must be a phone number such as +14155550123' }]);
  return e164;
}
