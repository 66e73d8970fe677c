/** Routes that exist only where DEMO is set: the demo page, the sandbox phone's inbox, and replies from that phone. */
import { Hono } from 'hono';
import { createMiddleware } from 'hono/factory';
import { z } from 'zod';
import { sandboxInbox } from '../delivery/sandbox/inbox.ts';
import { behaviourOf, TEST_NUMBERS } from '../delivery/sandbox/numbers.ts';
import { replyFrom } from '../delivery/sandbox/replies.ts';
import { readPhone } from '../domain/phone.ts';
import { text } from '../platform/fields.ts';
import { type AppEnv, queryInt } from '../platform/http.ts';
import { readJson } from '../platform/json.ts';
import { Problem } from '../platform/problem.ts';
import { parse } from '../platform/validate.ts';
import script from './demo.client.js';
import style from './demo.css';
import page from './demo.html';
import decisionScript from './demo-decision.client.js';
import decisionStyle from './demo-decision.css';
import formStyle from './demo-form.css';
import kitScript from './demo-kit.client.js';
import ownFormScript from './demo-own-form.client.js';
import phoneScript from './demo-phone.client.js';
import phoneStyle from './demo-phone.css';
import storiesScript from './demo-stories.client.js';
import syncScript from './demo-sync.client.js';
import syncStyle from './demo-sync.css';
import { formPages } from './form-page.ts';

const demoOnly = createMiddleware<AppEnv>(async (c, next) => {
  if (!c.var.runtime.config.demo) throw new Problem(404, 'There is nothing here.');
  await next();
});

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

export const demoRoutes = new Hono<AppEnv>();

demoRoutes.get('/', demoOnly, (c) => c.html(page, 200, HEADERS));
for (const [name, text] of Object.entries({
  'demo.css': style,
  'demo-form.css': formStyle,
  'demo-phone.css': phoneStyle,
  'demo-decision.css': decisionStyle,
  'demo-sync.css': syncStyle,
  'demo.js': script,
  'demo-kit.js': kitScript,
  'demo-phone.js': phoneScript,
  'demo-stories.js': storiesScript,
  'demo-decision.js': decisionScript,
  'demo-sync.js': syncScript,
  'demo-own-form.js': ownFormScript,
})) {
  const type = name.endsWith('.css') ? 'text/css' : 'text/javascript';
  demoRoutes.get(`/${name}`, demoOnly, (c) =>
    c.body(text, 200, { ...HEADERS, 'content-type': `${type}; charset=utf-8` }),
  );
}

/** The form of docs/sources/form.md on a page of its own. */
demoRoutes.use('/sandbox/forms/*', demoOnly);
demoRoutes.route('/sandbox/forms', formPages);

/** What the sandbox carrier accepted, newest first; for one number or for all. */
demoRoutes.get('/sandbox/messages', demoOnly, async (c) => {
  const to = c.req.query('to');
  // A plus sign in a query string means a space; people write ?to=+1415… all the same.
  const number = to === undefined ? null : readPhone(to.replace(/^ /, '+')).e164;
  if (to !== undefined && number === null) throw new Problem(422, 'to must be a phone number in E.164.');
  return c.json(await sandboxInbox(c.var.runtime.db, number, queryInt(c, 'limit', 50, 1, 500)));
});

const reply = z.strictObject({
  from: text().refine((number) => readPhone(number).e164 !== null, 'must be a phone number'),
  to: text().min(3).max(16).optional(),
  text: text().min(1, 'must not be empty').max(1600, 'must have at most 1600 characters'),
});

/** Somebody answers from the sandbox phone; the carrier passes it on through the real callback route. */
demoRoutes.post('/sandbox/replies', demoOnly, async (c) => {
  const { from, to, text } = parse(reply, await readJson(c.req.raw));
  return await replyFrom(c.var.runtime, from, text, to);
});

/** The numbers at which the sandbox carrier misbehaves, and how. */
demoRoutes.get('/sandbox/numbers', demoOnly, (c) =>
  c.json(Object.entries(TEST_NUMBERS).map(([number, { summary }]) => ({ number, summary }))),
);

/** What a number does at the sandbox carrier. */
demoRoutes.get('/sandbox/numbers/:number', demoOnly, (c) => c.json(behaviourOf(c.req.param('number'))));
