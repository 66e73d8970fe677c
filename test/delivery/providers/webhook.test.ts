import { describe, expect, it } from 'vitest';
import { SEND_ERRORS } from '../../../src/delivery/errors.ts';
import { webhook } from '../../../src/delivery/providers/webhook.ts';
import { hmac, toHex } from '../../../src/platform/signature.ts';
import {
  answer,
  callback,
  HTTP_TABLE,
  LOOKUP,
  MESSAGE,
  MMS,
  NOW,
  scriptedWorld,
  sendTo,
  signal,
  tampered,
} from './scripted-world.ts';

const VARIABLES = {
  WEBHOOK_URL: 'https://gateway.example/texts?tenant=1',
  WEBHOOK_SECRET: 'new-secret old-secret',
  PUBLIC_URL: 'https://texts.example',
};
const STATUS_URL = 'https://texts.example/callbacks/webhook/status';
const INBOUND_URL = 'https://texts.example/callbacks/webhook/inbound';

async function sign(text: string, secret = 'new-secret'): Promise<string> {
  return `sha256=${toHex(await hmac('SHA-256', secret, text))}`;
}

describe('sending through a gateway of one’s own', () => {
  it.each([
    ['a text', MESSAGE, []],
    ['an MMS', MMS, ['https://cdn.example/hello.png?v=2']],
  ])('asks for %s, signed', async (_, message, mediaUrls) => {
    const world = scriptedWorld(VARIABLES, [answer(202, { id: 'gw-1', parts: 2 })]);
    const outcome = await webhook.connect(world).send(message, signal());
    expect(outcome).toEqual({ kind: 'accepted', providerMessageId: 'gw-1', parts: 2 });
    const [request] = world.requests;
    expect(request).toMatchObject({ method: 'POST', url: VARIABLES.WEBHOOK_URL });
    expect(request?.headers.get('idempotency-key')).toBe('msg_01');
    expect(request?.headers.get('content-type')).toBe('application/json');
    expect(request?.headers.get('x-hub-signature-256')).toBe(await sign(request?.body ?? ''));
    expect(request?.json).toEqual({
      id: 'msg_01',
      channel: message.channel,
      from: '+18005550100',
      to: '+14155550123',
      text: 'Hi Ada, welcome!',
      media_urls: mediaUrls,
      validity_seconds: 3600,
      sent_at: '2026-06-01T12:00:00.000Z',
      status_url: STATUS_URL,
    });
  });

  it('names no status URL without PUBLIC_URL', async () => {
    const { PUBLIC_URL: _, ...rest } = VARIABLES;
    const world = scriptedWorld(rest, [answer(200, { id: 'gw-1' })]);
    await webhook.connect(world).send(MESSAGE, signal());
    expect(world.requests[0]?.json.status_url).toBeNull();
  });

  it.each(HTTP_TABLE)('classifies %s', async (_, reply, expected) => {
    const fresh = reply instanceof Response ? reply.clone() : reply;
    expect(await sendTo(webhook, VARIABLES, fresh)).toMatchObject(expected);
  });

  it.each(Object.keys(SEND_ERRORS))('knows the error %s, in a 200 and in a 422', async (code) => {
    const retried = code === 'throttled' || code === 'provider_down';
    const body = { error: { code, provider_code: 'X-1', detail: 'no route to +1 (415) 555-0123, sorry' } };
    for (const status of [200, 422]) {
      expect(await sendTo(webhook, VARIABLES, answer(status, body, { 'retry-after': '3' }))).toEqual({
        kind: retried ? 'retry_later' : 'rejected',
        ...(retried && { afterMs: 3000 }),
        error: { code, providerCode: 'X-1', detail: 'no route to •••, sorry' },
      });
    }
  });

  it.each([
    ['an error that is not ours', answer(422, { error: { code: 'moon_phase' } }), 'rejected', 'moon_phase'],
    [
      'the name of an object’s property',
      answer(422, { error: { code: 'constructor' } }),
      'rejected',
      'constructor',
    ],
    ['404', answer(404, ''), 'request_invalid', '404'],
  ])('takes %s for a rejection', async (_, reply, code, providerCode) => {
    expect(await sendTo(webhook, VARIABLES, reply)).toMatchObject({
      kind: 'rejected',
      error: { code, providerCode },
    });
  });

  it('keeps a long detail short, and reads no more of it than it must', async () => {
    const detail = `4155550123${' 1'.repeat(90_000)}`;
    const outcome = await sendTo(webhook, VARIABLES, answer(422, { error: { code: 'rejected', detail } }));
    expect(outcome).toMatchObject({ kind: 'rejected', error: { detail: '•••' } });
    const words = await sendTo(
      webhook,
      VARIABLES,
      answer(422, { error: { code: 'x', detail: 'no '.repeat(200) } }),
    );
    expect(words.kind === 'rejected' && words.error.detail?.length).toBe(200);
  });

  it.each([0, 1.5, 'two', null])(
    'takes an id for an id, whatever stands beside it: parts %j',
    async (parts) => {
      expect(await sendTo(webhook, VARIABLES, answer(202, { id: 'gw-1', parts }))).toEqual({
        kind: 'accepted',
        providerMessageId: 'gw-1',
      });
    },
  );

  it.each([408, 409])('cannot know what HTTP %i left behind', async (status) => {
    expect(await sendTo(webhook, VARIABLES, answer(status, ''))).toMatchObject({ kind: 'unknown' });
  });

  it('leaves the outcome unknown where an error comes with 5xx', async () => {
    const body = { error: { code: 'number_invalid' } };
    expect(await sendTo(webhook, VARIABLES, answer(500, body))).toMatchObject({
      kind: 'unknown',
      error: { providerCode: 'number_invalid' },
    });
  });
});

describe('asking a gateway of one’s own', () => {
  it.each([
    ['200 with an id', answer(200, { id: 'gw-1' }), { kind: 'taken', providerMessageId: 'gw-1' }],
    ['404 that says so', answer(404, { taken: false }), { kind: 'not_taken' }],
    ['404 of a web server', answer(404, '<h1>Not found</h1>'), { kind: 'cannot_tell' }],
    ['404 of another kind', answer(404, { error: 'no such route' }), { kind: 'cannot_tell' }],
    ['200 without an id', answer(200, {}), { kind: 'cannot_tell' }],
    ['200 that says not taken', answer(200, { taken: false }), { kind: 'cannot_tell' }],
    ['401', answer(401, ''), { kind: 'cannot_tell' }],
    ['500', answer(500, { taken: false }), { kind: 'cannot_tell' }],
    ['a reset', new TypeError('reset'), { kind: 'cannot_tell' }],
  ])('%s', async (_, reply, expected) => {
    const world = scriptedWorld(VARIABLES, [reply]);
    expect(await webhook.connect(world).lookup?.(LOOKUP, signal())).toEqual(expected);
    expect(world.requests[0]).toMatchObject({
      method: 'GET',
      url: 'https://gateway.example/texts/msg_01?tenant=1',
    });
    expect(world.requests[0]?.headers.get('x-hub-signature-256')).toBe(await sign('msg_01'));
  });
});

const provider = () => webhook.connect(scriptedWorld(VARIABLES));
const RECEIPT = { id: 'gw-1', reference: 'msg_01', state: 'delivered' };
const TEXT = {
  id: 'in-1',
  from: '+14155550123',
  to: '+18005550100',
  text: 'STOP',
  at: '2026-06-01T11:59:00Z',
};

async function status(content: unknown, secret?: string) {
  const body = JSON.stringify(content);
  const headers = { 'x-hub-signature-256': await sign(body, secret) };
  return await provider().readStatus(callback(STATUS_URL, body, headers));
}
async function inbound(content: unknown) {
  const body = JSON.stringify(content);
  const headers = { 'x-hub-signature-256': await sign(body) };
  return await provider().readInbound(callback(INBOUND_URL, body, headers));
}

describe('a gateway’s receipts', () => {
  it('are read with what they leave out and what they say', async () => {
    const full = { ...RECEIPT, state: 'undelivered', code: '27', error: 'unreachable', parts: 2, part: 1 };
    expect(await status({ receipts: [RECEIPT, full] })).toEqual({
      ok: true,
      items: [
        {
          provider: 'webhook',
          provider_message_id: 'gw-1',
          reference: 'msg_01',
          state: 'delivered',
          code: null,
          error: null,
          parts: null,
          part: null,
        },
        {
          provider: 'webhook',
          provider_message_id: 'gw-1',
          reference: 'msg_01',
          state: 'undelivered',
          code: '27',
          error: 'unreachable',
          parts: 2,
          part: '1',
        },
      ],
    });
  });

  it('with an error that is not ours keep the code alone', async () => {
    const odd = { ...RECEIPT, reference: null, state: 'failed', code: 'E7', error: 'moon_phase' };
    expect(await status({ receipts: [odd] })).toMatchObject({
      items: [{ reference: null, state: 'failed', code: 'E7', error: null }],
    });
  });

  it('that cannot be read do not cost those beside them', async () => {
    expect(await status({ receipts: [{ ...RECEIPT, state: 'lost' }, RECEIPT] })).toMatchObject({
      ok: true,
      items: [{ state: 'delivered' }],
    });
    // Parts are counted; a part without a name would be counted twice.
    expect(await status({ receipts: [{ ...RECEIPT, parts: 2 }] })).toEqual({
      ok: false,
      reason: 'malformed',
    });
    expect(await status({ receipts: [] })).toEqual({ ok: true, items: [] });
  });

  it('are accepted with each of the secrets', async () => {
    expect((await status({ receipts: [RECEIPT] }, 'old-secret')).ok).toBe(true);
    expect(await status({ receipts: [RECEIPT] }, 'another')).toEqual({
      ok: false,
      reason: 'signature_mismatch',
    });
  });

  it.each([
    ['now', NOW, true],
    ['five minutes ago', NOW - 300_000, true],
    ['longer ago', NOW - 301_000, false],
    ['in five minutes', NOW + 300_000, true],
    ['later', NOW + 301_000, false],
  ])('sent %s', async (_, sentAt, ok) => {
    const read = await status({ sent_at: new Date(sentAt).toISOString(), receipts: [RECEIPT] });
    expect(read.ok).toBe(ok);
    if (!read.ok) expect(read.reason).toBe('timestamp_out_of_range');
  });

  it('are refused unless they are signed and as documented', async () => {
    const body = JSON.stringify({ receipts: [RECEIPT] });
    const signature = await sign(body);
    const read = (text: string, headers: Record<string, string>) =>
      provider().readStatus(callback(STATUS_URL, text, headers));
    const mismatch = { ok: false, reason: 'signature_mismatch' };
    expect(await read(body, {})).toEqual({ ok: false, reason: 'signature_missing' });
    expect(await read(tampered(body), { 'x-hub-signature-256': signature })).toEqual(mismatch);
    expect(await read(body, { 'x-hub-signature-256': signature.slice('sha256='.length) })).toEqual(mismatch);
    expect(await read(body, { 'x-hub-signature-256': `${signature.slice(0, -1)}` })).toEqual(mismatch);
    expect((await read(body, { 'x-hub-signature-256': signature.toUpperCase() })).ok).toBe(true);
    const malformed = { ok: false, reason: 'malformed' };
    for (const content of [{}, [], null, { receipts: {} }, { sent_at: 'noon', receipts: [RECEIPT] }]) {
      expect(await status(content)).toEqual(malformed);
    }
    expect(await read('x', { 'x-hub-signature-256': await sign('x') })).toEqual(malformed);
    const bare = webhook.connect(scriptedWorld({ WEBHOOK_URL: 'https://x.example' }));
    expect(await bare.readStatus(callback(STATUS_URL, body, { 'x-hub-signature-256': signature }))).toEqual({
      ok: false,
      reason: 'not_configured',
    });
  });
});

describe('a gateway’s inbound texts', () => {
  it('are read as documented', async () => {
    const { to: _, at: __, ...least } = TEXT;
    expect(await inbound({ texts: [TEXT, { ...least, id: 7 }] })).toEqual({
      ok: true,
      items: [
        {
          from: '+14155550123',
          to: '+18005550100',
          text: 'STOP',
          at: Date.UTC(2026, 5, 1, 11, 59),
          deliveryId: 'webhook:in-1',
          providerKeyword: null,
          providerReplies: false,
        },
        {
          from: '+14155550123',
          to: null,
          text: 'STOP',
          at: NOW,
          deliveryId: 'webhook:7',
          providerKeyword: null,
          providerReplies: false,
        },
      ],
    });
    expect(await inbound({ texts: [{ text: 'STOP' }] })).toEqual({ ok: false, reason: 'malformed' });
    expect(await inbound({ receipts: [RECEIPT] })).toEqual({ ok: false, reason: 'malformed' });
  });
});
