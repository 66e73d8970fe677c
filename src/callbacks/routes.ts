/** `/callbacks/{provider}/…`: what providers tell us. Each provider proves itself by its own signature, not by a key. */
import { Hono } from 'hono';
import type { AppEnv } from '../platform/http.ts';
import { providerInbound, providerStatus } from './provider.ts';
import { sandboxInbound, sandboxStatus } from './sandbox.ts';

export const callbackRoutes = new Hono<AppEnv>();

callbackRoutes.post('/sandbox/status', async (c) => {
  await sandboxStatus(c.var.runtime, c.req.raw);
  return c.body(null, 204);
});

callbackRoutes.post('/sandbox/inbound', async (c) =>
  c.json({ understood_as: await sandboxInbound(c.var.runtime, c.req.raw) }),
);

// Some providers can be set up to call with GET.
callbackRoutes.on(['GET', 'POST'], '/:provider/status', async (c) =>
  providerStatus(c.var.runtime, c.req.param('provider'), c.req.raw),
);

callbackRoutes.on(['GET', 'POST'], '/:provider/inbound', async (c) =>
  providerInbound(c.var.runtime, c.req.param('provider'), c.req.raw),
);
