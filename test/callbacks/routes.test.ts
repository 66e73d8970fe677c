import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { providerInbound, providerStatus } from '../../src/callbacks/provider.ts';
import { MAX_BODY_BYTES } from '../../src/platform/json.ts';
import { Problem } from '../../src/platform/problem.ts';
import type { ReceiptNote, Runtime } from '../../src/platform/runtime.ts';
import { hmac, toBase64, toHex } from '../../src/platform/signature.ts';
import { call, testRuntime, unique, uniqueNumber } from '../support.ts';

const SECRETS: Readonly<Record<string, string>> = {
  TWILIO_AUTH_TOKEN: 'token',
  WEBHOOK_SECRET: 'gateway-secret',
  PUBLIC_URL: 'https://texts.example/sms',
};

/** A runtime with secrets, and a receipts queue that notes what it was given. */
function world(changes: Partial<Runtime> = {}) {
  const notes: ReceiptNote[] = [];
  const receipts = {
    sendBatch: async (messages: Iterable<{ body: ReceiptNote }>) => {
      for (const { body } of messages) notes.push(body);
    },
  } as unknown as Queue<ReceiptNote>;
  return { notes, runtime: testRuntime({ variable: (name) => SECRETS[name], receipts, ...changes }) };
}

async function twilioRequest(path: string, fields: Record<string, string>): Promise<Request> {
  const tail = Object.keys(fields)
    .sort()
    .map((name) => name + fields[name])
    .join('');
  const signature = await hmac('SHA-1', 'token', `https://texts.example/sms/callbacks/${path}${tail}`);
  return new Request(`http://inner.internal/callbacks/${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': toBase64(signature),
    },
    body: new URLSearchParams(fields).toString(),
  });
}

async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Problem) return error;
  throw new Error(`no problem, but ${String(error)}`);
}

const optedOut = async (number: string): Promise<boolean> =>
  (await env.DB.prepare('SELECT 1 FROM suppressions WHERE number = ?1').bind(number).first()) !== null;

describe('a status callback', () => {
  it('is proven against the public address, and is on the queue before the answer', async () => {
    const { runtime, notes } = world();
    const fields = { MessageSid: 'SM1', MessageStatus: 'delivered' };
    const response = await providerStatus(
      runtime,
      'twilio',
      await twilioRequest('twilio/status?ref=msg_1', fields),
    );
    expect(response.status).toBe(200);
    expect(notes).toMatchObject([
      { provider: 'twilio', provider_message_id: 'SM1', reference: 'msg_1', state: 'delivered' },
    ]);
  });

  it('that the queue does not take is not answered 2xx, so that the provider sends it again', async () => {
    const broken = { sendBatch: () => Promise.reject(new Error('queue is down')) };
    const { runtime } = world({ receipts: broken as unknown as Queue<ReceiptNote> });
    const fields = { MessageSid: 'SM1', MessageStatus: 'delivered' };
    await expect(
      providerStatus(runtime, 'twilio', await twilioRequest('twilio/status', fields)),
    ).rejects.toThrow('queue is down');
  });

  it.each([
    ['unknown providers', 'nobody', 404],
    ['names of object properties', 'constructor', 404],
    ['providers without a secret', 'sinch', 404],
  ])('is refused for %s', async (_, name, status) => {
    const { runtime } = world();
    const request = new Request(`https://texts.example/callbacks/${name}/status`, {
      method: 'POST',
      body: '{}',
    });
    expect((await problemOf(providerStatus(runtime, name, request))).status).toBe(status);
  });

  it('is 401 without a signature, with a wrong one, and when it was signed for another address', async () => {
    const { runtime, notes } = world();
    const fields = { MessageSid: 'SM1', MessageStatus: 'delivered' };
    const good = await twilioRequest('twilio/status', fields);
    const bare = new Request(good.clone(), { headers: { 'content-type': 'text/plain' } });
    const other = await twilioRequest('twilio/inbound', fields);
    for (const request of [bare, new Request('http://inner.internal/callbacks/twilio/status', other)])
      expect((await problemOf(providerStatus(runtime, 'twilio', request))).status).toBe(401);
    expect(notes).toEqual([]);
  });

  it('is 413 before it is read where it is too large', async () => {
    const { runtime } = world();
    const request = new Request('https://texts.example/callbacks/twilio/status', {
      method: 'POST',
      body: 'x'.repeat(MAX_BODY_BYTES + 1),
    });
    expect((await problemOf(providerStatus(runtime, 'twilio', request))).status).toBe(413);
  });
});

describe('an inbound text', () => {
  it('that says STOP is in the database before the answer', async () => {
    const { runtime } = world();
    const From = uniqueNumber();
    const fields = { MessageSid: unique('SM'), From, To: '+18005550100', Body: 'Stop.', NumMedia: '0' };
    const response = await providerInbound(runtime, 'twilio', await twilioRequest('twilio/inbound', fields));
    expect(await optedOut(From)).toBe(true);
    expect(response.headers.get('content-type')).toContain('text/xml');
  });

  it('comes from any gateway of one’s own too, under its own signature', async () => {
    const { runtime } = world();
    const from = uniqueNumber();
    const body = JSON.stringify({
      texts: [{ id: unique('in'), from, to: '+18005550100', text: 'STOP', at: new Date().toISOString() }],
    });
    const request = new Request('https://texts.example/callbacks/webhook/inbound', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-hub-signature-256': `sha256=${toHex(await hmac('SHA-256', 'gateway-secret', body))}`,
      },
      body,
    });
    expect((await providerInbound(runtime, 'webhook', request)).status).toBe(204);
    expect(await optedOut(from)).toBe(true);
  });

  it('from somebody else is refused, and nobody is opted out', async () => {
    const { runtime } = world();
    const From = uniqueNumber();
    const request = new Request('https://texts.example/callbacks/twilio/inbound', {
      method: 'POST',
      headers: { 'x-twilio-signature': 'AAAA' },
      body: new URLSearchParams({ MessageSid: 'SM1', From, Body: 'STOP' }).toString(),
    });
    expect((await problemOf(providerInbound(runtime, 'twilio', request))).status).toBe(401);
    expect(await optedOut(From)).toBe(false);
  });
});

describe('through the front door', () => {
  it.each([
    ['POST', '/callbacks/twilio/status', 404],
    ['POST', '/callbacks/nobody/inbound', 404],
    ['GET', '/callbacks/plivo/status', 404],
    ['PUT', '/callbacks/twilio/status', 405],
    ['POST', '/callbacks/twilio/other', 404],
  ])('%s %s is a clear %i', async (method, path, status) => {
    const answer = await call(method, path, method === 'GET' ? undefined : '{}');
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  });
});
