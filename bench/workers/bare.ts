/** What the bench compares with: Hono and JSON.parse, and nothing else. */
import { Hono } from 'hono';

const app = new Hono();

app.post('/v1/events', async (c) => {
  const body: unknown = await c.req.json();
  return c.json({ events: Array.isArray(body) ? body.length : 1 }, 202);
});

export default app;
