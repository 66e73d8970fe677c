import { describe, expect, it } from 'vitest';
import { plivo } from '../../../src/delivery/providers/plivo.ts';
import { hmac, toBase64 } from '../../../src/platform/signature.ts';
import { answer, callback, MESSAGE, MMS, NOW, scriptedWorld, sendTo, signal } from './scripted-world.ts';

const VARIABLES = {
  PLIVO_AUTH_ID: 'MAXXXXXXXXXXXXXXXXXX',
  PLIVO_AUTH_TOKEN: 'token-1 token-0',
  PUBLIC_URL: 'https://texts.example',
};
const reader = (settings: Record<string, string> = {}) =>
  plivo.connect(scriptedWorld({ ...VARIABLES, ...settings }));

async function signed(path: string, fields: Record<string, string>, method = 'POST', token = 'token-0') {
  const [address = '', query = ''] = `https://texts.example/callbacks/plivo/${path}`.split('?');
  const sorted = Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
  const form = new URLSearchParams(fields).toString();
  const pairs = [...new URLSearchParams(query), ...(method === 'GET' ? sorted : [])].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const line = pairs.map(([key, value]) => `${key}=${value}`).join('&');
  const tail =
    method === 'GET'
      ? line
      : `${line}${line === '' ? '' : '.'}${sorted.map((pair) => pair.join('')).join('')}`;
  const url =
    method === 'GET'
      ? `${address}?${[query, form].filter(Boolean).join('&')}`
      : `${address}${query && `?${query}`}`;
  const signature = toBase64(await hmac('SHA-256', token, `${address}?${tail}.12345`));
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'x-plivo-signature-v3': `AAAA, ${signature}`,
    'x-plivo-signature-v3-nonce': '12345',
  };
  return callback(url, method === 'GET' ? '' : form, headers, method);
}

describe('sending through Plivo', () => {
  it('asks for one text, with our id in the address of its callback', async () => {
    const world = scriptedWorld(VARIABLES, [answer(202, { message_uuid: ['uuid-1'], api_id: 'a' })]);
    expect(await plivo.connect(world).send(MESSAGE, signal())).toEqual({
      kind: 'accepted',
      providerMessageId: 'uuid-1',
    });
    const [request] = world.requests;
    expect(request).toMatchObject({
      method: 'POST',
      url: 'https://api.plivo.com/v1/Account/MAXXXXXXXXXXXXXXXXXX/Message/',
    });
    expect(atob(request?.headers.get('authorization')?.slice(6) ?? '')).toBe('MAXXXXXXXXXXXXXXXXXX:token-1');
    expect(request?.json).toEqual({
      src: '+18005550100',
      dst: '+14155550123',
      type: 'sms',
      text: 'Hi Ada, welcome!',
      url: 'https://texts.example/callbacks/plivo/status?ref=msg_01',
      method: 'POST',
      message_expiry: 3600,
    });
  });

  it('asks for an MMS with its media', async () => {
    const world = scriptedWorld(VARIABLES, [answer(202, { message_uuid: ['uuid-1'] })]);
    await plivo.connect(world).send(MMS, signal());
    expect(world.requests[0]?.json).toMatchObject({ type: 'mms', media_urls: MMS.mediaUrls });
  });

  it('takes a 202 without an id, but with an invalid number, for a rejection', async () => {
    const reply = answer(202, { message_uuid: [], invalid_number: ['14155550123'] });
    expect(await sendTo(plivo, VARIABLES, reply)).toMatchObject({
      kind: 'rejected',
      error: { code: 'number_invalid' },
    });
  });
});

describe('Plivo’s callbacks', () => {
  const FAILED = {
    MessageUUID: 'uuid-1',
    Status: 'undelivered',
    ErrorCode: '60',
    To: '14155550123',
    Units: '2',
  };

  it.each(['POST', 'GET'])('report by %s what became of a text', async (method) => {
    expect(await reader().readStatus(await signed('status?ref=msg_01', FAILED, method))).toEqual({
      ok: true,
      items: [
        {
          provider: 'plivo',
          provider_message_id: 'uuid-1',
          reference: 'msg_01',
          state: 'undelivered',
          code: '60',
          error: 'landline',
          parts: null,
          part: null,
        },
      ],
    });
  });

  it('report the parts of a long text one by one', async () => {
    const part = { MessageUUID: 'p2', ParentMessageUUID: 'uuid-1', Status: 'delivered', PartInfo: '2 of 3' };
    expect(await reader().readStatus(await signed('status', part))).toMatchObject({
      items: [{ provider_message_id: 'uuid-1', state: 'delivered', parts: 3, part: '2' }],
    });
  });

  it('bring texts', async () => {
    const STOP = { MessageUUID: 'in1', From: '14155550100', To: '18005550100', Text: 'STOP', Type: 'sms' };
    expect(await reader().readInbound(await signed('inbound', STOP))).toEqual({
      ok: true,
      items: [
        {
          from: '14155550100',
          to: '18005550100',
          text: 'STOP',
          at: NOW,
          deliveryId: 'plivo:in1',
          providerKeyword: null,
          providerReplies: true,
        },
      ],
    });
  });

  it('are refused with a changed field, another token, no signature, or nothing of Plivo’s form', async () => {
    const good = await signed('status?ref=msg_01', FAILED);
    const { body } = callback('https://a.example', 'MessageUUID=uuid-1&Status=delivered');
    expect(await reader().readStatus({ ...good, body })).toMatchObject({ reason: 'signature_mismatch' });
    expect(await reader().readStatus({ ...good, url: good.url.replace('msg_01', 'msg_02') })).toMatchObject({
      reason: 'signature_mismatch',
    });
    expect(await reader().readStatus(await signed('status', FAILED, 'POST', 'other'))).toMatchObject({
      reason: 'signature_mismatch',
    });
    expect(await reader().readStatus({ ...good, headers: new Headers() })).toMatchObject({
      reason: 'signature_missing',
    });
    expect(await reader().readStatus(await signed('status', { Hello: 'there' }))).toMatchObject({
      reason: 'malformed',
    });
    expect(await plivo.connect(scriptedWorld({})).readStatus(good)).toMatchObject({
      reason: 'not_configured',
    });
  });
});
