/** `/v1/reports`: what people who answer for the texts want to know. */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import { externalId, slug, timestamp } from '../platform/fields.ts';
import { queryInt } from '../platform/http.ts';
import { invalid } from '../platform/problem.ts';
import { parse } from '../platform/validate.ts';
import { type Cursor, RECONCILIATION_STATUSES, reconciliation } from './reconciliation.ts';

const DAY_MS = 86_400_000;
/** As far back as the report goes where it is not told. */
const DEFAULT_RANGE_DAYS = 30;

const filters = z.strictObject({
  campaign: slug.nullable().default(null),
  source: externalId.nullable().default(null),
  status: z
    .enum(RECONCILIATION_STATUSES, `must be one of ${RECONCILIATION_STATUSES.join(', ')}`)
    .nullable()
    .default(null),
  from: timestamp.optional(),
  to: timestamp.optional(),
  cursor: z
    .string()
    .regex(/^\d{1,15}\.\d{1,15}$/, 'must be the next_cursor of the page before')
    .optional(),
  days: z.string().optional(),
  limit: z.string().optional(),
});

export const reportRoutes = new Hono<AccessEnv>();

reportRoutes.get('/reconciliation', requires('read'), async (c) => {
  const now = c.var.runtime.now();
  const { from, to, cursor, campaign, source, status } = parse(filters, c.req.query());
  const end = to === undefined ? now + 1 : Date.parse(to);
  const begin = from === undefined ? end - DEFAULT_RANGE_DAYS * DAY_MS : Date.parse(from);
  if (begin >= end) throw invalid([{ path: 'from', message: 'must lie before "to"' }]);
  const days = queryInt(c, 'days', 7, 1, 365);
  const { next, ...page } = await reconciliation(c.var.runtime.db, {
    from: begin,
    to: end,
    cursor: cursor === undefined ? null : readCursor(cursor),
    events: queryInt(c, 'limit', 2000, 1, 20_000),
    days,
    now,
    campaign,
    source,
    status,
  });
  return c.json({ days, ...page, next_cursor: next && `${next.receivedAt}.${next.row}` });
});

function readCursor(text: string): Cursor {
  const [receivedAt = Number.NaN, row = Number.NaN] = text.split('.').map(Number);
  return { receivedAt, row };
}
