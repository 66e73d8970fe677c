/** `/v1/suppressions`: opt-outs by hand, the explicit opt-in that lifts one, and what was said when. */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import { CONSENT_SCOPES } from '../domain/consent-scope.ts';
import type { CountryCode } from '../domain/phone.ts';
import { readPhone } from '../domain/phone.ts';
import { jsonObject } from '../platform/fields.ts';
import { queryInt } from '../platform/http.ts';
import { readOptionalJson } from '../platform/json.ts';
import { invalid, Problem } from '../platform/problem.ts';
import { parse } from '../platform/validate.ts';
import { listSuppressions, readHistory, readSuppression } from './history.ts';
import { optIn, optOut } from './suppressions.ts';

const MAX_EVIDENCE = 10_000;

const liftFields = z.strictObject({
  note: z.string('must be a string').max(500, 'must have at most 500 characters').optional(),
  origin: z.enum(['api', 'mail', 'call', 'web'], 'must be "api", "mail", "call" or "web"').default('api'),
  evidence: jsonObject
    .refine(
      (value) => JSON.stringify(value).length <= MAX_EVIDENCE,
      `must have at most ${MAX_EVIDENCE} characters as JSON`,
    )
    .optional(),
});
const optOutFields = liftFields.extend({
  scope: z.enum(CONSENT_SCOPES, 'must be "all" or "marketing"').default('all'),
});

export const suppressionRoutes = new Hono<AccessEnv>();

suppressionRoutes.get('/', requires('read'), async (c) => {
  const limit = queryInt(c, 'limit', 50, 1, 200);
  const { before, skip } = cursorOf(c.req.query('cursor'));
  const { suppressions, next } = await listSuppressions(c.var.runtime.db, limit, before, skip);
  return c.json({ suppressions, next_cursor: next });
});

/** What stands, and everything that was said; 404 only where nothing is known of the number. */
suppressionRoutes.get('/:number', requires('read'), async (c) => {
  const number = numberOf(c.req.param('number'), c.var.caller.defaultCountry);
  const history = await readHistory(c.var.runtime.db, number);
  if (!history) throw new Problem(404, 'Nobody has opted this number out or in.');
  return c.json(history);
});

suppressionRoutes.put('/:number', requires('admin'), async (c) => {
  const { runtime, caller } = c.var;
  const number = numberOf(c.req.param('number'), caller.defaultCountry);
  const { note, ...rest } = parse(optOutFields, await readOptionalJson(c.req.raw));
  await optOut(runtime.db, {
    ...{ number, note: note ?? null, at: runtime.now(), sourceId: caller.id },
    ...{ origin: rest.origin, scope: rest.scope, evidence: rest.evidence ?? null },
  });
  return c.json(await readHistory(runtime.db, number));
});

/** Stands for a new, explicit opt-in on this number, and is recorded as one. */
suppressionRoutes.delete('/:number', requires('admin'), async (c) => {
  const { runtime, caller } = c.var;
  const number = numberOf(c.req.param('number'), caller.defaultCountry);
  const { note, origin, evidence } = parse(liftFields, await readOptionalJson(c.req.raw));
  if (!(await readSuppression(runtime.db, number))) throw new Problem(404, 'This number has not opted out.');
  await optIn(runtime.db, {
    ...{ number, note: note ?? null, at: runtime.now(), sourceId: caller.id },
    ...{ origin, evidence: evidence ?? null },
  });
  return c.body(null, 204);
});

/** `1763971200000-2`: from this time on, but for two of that very millisecond. */
function cursorOf(text: string | undefined): { before: number; skip: number } {
  if (text === undefined) return { before: Number.MAX_SAFE_INTEGER, skip: 0 };
  const [, before, skip] = /^(\d{1,15})-(\d{1,9})$/.exec(text) ?? [];
  if (before === undefined || skip === undefined)
    throw invalid([{ path: 'cursor', message: 'must be the next_cursor of the previous page' }]);
  return { before: Number(before), skip: Number(skip) };
}

/** A number that was written as it came, such as a short code that said STOP, is found as it was written. */
function numberOf(text: string, defaultCountry: CountryCode | undefined): string {
  const { e164 } = readPhone(text, defaultCountry);
  if (e164 !== null) return e164;
  if (/^(\+\d{3,15}|\d{3,6})$/.test(text)) return text;
  throw invalid([{ path: 'number', message: 'must be a phone number such as +14155550123' }]);
}
