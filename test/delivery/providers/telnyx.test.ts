import { describe, expect, it } from 'vitest';
import { telnyx } from '../../../src/delivery/providers/telnyx.ts';
import { toBase64 } from '../../../src/platform/signature.ts';
import {
  answer,
  callback,
  LOOKUP,
  MESSAGE,
  MMS,
  NOW,
  scriptedWorld,
  sendTo,
  signal,
} from './scripted-world.ts';

const VARIABLES = { TELNYX_API_KEY: 'KEY1', PUBLIC_URL: 'https://texts.example' };
const CREATED = { data: { id: '40385f64', parts: 2, to: [{ status: 'queued' }], errors: [] } };

const pair = (await crypto.subtle.generateKey({ name: 'Ed25519' }, true, [
  'sign',
  'verify',
])) as CryptoKeyPair;
const publicKey = toBase64(
  new Uint8Array((await crypto.subtle.exportKey('raw', pair.publicKey)) as ArrayBuffer),
);
const reader = (settings: Record<string, string> = {}) =>
  telnyx.connect(
    scriptedWorld({
      ...VARIABLES,
      TELNYX_PUBLIC_KEY: `${publicKey} ${toBase64(new Uint8Array(32))}`,
      ...settings,
    }),
  );

async function signed(event_type: string, payload: unknown, path = 'status?ref=msg_01') {
  const body = JSON.stringify({ data: { event_type, id: 'evt', payload } });
  const timestamp = String(NOW / 1000);
  const bytes = new TextEncoder().encode(`${timestamp}|${body}`);
  const signature = new Uint8Array(await crypto.subtle.sign({ name: 'Ed25519' }, pair.privateKey, bytes));
  return callback(`https://texts.example/callbacks/telnyx/${path}`, body, {
    'telnyx-signature-ed25519': toBase64(signature),
    'telnyx-timestamp': timestamp,
  });
}

describe('sending through Telnyx', () => {
  it('asks for one text, with our id as a tag and in the address of its webhook', async () => {
    const world = scriptedWorld({ ...VARIABLES, TELNYX_MESSAGING_PROFILE_ID: 'mp1' }, [answer(200, CREATED)]);
    expect(await telnyx.connect(world).send(MESSAGE, signal())).toEqual({
      kind: 'accepted',
      providerMessageId: '40385f64',
      parts: 2,
    });
    const [request] = world.requests;
    expect(request).toMatchObject({ method: 'POST', url: 'https://api.telnyx.com/v2/messages' });
    expect(request?.headers.get('authorization')).toBe('Bearer KEY1');
    expect(request?.json).toEqual({
      from: '+18005550100',
      to: '+14155550123',
      type: 'SMS',
      text: 'Hi Ada, welcome!',
      messaging_profile_id: 'mp1',
      webhook_url: 'https://texts.example/callbacks/telnyx/status?ref=msg_01',
      tags: ['msg_01'],
    });
  });

  it('asks for an MMS with its media', async () => {
    const world = scriptedWorld(VARIABLES, [answer(200, CREATED)]);
    await telnyx.connect(world).send(MMS, signal());
    expect(world.requests[0]?.json).toMatchObject({ type: 'MMS', media_urls: MMS.mediaUrls });
  });

  it.each([
    ['40300', 'opted_out'],
    ['40001', 'landline'],
    ['40310', 'number_invalid'],
    ['40010', 'sender_not_registered'],
    ['40305', 'sender_invalid'],
    ['20100', 'no_credit'],
    ['10009', 'account_problem'],
    ['99999', 'request_invalid'],
  ])('code %s is rejected as %s', async (code, ours) => {
    const reply = answer(400, { errors: [{ code, title: 'no', detail: '+14155550123' }] });
    const outcome = await sendTo(telnyx, VARIABLES, reply);
    expect(outcome).toMatchObject({ kind: 'rejected', error: { code: ours, providerCode: code } });
    expect(JSON.stringify(outcome)).not.toContain('4155550123');
  });

  it('takes a full queue for later, and a text that failed at once for rejected', async () => {
    expect(await sendTo(telnyx, VARIABLES, answer(400, { errors: [{ code: 40318 }] }))).toMatchObject({
      kind: 'retry_later',
    });
    const failed = { data: { id: 'x', to: [{ status: 'sending_failed' }], errors: [{ code: '40002' }] } };
    expect(await sendTo(telnyx, VARIABLES, answer(200, failed))).toMatchObject({
      kind: 'rejected',
      error: { code: 'content_blocked', providerCode: '40002' },
    });
  });

  it('looks up by Telnyx’s id alone', async () => {
    const found = telnyx.connect(scriptedWorld(VARIABLES, [answer(200, CREATED)]));
    expect(await found.lookup?.({ ...LOOKUP, providerMessageId: '40385f64' }, signal())).toEqual({
      kind: 'taken',
      providerMessageId: '40385f64',
    });
    expect(await found.lookup?.(LOOKUP, signal())).toEqual({ kind: 'cannot_tell' });
  });
});

describe('Telnyx’s webhooks', () => {
  const payload = {
    id: '40385f64',
    to: [{ status: 'delivery_failed' }],
    errors: [{ code: '40001' }],
    tags: ['msg_09'],
  };

  it('report what became of a text, with the code in both words', async () => {
    expect(await reader().readStatus(await signed('message.finalized', payload))).toEqual({
      ok: true,
      items: [
        {
          provider: 'telnyx',
          provider_message_id: '40385f64',
          reference: 'msg_01',
          state: 'undelivered',
          code: '40001',
          error: 'landline',
          parts: null,
          part: null,
        },
      ],
    });
    expect(await reader().readStatus(await signed('message.finalized', payload, 'inbound'))).toMatchObject({
      items: [{ reference: 'msg_09' }],
    });
  });

  it('bring texts, and each reader leaves the other’s events alone', async () => {
    const text = {
      id: 'in1',
      from: { phone_number: '+14155550100' },
      to: [{ phone_number: '+18005550100' }],
      text: 'STOP',
      received_at: '2026-06-01T11:59:58.000Z',
    };
    const delivery = await signed('message.received', text, 'inbound');
    expect(await reader().readInbound(delivery)).toEqual({
      ok: true,
      items: [
        {
          from: '+14155550100',
          to: '+18005550100',
          text: 'STOP',
          at: NOW - 2000,
          deliveryId: 'telnyx:in1',
          providerKeyword: null,
          providerReplies: true,
        },
      ],
    });
    expect(await reader({ TELNYX_KEYWORD_REPLIES: 'off' }).readInbound(delivery)).toMatchObject({
      items: [{ providerReplies: false }],
    });
    expect(await reader().readStatus(delivery)).toEqual({ ok: true, items: [] });
    expect(await reader().readInbound(await signed('message.finalized', payload))).toEqual({
      ok: true,
      items: [],
    });
  });

  it('are refused with a changed byte, another key, no signature, or none of Telnyx’s form', async () => {
    const good = await signed('message.finalized', payload);
    const changed = new Uint8Array(good.body);
    changed[5] = (changed[5] ?? 0) ^ 1;
    const other = { TELNYX_PUBLIC_KEY: toBase64(new Uint8Array(32).fill(7)) };
    expect(await reader().readStatus({ ...good, body: changed })).toMatchObject({
      reason: 'signature_mismatch',
    });
    expect(await reader(other).readStatus(good)).toMatchObject({ reason: 'signature_mismatch' });
    expect(await reader().readStatus({ ...good, headers: new Headers() })).toMatchObject({
      reason: 'signature_missing',
    });
    expect(await reader({ TELNYX_PUBLIC_KEY: '' }).readStatus(good)).toMatchObject({
      reason: 'not_configured',
    });
    expect(await reader().readStatus(await signed('message.finalized', { hello: 1 }))).toMatchObject({
      reason: 'malformed',
    });
  });
});
