/** The Hono app: middleware, routes, error handler. */
import { Hono } from 'hono';
import { holdsKey } from './access/caller.ts';
import { callbackRoutes } from './callbacks/routes.ts';
import { campaignRoutes } from './campaigns/routes.ts';
import { linkRoutes } from './consent/link-routes.ts';
import { reviewRoutes } from './consent/reviews.ts';
import { suppressionRoutes } from './consent/routes.ts';
import { demoRoutes } from './console/demo-routes.ts';
import { deliveryHealth, nameMissingSettings, withoutNumbers } from './delivery/health.ts';
import { senderRoutes } from './delivery/sender-routes.ts';
import { decideWaitingAfter } from './ingress/decide-again.ts';
import { decisionRoutes } from './ingress/dry-run.ts';
import { eventRoutes } from './ingress/routes.ts';
import { messageRoutes } from './messages/routes.ts';
import type { AppEnv } from './platform/http.ts';
import { newId } from './platform/ids.ts';
import { errorText, log } from './platform/log.ts';
import { Problem } from './platform/problem.ts';
import { createRuntime } from './platform/runtime.ts';
import { policyRoutes } from './policies/routes.ts';
import { whatIfRoutes } from './policies/what-if-routes.ts';
import { pushRoutes } from './profiles/feeds/push.ts';
import { feedRoutes } from './profiles/feeds/routes.ts';
import { profileRoutes } from './profiles/routes.ts';
import { importDesk } from './profiles/sync/desk.ts';
import { syncRoutes } from './profiles/sync/routes.ts';
import { reportRoutes } from './reports/routes.ts';
import { inRoutes } from './sources/in-routes.ts';
import { sourceRoutes } from './sources/routes.ts';

/** A request id that a client may send; anything else is replaced. */
const REQUEST_ID = /^[\w.:-]{1,100}$/;

/** How D1 says that it cannot be reached or cannot read its storage. */
const DATABASE_ERROR = /^(D1_|internal error; reference)/;

export const app = new Hono<AppEnv>();

app.use(async (c, next) => {
  const given = c.req.header('x-request-id');
  const requestId = given !== undefined && REQUEST_ID.test(given) ? given : newId('req');
  c.set('requestId', requestId);
  const { env, executionCtx } = c;
  const background = (promise: Promise<unknown>): void => executionCtx.waitUntil(promise);
  const frontDoor = async (request: Request): Promise<Response> =>
    await app.fetch(request, env, executionCtx);
  const runtime = createRuntime(env, background, frontDoor);
  nameMissingSettings(runtime);
  c.set('runtime', runtime);
  await next();
  c.res.headers.set('x-request-id', requestId);
});

app.route('/v1/events', eventRoutes);
app.route('/v1/decisions', decisionRoutes);
app.route('/v1/messages', messageRoutes);
app.route('/v1/campaigns', campaignRoutes);
app.route('/v1/policies', policyRoutes);
app.route('/v1/policies', whatIfRoutes);
app.use('/v1/profiles/*', decideWaitingAfter);
app.use('/v1/sync/*', decideWaitingAfter);
app.route('/v1/profiles', profileRoutes);
app.route('/v1/profiles', pushRoutes(importDesk));
app.route('/v1/feeds', feedRoutes);
app.route('/v1/sync', syncRoutes);
app.route('/v1/reports', reportRoutes);
app.route('/v1/suppressions', suppressionRoutes);
app.route('/v1/senders', senderRoutes);
app.route('/v1/consent/reviews', reviewRoutes);
app.route('/v1/sources', sourceRoutes);
app.route('/in', inRoutes);
app.route('/o', linkRoutes);
app.route('/callbacks', callbackRoutes);
app.route('/', demoRoutes);

app.get('/health', async (c) => {
  const { runtime } = c.var;
  const health = await deliveryHealth(runtime);
  const whole = await holdsKey(runtime, c.req.header('authorization'), 'read');
  return c.json(whole ? health : withoutNumbers(health));
});

app.notFound((c) => {
  const allowed = methodsOf(c.req.path);
  const requestId = c.get('requestId');
  if (allowed.length === 0)
    return new Problem(404, 'There is nothing at this address.').toResponse(requestId);
  const allow = allowed.join(', ');
  return new Problem(405, `This address takes ${allow}.`, { headers: { allow } }).toResponse(requestId);
});

app.onError((error, c) => {
  const requestId = c.get('requestId');
  if (error instanceof Problem) return error.toResponse(requestId);
  log('error', 'request.failed', { request: requestId, path: routeOf(c.req.path), error: errorText(error) });
  const problem = DATABASE_ERROR.test(error.message)
    ? new Problem(503, 'The database cannot be reached at the moment. Send the same request again.', {
        headers: { 'retry-after': '2' },
      })
    : new Problem(
        500,
        'Something went wrong on our side. Nothing was half done; send the same request again.',
      );
  return problem.toResponse(requestId);
});

/** Methods of the routes that match a path: what a 405 offers. */
function methodsOf(path: string): string[] {
  const methods = app.routes
    .filter(
      (route) => route.method !== 'ALL' && new URLPattern({ pathname: route.path }).test({ pathname: path }),
    )
    .map((route) => route.method);
  return [...new Set(methods)].sort();
}

/** The first two segments of a path; what follows may be a customer or a number and stays out of the log. */
function routeOf(path: string): string {
  return path.split('/').slice(0, 3).join('/');
}
