import { createExecutionContext, env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { app } from '../../src/app.ts';

/** A deployment as wrangler.toml makes it: neither DEMO nor CALLBACK_SECRET is set there. */
const { DEMO: _, CALLBACK_SECRET: __, ...deployment } = env;

const call = async (path: string, init: RequestInit = {}, bindings = deployment) =>
  await app.fetch(new Request(`https://optitext.test${path}`, init), bindings, createExecutionContext());

describe('where DEMO is not set', () => {
  it.each([
    '/',
    '/demo.js',
    '/demo.css',
    '/sandbox/messages',
    '/sandbox/numbers',
    '/sandbox/numbers/+15005550001',
  ])('there is no %s', async (path) => expect((await call(path)).status).toBe(404));

  it('nobody answers from the sandbox phone', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ from: '+14155550123', text: 'START' });
    expect((await call('/sandbox/replies', { method: 'POST', headers, body })).status).toBe(404);
    expect((await call('/callbacks/sandbox/inbound', { method: 'POST', headers, body })).status).toBe(404);
  });

  it('the demo key is a key like any other that nobody knows', async () => {
    const headers = { authorization: 'Bearer ot_demo' };
    expect((await call('/v1/messages', { headers })).status).toBe(401);
  });

  it.each(['0', 'true', ''])('nor where it is %j: only "1" sets it', async (DEMO) => {
    expect((await call('/', {}, { ...deployment, DEMO } as typeof deployment)).status).toBe(404);
  });

  it('the Worker itself is in good health', async () => {
    expect((await call('/health')).status).toBe(200);
  });
});
