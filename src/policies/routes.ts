/** `/v1/policies`: presets, stored policies, their versions and the difference between two. */
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import { PRESETS, presetPolicy, STRICT } from '../domain/policy.ts';
import { flowchartSvg } from '../flowchart/svg.ts';
import { slug } from '../platform/fields.ts';
import { queryInt } from '../platform/http.ts';
import { readJson } from '../platform/json.ts';
import { Problem } from '../platform/problem.ts';
import { iso } from '../platform/sql.ts';
import { layoutOf, svgResponse } from '../platform/svg.ts';
import { parse } from '../platform/validate.ts';
import { policyFields } from './policy-fields.ts';
import { listPolicies, type PolicyVersion, policyVersions, readPolicy, writePolicy } from './store.ts';

export const policyRoutes = new Hono<AccessEnv>();

policyRoutes.get('/', requires('read'), async (c) => {
  const stored = await listPolicies(c.var.runtime.db);
  const presets = Object.entries(PRESETS).map(([name, { document, summary, when }]) => ({
    name,
    version: 1,
    preset: true,
    summary,
    when,
    document,
  }));
  return c.json({ policies: [...presets, ...stored.map(policyJson)] });
});

policyRoutes.get('/:name', requires('read'), async (c) => c.json(policyJson(await versionAsked(c))));

/** The decision tables as a flowchart, with this policy's answers. */
policyRoutes.get('/:name/flowchart.svg', requires('read'), async (c) => {
  const policy = await versionAsked(c);
  const title = `Policy ${policy.name}, version ${policy.version}`;
  return svgResponse(c, flowchartSvg({ title, policy, layout: layoutOf(c) }));
});

policyRoutes.get('/:name/versions', requires('read'), async (c) => {
  const versions = await policyVersions(c.var.runtime.db, c.req.param('name'));
  if (versions.length === 0) throw notFound();
  return c.json({ versions: versions.map(policyJson) });
});

policyRoutes.get('/:name/diff', requires('read'), async (c) => {
  const { db } = c.var.runtime;
  const newest = await existing(c);
  const to = queryInt(c, 'to', newest.version, 1, 1e9);
  const from = queryInt(c, 'from', Math.max(1, to - 1), 1, 1e9);
  const [before, after] = await Promise.all([
    readPolicy(db, newest.name, from),
    readPolicy(db, newest.name, to),
  ]);
  if (!before || !after) throw new Problem(404, `This policy has the versions 1 to ${newest.version}.`);
  return c.json({ name: newest.name, from, to, changes: differences(before, after) });
});

policyRoutes.put('/:name', requires('admin'), async (c) => {
  const { runtime } = c.var;
  const { name } = parse(z.object({ name: slug }), { name: c.req.param('name') });
  if (presetPolicy(name))
    throw new Problem(409, `"${name}" is a built-in preset and can't be changed; choose another name.`);
  const document = parse(policyFields, await readJson(c.req.raw));
  const { policy, created } = await writePolicy(runtime.db, name, document, runtime.now());
  return c.json(policyJson(policy), created ? 201 : 200);
});

type NamedContext = Context<AccessEnv, '/:name'>;

async function existing(c: NamedContext): Promise<PolicyVersion> {
  const policy = await readPolicy(c.var.runtime.db, c.req.param('name'));
  if (!policy) throw notFound();
  return policy;
}

/** The version that the query asks for, else the newest. */
async function versionAsked(c: NamedContext): Promise<PolicyVersion> {
  const newest = await existing(c);
  const version = queryInt(c, 'version', newest.version, 1, 1e9);
  const policy =
    version === newest.version ? newest : await readPolicy(c.var.runtime.db, newest.name, version);
  if (!policy) throw new Problem(404, `This policy has the versions 1 to ${newest.version}.`);
  return policy;
}

/** Questions that the two versions answer differently. */
function differences(
  before: PolicyVersion,
  after: PolicyVersion,
): Record<string, { from: unknown; to: unknown }> {
  const keys = [...new Set([...Object.keys(STRICT), 'attestation'])] as (keyof PolicyVersion['document'])[];
  const changed = keys.filter(
    (key) => JSON.stringify(before.document[key]) !== JSON.stringify(after.document[key]),
  );
  return Object.fromEntries(
    changed.map((key) => [key, { from: before.document[key] ?? null, to: after.document[key] ?? null }]),
  );
}

function policyJson({ name, version, document, createdAt }: PolicyVersion): Record<string, unknown> {
  return {
    name,
    version,
    preset: createdAt === null,
    document,
    created_at: createdAt === null ? null : iso(createdAt),
  };
}

function notFound(): Problem {
  return new Problem(404, 'There is no policy with this name; see GET /v1/policies.');
}
