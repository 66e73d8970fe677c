/** `POST /v1/policies/{name}/what-if`: recorded events under a draft, or under the stored policy of that name. */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import { slug, timestamp } from '../platform/fields.ts';
import { readOptionalJson } from '../platform/json.ts';
import { invalid, Problem } from '../platform/problem.ts';
import { parse } from '../platform/validate.ts';
import { draftPolicyFields } from './policy-fields.ts';
import { readPolicy } from './store.ts';
import { type Cursor, whatIf } from './what-if.ts';

const wholeNumber = (min: number, max: number) =>
  z
    .int(`must be a whole number from ${min} to ${max}`)
    .min(min, `must be at least ${min}`)
    .max(max, `must be at most ${max}`);

const fields = z.strictObject({
  draft: draftPolicyFields.optional(),
  from: timestamp.optional(),
  to: timestamp.optional(),
  campaign: slug.optional(),
  decided_under: slug.optional(),
  limit: wholeNumber(1, 50_000).default(10_000),
  samples: wholeNumber(0, 50).default(5),
  cursor: z.string('must be the next_cursor of the page before').max(100).optional(),
});

export const whatIfRoutes = new Hono<AccessEnv>();

whatIfRoutes.post('/:name/what-if', requires('read'), async (c) => {
  const { runtime } = c.var;
  const body = parse(fields, await readOptionalJson(c.req.raw));
  const name = c.req.param('name');
  const stored = await readPolicy(runtime.db, name);
  const document = body.draft ?? stored?.document;
  if (!document) {
    throw new Problem(404, 'There is no policy with this name; send a draft, or see GET /v1/policies.');
  }
  const from = body.from === undefined ? 0 : Date.parse(body.from);
  const to = body.to === undefined ? runtime.now() : Date.parse(body.to);
  if (from >= to) throw invalid([{ path: 'from', message: 'must lie before "to"' }]);

  const { next, ...page } = await whatIf(runtime.db, document, {
    from,
    to,
    cursor: body.cursor === undefined ? null : readCursor(body.cursor),
    events: body.limit,
    samples: body.samples,
    campaign: body.campaign,
    decidedUnder: body.decided_under,
  });
  return c.json({
    policy: name,
    draft: body.draft !== undefined,
    ...page,
    next_cursor: next && cursorText(next),
  });
});

function cursorText({ receivedAt, row }: Cursor): string {
  return `${receivedAt}.${row}`;
}

function readCursor(text: string): Cursor {
  const [, receivedAt, row] = /^(\d{1,15})\.(\d{1,15})$/.exec(text) ?? [];
  if (receivedAt === undefined || row === undefined) {
    throw invalid([{ path: 'cursor', message: 'must be the next_cursor of the page before' }]);
  }
  return { receivedAt: Number(receivedAt), row: Number(row) };
}
