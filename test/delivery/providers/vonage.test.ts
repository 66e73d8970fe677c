import { exportPKCS8, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { vonage } from '../../../src/delivery/providers/vonage.ts';
import { toHex } from '../../../src/platform/signature.ts';
import { answer, callback, MESSAGE, MMS, NOW, scriptedWorld, sendTo, signal } from './scripted-world.ts';

const VARIABLES = {
  VONAGE_API_KEY: 'key1',
  VONAGE_API_SECRET: 'secret1',
  VONAGE_SIGNATURE_SECRET: 'old new',
  PUBLIC_URL: 'https://texts.example',
};
const UUID = 'aaaaaaaa-bbbb-cccc-dddd-0123456789ab';
const reader = (settings: Record<string, string> = {}) =>
  vonage.connect(scriptedWorld({ ...VARIABLES, ...settings }));

async function signed(content: unknown, secret = 'new', ageSeconds = 0) {
  const body = JSON.stringify(content);
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body));
  const token = await new SignJWT({ payload_hash: toHex(new Uint8Array(digest)), api_key: 'key1' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(NOW / 1000 - ageSeconds)
    .sign(new TextEncoder().encode(secret));
  return callback('https://texts.example/callbacks/vonage/status', body, {
    authorization: `Bearer ${token}`,
  });
}

describe('sending through Vonage', () => {
  it('asks for one text, with our id as client_ref', async () => {
    const world = scriptedWorld(VARIABLES, [answer(202, { message_uuid: UUID })]);
    expect(await vonage.connect(world).send(MESSAGE, signal())).toEqual({
      kind: 'accepted',
      providerMessageId: UUID,
    });
    const [request] = world.requests;
    expect(request).toMatchObject({ method: 'POST', url: 'https://api.nexmo.com/v1/messages' });
    expect(atob(request?.headers.get('authorization')?.slice(6) ?? '')).toBe('key1:secret1');
    expect(request?.json).toEqual({
      channel: 'sms',
      message_type: 'text',
      text: 'Hi Ada, welcome!',
      from: '18005550100',
      to: '14155550123',
      client_ref: 'msg_01',
      webhook_url: 'https://texts.example/callbacks/vonage/status',
      webhook_version: 'v1',
    });
  });

  it('asks for an MMS with one medium', async () => {
    const world = scriptedWorld(VARIABLES, [answer(202, { message_uuid: UUID })]);
    await vonage.connect(world).send(MMS, signal());
    expect(world.requests[0]?.json).toMatchObject({
      channel: 'mms',
      message_type: 'image',
      image: { url: 'https://cdn.example/hello.png?v=2', caption: 'Hi Ada, welcome!' },
    });
  });

  it('proves itself with the application’s key where there is one', async () => {
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
    const pem = (await exportPKCS8(privateKey)).replaceAll('\n', '\\n');
    const settings = { VONAGE_APPLICATION_ID: 'app1', VONAGE_PRIVATE_KEY: pem };
    const world = scriptedWorld(settings, [answer(202, { message_uuid: UUID })]);
    await vonage.connect(world).send(MESSAGE, signal());
    const token = world.requests[0]?.headers.get('authorization')?.replace('Bearer ', '') ?? '';
    const { payload } = await jwtVerify(token, publicKey, { currentDate: new Date(NOW) });
    expect(payload).toMatchObject({ application_id: 'app1', iat: NOW / 1000 });
    const broken = { ...settings, VONAGE_PRIVATE_KEY: 'no key' };
    expect(await sendTo(vonage, broken, answer(202, {}))).toMatchObject({
      kind: 'rejected',
      error: { code: 'account_problem' },
    });
  });

  it.each([
    [422, '1010', 'request_invalid'],
    [422, '1120', 'sender_invalid'],
    [402, '', 'no_credit'],
    [401, '', 'account_problem'],
  ])('HTTP %i with code %s is rejected as %s', async (status, code, ours) => {
    const type = code === '' ? 'about:blank' : `https://developer.vonage.com/api-errors/messages#${code}`;
    expect(await sendTo(vonage, VARIABLES, answer(status, { type, title: 'x' }))).toMatchObject({
      kind: 'rejected',
      error: { code: ours },
    });
  });
});

describe('Vonage’s webhooks', () => {
  const REJECTED = {
    message_uuid: UUID,
    to: '447700900000',
    from: '447700900001',
    timestamp: '2026-06-01T12:00:00.000Z',
    status: 'rejected',
    channel: 'sms',
    client_ref: 'msg_01',
    error: { type: 'https://developer.vonage.com/api-errors/messages#1260', title: '1260', detail: 'x' },
    usage: { currency: 'EUR', price: '0.0333' },
    sms: { count_total: '1' },
  };

  it('report what became of a text, under any active secret', async () => {
    for (const secret of ['old', 'new'])
      expect(await reader().readStatus(await signed(REJECTED, secret))).toMatchObject({
        ok: true,
        items: [
          {
            provider: 'vonage',
            provider_message_id: UUID,
            reference: 'msg_01',
            state: 'failed',
            code: '1260',
          },
        ],
      });
  });

  it('bring texts', async () => {
    const text = {
      channel: 'sms',
      message_uuid: UUID,
      to: '18005550100',
      from: '14155550100',
      timestamp: '2026-06-01T11:59:58.000Z',
      text: 'STOP',
    };
    expect(await reader().readInbound(await signed(text))).toEqual({
      ok: true,
      items: [
        {
          from: '14155550100',
          to: '18005550100',
          text: 'STOP',
          at: NOW - 2000,
          deliveryId: `vonage:${UUID}`,
          providerKeyword: null,
          providerReplies: true,
        },
      ],
    });
  });

  it('are refused with a changed body, another secret, an old token, no token, or nothing of Vonage’s form', async () => {
    const good = await signed(REJECTED);
    const { body } = callback('https://a.example', JSON.stringify({ ...REJECTED, status: 'delivered' }));
    expect(await reader().readStatus({ ...good, body })).toMatchObject({ reason: 'signature_mismatch' });
    expect(await reader().readStatus(await signed(REJECTED, 'other'))).toMatchObject({
      reason: 'signature_mismatch',
    });
    expect(await reader().readStatus(await signed(REJECTED, 'new', 301))).toMatchObject({
      reason: 'timestamp_out_of_range',
    });
    expect(await reader().readStatus({ ...good, headers: new Headers() })).toMatchObject({
      reason: 'signature_missing',
    });
    expect(await reader().readStatus(await signed({ hello: 1 }))).toMatchObject({ reason: 'malformed' });
    expect(await reader({ VONAGE_SIGNATURE_SECRET: '' }).readStatus(good)).toMatchObject({
      reason: 'not_configured',
    });
  });
});
