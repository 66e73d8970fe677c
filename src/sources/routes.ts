/** `/v1/sources`: setting up the tools and pages that fire webhooks, trying them, and seeing what became of their deliveries. */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import { slug } from '../platform/fields.ts';
import { calledUrl } from '../platform/http.ts';
import { readJson } from '../platform/json.ts';
import { Problem } from '../platform/problem.ts';
import type { Runtime } from '../platform/runtime.ts';
import { iso } from '../platform/sql.ts';
import { parse } from '../platform/validate.ts';
import { forgetSource } from './cache.ts';
import { lastDeliveries } from './deliveries.ts';
import { type Source, sourceFields } from './source.ts';
import { deleteSource, listSources, readSource, writeSource } from './store.ts';
import { tryFields, trySource } from './try.ts';

export const sourceRoutes = new Hono<AccessEnv>();

sourceRoutes.get('/', requires('read'), async (c) =>
  c.json({
    sources: (await listSources(c.var.runtime)).map((source) => sourceJson(c.var.runtime, source, c.req.url)),
  }),
);

sourceRoutes.get('/:id', requires('read'), async (c) =>
  c.json(sourceJson(c.var.runtime, await existing(c.var.runtime, c.req.param('id')), c.req.url)),
);

sourceRoutes.put('/:id', requires('admin'), async (c) => {
  const { runtime } = c.var;
  const { id } = parse(z.object({ id: slug }), { id: c.req.param('id') });
  const fields = parse(sourceFields, await readJson(c.req.raw));
  const { publishableKey } = await writeSource(runtime, id, fields);
  forgetSource(id);
  const source = sourceJson(runtime, await existing(runtime, id), c.req.url);
  return c.json(publishableKey === null ? source : { ...source, publishable_key: publishableKey });
});

sourceRoutes.delete('/:id', requires('admin'), async (c) => {
  const id = c.req.param('id');
  forgetSource(id);
  if (!(await deleteSource(c.var.runtime.db, id))) throw notFound();
  return c.body(null, 204);
});

sourceRoutes.post('/:id/test', requires('read'), async (c) => {
  const { runtime } = c.var;
  const source = await existing(runtime, c.req.param('id'));
  return c.json(await trySource(runtime, source, parse(tryFields, await readJson(c.req.raw)), c.req.url));
});

sourceRoutes.get('/:id/deliveries', requires('read'), async (c) => {
  const source = await existing(c.var.runtime, c.req.param('id'));
  return c.json({ deliveries: await lastDeliveries(c.var.runtime.db, source.id) });
});

async function existing(runtime: Runtime, id: string): Promise<Source> {
  const source = await readSource(runtime, id);
  if (!source) throw notFound();
  return source;
}

/** A source as it may be shown. Secrets go in and never come out. */
function sourceJson(runtime: Runtime, source: Source, requestUrl: string): Record<string, unknown> {
  return {
    id: source.id,
    kind: source.kind,
    name: source.name,
    url: calledUrl(new URL(`/in/${source.id}`, requestUrl).href, runtime.variable('PUBLIC_URL')),
    secrets: source.fingerprints.map((fingerprint) => ({ fingerprint })),
    ...(source.secrets === null && {
      warning: 'SOURCES_KEY does not open these secrets: deliveries are refused.',
    }),
    event_type: source.eventType,
    mapping: source.mapping,
    default_country: source.defaultCountry,
    vouches: source.vouches,
    allowed_origins: source.allowedOrigins,
    rate: source.rate,
    countries: source.countries,
    options: source.options,
    tolerance_seconds: source.toleranceSeconds,
    publishable_key_set: source.publishableHash !== null,
    state: source.state,
    updated_at: iso(source.updatedAt),
  };
}

function notFound(): Problem {
  return new Problem(404, 'There is no source with this id; see GET /v1/sources.');
}
