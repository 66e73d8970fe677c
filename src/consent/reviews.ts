/**
 * `/v1/consent/reviews`: texts that were read in doubt and counted as an opt-out of marketing. A person settles each with
 * a record of its own; the doubtful one stays as it was.
 */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import { CONSENT_SCOPES } from '../domain/consent-scope.ts';
import { queryInt } from '../platform/http.ts';
import { readJson } from '../platform/json.ts';
import { invalid, Problem } from '../platform/problem.ts';
import { retryIdempotent } from '../platform/retry.ts';
import { parse } from '../platform/validate.ts';
import { type ConsentRecordRow, recordJson } from './history.ts';
import { type ConsentChange, optOutStatements, recordOf } from './suppressions.ts';

/** The record that settles `con_x` is `rev_x`: there can be but one. */
const settledBy = (id: string): string => `'rev_' || substr(${id}, 5)`;

export const REVIEW_SQL = {
  open: `SELECT r.id, r.number, r.kind, r.scope, r.origin, r.note, r.message_id, r.source_id, r.evidence, r.review, r.at
    FROM consent_records r WHERE r.review = 1 AND (r.at, r.id) < (?1, ?2)
      AND NOT EXISTS (SELECT 1 FROM consent_records s WHERE s.id = ${settledBy('r.id')})
    ORDER BY r.at DESC, r.id DESC LIMIT ?3`,
  read: `SELECT *, EXISTS (SELECT 1 FROM consent_records s WHERE s.id = ${settledBy('r.id')}) AS settled
    FROM consent_records r WHERE r.id = ?1 AND r.review = 1`,
  /** Lifts only what this one record (`?2`) did: where no other opt-out of that person stands beside it. */
  lift: `DELETE FROM suppressions WHERE number = ?1 AND scope = 'marketing'
    AND NOT EXISTS (SELECT 1 FROM consent_records WHERE id = ?3)
    AND NOT EXISTS (SELECT 1 FROM consent_records o WHERE o.number = ?1 AND o.kind = 'opt_out' AND o.id <> ?2
      AND NOT EXISTS (SELECT 1 FROM consent_records s WHERE s.id = ${settledBy('o.id')} AND s.kind = 'opt_in')
      AND o.at > (SELECT coalesce(max(i.at), 0) FROM consent_records i
        WHERE i.number = ?1 AND i.kind = 'opt_in' AND i.origin <> 'review'))`,
} as const;

const fields = z.strictObject({
  verdict: z.enum(['opt_out', 'not_an_opt_out'], 'must be "opt_out" or "not_an_opt_out"'),
  scope: z.enum(CONSENT_SCOPES, 'must be "all" or "marketing"').optional(),
  note: z.string('must be a string').max(500, 'must have at most 500 characters').optional(),
});

export const reviewRoutes = new Hono<AccessEnv>();

/** What nobody has settled yet, newest first. */
reviewRoutes.get('/', requires('read'), async (c) => {
  const limit = queryInt(c, 'limit', 50, 1, 200);
  const cursor = c.req.query('cursor');
  const [, at, id] = /^(\d{1,15})-(con_[0-9a-f]{32})$/.exec(cursor ?? '') ?? [];
  if (cursor !== undefined && at === undefined)
    throw invalid([{ path: 'cursor', message: 'must be the next_cursor of the previous page' }]);
  const { results } = await c.var.runtime.db
    .prepare(REVIEW_SQL.open)
    .bind(Number(at ?? Number.MAX_SAFE_INTEGER), id ?? '', limit)
    .all<ConsentRecordRow>();
  const last = results.at(-1);
  const next = last && results.length === limit ? `${last.at}-${last.id}` : null;
  return c.json({ reviews: results.map(recordJson), next_cursor: next });
});

/** Settles one: `opt_out` confirms it, with a wider scope where given; `not_an_opt_out` takes back what it did. */
reviewRoutes.post('/:id', requires('admin'), async (c) => {
  const { runtime, caller } = c.var;
  const { db } = runtime;
  const id = c.req.param('id');
  const { verdict, scope, note } = parse(fields, await readJson(c.req.raw));
  const row = await db
    .prepare(REVIEW_SQL.read)
    .bind(id)
    .first<ConsentRecordRow & { readonly settled: number }>();
  if (!row) throw new Problem(404, 'There is no review with this id; see GET /v1/consent/reviews.');
  if (row.settled === 1) throw new Problem(409, 'This review is settled already.');

  const recordId = `rev_${id.slice(4)}`;
  const change: ConsentChange = {
    ...{ number: row.number, origin: 'review', note: note ?? null, messageId: row.message_id },
    ...{ sourceId: caller.id, evidence: { settles: id, verdict }, scope: scope ?? row.scope },
    // A confirmation says nothing newer than the person did, so that an opt-in in between stands.
    at: verdict === 'opt_out' ? row.at : runtime.now(),
  };
  const statements =
    verdict === 'opt_out'
      ? optOutStatements(db, change, recordId)
      : [
          db.prepare(REVIEW_SQL.lift).bind(row.number, id, recordId),
          recordOf(db, 'opt_in', recordId, change),
        ];
  await retryIdempotent(() => db.batch(statements));
  return c.json({ id, verdict, record_id: recordId });
});
