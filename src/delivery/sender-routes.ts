/** `/v1/senders`: who rests and why, how fast each may send, and letting one go on. */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import { readSenders, resumeSender, setPace } from '../ledger/senders.ts';
import { readJson } from '../platform/json.ts';
import { Problem } from '../platform/problem.ts';
import { iso } from '../platform/sql.ts';
import { parse } from '../platform/validate.ts';

const paceFields = z.strictObject({
  messages_per_second: z
    .number('must be a number of messages, or null for the default')
    .positive('must be more than 0')
    .max(1000, 'must be at most 1000')
    .nullable(),
});

export const senderRoutes = new Hono<AccessEnv>();

senderRoutes.get('/', requires('read'), async (c) => {
  const { db, config } = c.var.runtime;
  const { pauses, paces } = await readSenders(db);
  return c.json({
    paused: pauses.map(({ since, probe_at, ...pause }) => ({
      ...pause,
      since: iso(since),
      tried_again_at: iso(probe_at),
    })),
    paces,
    default_messages_per_second: config.senderMps,
  });
});

/** The sender goes on at this provider. One that was not paused is no error: the call may be repeated. */
senderRoutes.post('/:provider/:sender/resume', requires('admin'), async (c) => {
  const { provider, sender } = c.req.param();
  const resumed = await resumeSender(c.var.runtime.db, provider, sender);
  return c.json({ provider, sender, resumed });
});

senderRoutes.put('/:sender', requires('admin'), async (c) => {
  const sender = c.req.param('sender');
  if (!/^[A-Za-z0-9 +]{1,16}$/.test(sender))
    throw new Problem(422, 'This is no sender that a campaign could name.');
  const { messages_per_second } = parse(paceFields, await readJson(c.req.raw));
  await setPace(c.var.runtime.db, sender, messages_per_second);
  return c.json({ sender, messages_per_second });
});
