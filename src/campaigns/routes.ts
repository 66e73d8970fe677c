/** `/v1/campaigns`: what is sent on which trigger. */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import { slug } from '../platform/fields.ts';
import { readJson } from '../platform/json.ts';
import { invalid, Problem } from '../platform/problem.ts';
import { parse } from '../platform/validate.ts';
import { readPolicy } from '../policies/store.ts';
import { campaignFields } from './campaign.ts';
import { deleteCampaign, listCampaigns, readCampaign, writeCampaign } from './store.ts';

export const campaignRoutes = new Hono<AccessEnv>();

campaignRoutes.get('/', requires('read'), async (c) =>
  c.json({ campaigns: await listCampaigns(c.var.runtime.db) }),
);

campaignRoutes.get('/:id', requires('read'), async (c) => {
  const campaign = await readCampaign(c.var.runtime.db, c.req.param('id'));
  if (!campaign) throw notFound();
  return c.json(campaign);
});

campaignRoutes.put('/:id', requires('admin'), async (c) => {
  const { runtime } = c.var;
  const { id } = parse(z.object({ id: slug }), { id: c.req.param('id') });
  const fields = parse(campaignFields, await readJson(c.req.raw));
  if (fields.id !== undefined && fields.id !== id) {
    throw invalid([{ path: 'id', message: `is "${fields.id}", but the URL says "${id}"; leave it out` }]);
  }
  if (!(await readPolicy(runtime.db, fields.policy))) {
    throw invalid([{ path: 'policy', message: `"${fields.policy}" does not exist; see GET /v1/policies` }]);
  }
  return c.json(await writeCampaign(runtime.db, id, fields, runtime.now()));
});

campaignRoutes.delete('/:id', requires('admin'), async (c) => {
  const { runtime } = c.var;
  if (!(await deleteCampaign(runtime.db, c.req.param('id'), runtime.now()))) throw notFound();
  return c.body(null, 204);
});

function notFound(): Problem {
  return new Problem(404, 'There is no campaign with this id; see GET /v1/campaigns.');
}
