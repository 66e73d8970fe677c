/** `/v1/messages`: the log, and one message with its decision and timeline. */
import { Hono } from 'hono';
import { type AccessEnv, requires } from '../access/requires.ts';
import { SYSTEM_POLICY } from '../consent/system-messages.ts';
import { MESSAGE_STATES, type MessageState } from '../domain/states.ts';
import { flowchartSvg } from '../flowchart/svg.ts';
import { queryInt } from '../platform/http.ts';
import { readOptionalJson } from '../platform/json.ts';
import { invalid, Problem } from '../platform/problem.ts';
import { layoutOf, svgResponse } from '../platform/svg.ts';
import { parse } from '../platform/validate.ts';
import { readPolicy } from '../policies/store.ts';
import { listMessages, readDecision, readMessage } from './log.ts';
import { replay, replayFields, retryFields, retryMessage } from './retry.ts';

export const messageRoutes = new Hono<AccessEnv>();

messageRoutes.get('/', requires('read'), async (c) => {
  const state = c.req.query('state');
  if (state !== undefined && !MESSAGE_STATES.includes(state as MessageState)) {
    throw invalid([{ path: 'state', message: `must be one of ${MESSAGE_STATES.join(', ')}` }]);
  }
  const limit = queryInt(c, 'limit', 50, 1, 200);
  const before = queryInt(c, 'cursor', Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER);
  const filters = {
    customer_id: c.req.query('customer_id'),
    campaign: c.req.query('campaign'),
    event_id: c.req.query('event_id'),
    state,
  };
  const { messages, next } = await listMessages(c.var.runtime.db, filters, limit, before);
  return c.json({ messages, next_cursor: next === null ? null : String(next) });
});

/** The decision tables as a flowchart, with the path of this decision lit. */
messageRoutes.get('/:id/flowchart.svg', requires('read'), async (c) => {
  const { db } = c.var.runtime;
  const decision = await readDecision(db, c.req.param('id'));
  if (decision?.policy.name === SYSTEM_POLICY)
    throw new Problem(404, 'This message comes from the system itself; no rules were asked.');
  const policy = decision && (await readPolicy(db, decision.policy.name, decision.policy.version));
  if (!decision || !policy) throw notFound();
  return svgResponse(
    c,
    flowchartSvg({ title: `Message ${c.req.param('id')}`, policy, decision, layout: layoutOf(c) }),
  );
});

messageRoutes.get('/:id', requires('read'), async (c) => {
  const message = await readMessage(c.var.runtime.db, c.req.param('id'));
  if (!message) throw notFound();
  return c.json(message);
});

/** Sends after all what surely was not sent. Anything else is answered, and left as it is. */
messageRoutes.post('/:id/retry', requires('admin'), async (c) => {
  const fields = parse(retryFields, await readOptionalJson(c.req.raw));
  const answer = await retryMessage(c.var.runtime, c.req.param('id'), fields);
  if (!answer) throw notFound();
  return c.json(answer);
});

messageRoutes.post('/replay', requires('admin'), async (c) =>
  c.json(await replay(c.var.runtime, parse(replayFields, await readOptionalJson(c.req.raw)))),
);

function notFound(): Problem {
  return new Problem(404, 'There is no message with this id; see GET /v1/messages.');
}
