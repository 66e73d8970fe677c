/** The contract of docs/provider-webhook.md, from its gateway's side: the fake of the system tests, and the page's own. */
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Fault, randomFaults, randomReceipts, startFakeGateway } from './harness/fake-gateway.ts';
import { seededRandom } from './harness/random.ts';

const SECRET = 'test-secret';
const UNAUTHORIZED = [401, null, '{"error":{"code":"account_problem"}}'];
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const sign = (text: string, secret = SECRET): string =>
  `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`;

/** Sends as the adapter does. @returns status and body, or why there was no answer. */
async function send(url: string, id: string, fields: object = {}, secret = SECRET): Promise<unknown> {
  const body = JSON.stringify({ id, to: '+14155550123', text: 'Hi', ...fields });
  const headers = { 'idempotency-key': id, 'x-hub-signature-256': sign(body, secret) };
  return await ask(url, { method: 'POST', headers, body });
}

async function ask(url: string, init: RequestInit): Promise<unknown> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(1000) });
    const text = await response.text();
    return [response.status, response.headers.get('retry-after'), text];
  } catch (error) {
    return error instanceof Error && error.name === 'TimeoutError' ? 'no answer' : 'reset';
  }
}

const look = (url: string, id: string) =>
  ask(`${url}/${id}`, { headers: { 'x-hub-signature-256': sign(id) } });

async function start(fault?: Fault) {
  const gateway = await startFakeGateway({ secret: SECRET, ...(fault && { script: () => fault }) });
  cleanups.push(() => gateway.close());
  return gateway;
}

describe('the fake gateway', () => {
  const json = (value: object): string => JSON.stringify(value);
  it.each<[string, Fault, unknown, number]>([
    ['accepts', { kind: 'accept' }, [202, null, json({ id: 'gw-m1-1', parts: 1 })], 1],
    ['rejects', { kind: 'reject', code: 'landline' }, [422, null, json({ error: { code: 'landline' } })], 0],
    [
      'rejects with 200',
      { kind: 'reject', code: 'landline', status: 200 },
      [200, null, json({ error: { code: 'landline' } })],
      0,
    ],
    ['is busy', { kind: 'busy', retryAfterSeconds: null }, [429, null, '{}'], 0],
    ['is busy for so long', { kind: 'busy', retryAfterSeconds: 7 }, [429, '7', '{}'], 0],
    ['fails before taking', { kind: 'error', status: 503, taken: false }, [503, null, '{}'], 0],
    ['fails after taking', { kind: 'error', status: 500, taken: true }, [500, null, '{}'], 1],
    ['resets before the body', { kind: 'reset', when: 'before_body' }, 'reset', 0],
    ['resets after the body', { kind: 'reset', when: 'after_body', taken: false }, 'reset', 0],
    ['resets after taking', { kind: 'reset', when: 'after_body', taken: true }, 'reset', 1],
    ['hangs', { kind: 'hang', taken: false }, 'no answer', 0],
    ['hangs after taking', { kind: 'hang', taken: true }, 'no answer', 1],
    ['answers nonsense', { kind: 'malformed', taken: false }, [200, null, '{"id": '], 0],
    ['answers nonsense after taking', { kind: 'malformed', taken: true }, [200, null, '{"id": '], 1],
  ])('%s, and keeps account of it', async (_, fault, expected, taken) => {
    const gateway = await start(fault);
    expect(await send(gateway.url, 'm1')).toEqual(expected);
    expect(gateway.accepted.get('m1')?.length ?? 0).toBe(taken);
    expect(gateway.calls).toMatchObject([{ id: 'm1', attempt: 1, fault }]);
    expect(await look(gateway.url, 'm1')).toEqual(
      taken ? [200, null, json({ id: 'gw-m1-1' })] : [404, null, json({ taken: false })],
    );
    expect(gateway.lookups).toEqual(['m1']);
  });

  it('shows a second copy as one', async () => {
    const gateway = await start();
    await send(gateway.url, 'm1');
    await send(gateway.url, 'm1');
    expect(gateway.accepted.get('m1')).toMatchObject([{ gatewayId: 'gw-m1-1' }, { gatewayId: 'gw-m1-2' }]);
    expect(gateway.calls.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  it('refuses and counts what is not signed', async () => {
    const gateway = await start();
    expect(await send(gateway.url, 'm1', {}, 'another')).toEqual(UNAUTHORIZED);
    expect(await ask(`${gateway.url}/m1`, {})).toEqual([401, null, '{}']);
    expect([gateway.unsigned(), gateway.accepted.size]).toEqual([2, 0]);
  });

  it('can fail at look-ups too', async () => {
    const gateway = await start();
    gateway.setLookupScript(() => 'error');
    expect(await look(gateway.url, 'm1')).toEqual([503, null, '{}']);
    gateway.setLookupScript(() => 'hang');
    expect(await look(gateway.url, 'm1')).toBe('no answer');
  });

  it('posts receipts and texts that are signed', async () => {
    const got: unknown[] = [];
    const worker = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      got.push([request.url, request.headers['x-hub-signature-256'] === sign(body), JSON.parse(body)]);
      response.writeHead(204).end();
    });
    await new Promise<void>((resolve) => worker.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => worker.close(resolve)));
    const origin = `http://127.0.0.1:${(worker.address() as AddressInfo).port}`;
    const gateway = await start();
    const receipt = { id: 'gw-1', reference: 'm1', state: 'delivered' } as const;
    const text = { id: 'in-1', from: '+14155550123', to: '+18005550100', text: 'STOP' };
    expect(await gateway.postReceipts(origin, [receipt])).toBe(204);
    expect(await gateway.postTexts(origin, [text])).toBe(204);
    expect(got).toEqual([
      ['/callbacks/webhook/status', true, { sent_at: expect.any(String), receipts: [receipt] }],
      ['/callbacks/webhook/inbound', true, { sent_at: expect.any(String), texts: [text] }],
    ]);
  });

  it('is random, and the same again with the same seed', async () => {
    const draw = (seed: number) => {
      const script = randomFaults(seededRandom(seed), 0.5);
      return Array.from({ length: 1000 }, (_, index) => script({ id: `m${index}`, attempt: 1 }));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    const kinds = new Set(draw(7).map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(['accept', 'reject', 'busy', 'error', 'reset', 'hang', 'malformed']));
    expect(draw(7).filter(({ kind }) => kind === 'accept').length).toBeGreaterThan(400);

    const gateway = await start();
    for (const id of ['m1', 'm2', 'm3']) await send(gateway.url, id);
    const receipts = randomReceipts(gateway, seededRandom(1), 1);
    expect(receipts).toHaveLength(9);
    expect(new Set(receipts.map(({ reference }) => reference))).toEqual(new Set(['m1', 'm2', 'm3']));
    expect(randomReceipts(gateway, seededRandom(1), 1)).toEqual(receipts);
  });
});

describe('the gateway to copy from docs/provider-webhook.md', () => {
  it('keeps the contract', async () => {
    const page = await readFile(new URL('../../docs/provider-webhook.md', import.meta.url), 'utf8');
    const code = /```js\n([\s\S]+?)```/.exec(page)?.[1] ?? '';
    const folder = await mkdtemp(join(tmpdir(), 'optitext-gateway-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'gateway.mjs'), code);
    const port = await freePort();
    const child = spawn(process.execPath, [join(folder, 'gateway.mjs')], {
      env: { ...process.env, WEBHOOK_SECRET: SECRET, PORT: String(port) },
      stdio: 'ignore',
    });
    cleanups.push(async () => child.kill());
    const url = `http://127.0.0.1:${port}/texts`;
    await expect.poll(() => look(url, 'm1'), { timeout: 20_000 }).toEqual([404, null, '{"taken":false}']);

    const receipts: unknown[] = [];
    const worker = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      receipts.push([request.headers['x-hub-signature-256'] === sign(body), JSON.parse(body).receipts]);
      response.writeHead(204).end();
    });
    await new Promise<void>((resolve) => worker.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => worker.close(resolve)));
    const status_url = `http://127.0.0.1:${(worker.address() as AddressInfo).port}/`;

    const first = await send(url, 'm1', { status_url });
    expect(first).toEqual([202, null, '{"id":"gw-1"}']);
    expect(await send(url, 'm1', { status_url })).toEqual(first);
    expect(await look(url, 'm1')).toEqual([200, null, '{"id":"gw-1"}']);
    expect(await send(url, 'm2', { to: '0155' })).toEqual([422, null, '{"error":{"code":"number_invalid"}}']);
    expect(await send(url, 'm3', {}, 'another')).toEqual(UNAUTHORIZED);
    await expect
      .poll(() => receipts, { timeout: 10_000 })
      .toEqual([[true, [{ id: 'gw-1', reference: 'm1', state: 'delivered' }]]]);
  });
});

async function freePort(): Promise<number> {
  const socket = createSocket();
  await new Promise<void>((resolve) => socket.listen(0, '127.0.0.1', resolve));
  const { port } = socket.address() as AddressInfo;
  await new Promise((resolve) => socket.close(resolve));
  return port;
}
