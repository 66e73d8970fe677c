/** `/in/{source}`: where tools and pages post. Each proves itself in its own way; no API key is asked for. */
import { type Context, Hono } from 'hono';
import type { AppEnv } from '../platform/http.ts';
import { Problem } from '../platform/problem.ts';
import { allowedOrigin, corsHeaders } from './browser.ts';
import { cachedSource } from './cache.ts';
import { receive } from './receive.ts';

/** Preflights are asked for again after this time. Unit: seconds. */
const PREFLIGHT_SECONDS = 600;

export const inRoutes = new Hono<AppEnv>();

inRoutes.post('/:source', async (c) =>
  receive(c.var.runtime, c.req.param('source'), null, c.req.raw, c.var.requestId),
);

/** With the publishable key of a page in the address, for forms that are posted without a script. */
inRoutes.post('/:source/:key', async (c) =>
  receive(c.var.runtime, c.req.param('source'), c.req.param('key'), c.req.raw, c.var.requestId),
);

inRoutes.options('/:source', async (c) => options(c, c.req.param('source')));
inRoutes.options('/:source/:key', async (c) => options(c, c.req.param('source')));

/** A browser asks whether the page may post, or a CloudEvents sender whether it may deliver. */
async function options(c: Context<AppEnv>, id: string): Promise<Response> {
  const { runtime, requestId } = c.var;
  if (c.req.header('webhook-request-origin') !== undefined)
    return await receive(runtime, id, null, c.req.raw, requestId);
  const source = await cachedSource(runtime, id);
  if (!source) throw new Problem(404, 'There is no source of this name.');
  const isAllowed = source.kind === 'form' && allowedOrigin(source, c.req.raw.headers) !== null;
  if (!isAllowed)
    throw new Problem(403, 'Pages of this origin may not use this source; see its allowed_origins.');
  return new Response(null, {
    status: 204,
    headers: {
      ...corsHeaders(source, c.req.raw.headers),
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'content-type',
      'access-control-max-age': String(PREFLIGHT_SECONDS),
    },
  });
}
