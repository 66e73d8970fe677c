import { describe, expect, it } from 'vitest';
import { sinch } from '../../../src/delivery/providers/sinch.ts';
import { hmac, toBase64 } from '../../../src/platform/signature.ts';
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
  SINCH_SERVICE_PLAN_ID: 'plan1',
  SINCH_API_TOKEN: 'token-1',
  SINCH_WEBHOOK_SECRET: 'old-secret SMSWebhooksSecret',
  PUBLIC_URL: 'https://texts.example',
};
const STATUS_URL = 'https://texts.example/callbacks/sinch/status';
const INBOUND_URL = 'https://texts.example/callbacks/sinch/inbound';
const BATCH = { id: '01JHFFHQ0P99JPPNQPJDV7JTBP', to: ['14155550123'], canceled: false, type: 'mt_text' };

describe('sending through Sinch', () => {
  it('asks for a batch of one text, with our id as client reference', async () => {
    const world = scriptedWorld(VARIABLES, [answer(201, BATCH)]);
    const outcome = await sinch.connect(world).send(MESSAGE, signal());
    expect(outcome).toEqual({ kind: 'accepted', providerMessageId: BATCH.id });
    const [request] = world.requests;
    expect(request).toMatchObject({
      method: 'POST',
      url: 'https://us.sms.api.sinch.com/xms/v1/plan1/batches',
    });
    expect(request?.headers.get('authorization')).toBe('Bearer token-1');
    expect(request?.headers.get('content-type')).toBe('application/json');
    expect(request?.json).toEqual({
      type: 'mt_text',
      body: 'Hi Ada, welcome!',
      from: '+18005550100',
      to: ['+14155550123'],
      client_reference: 'msg_01',
      delivery_report: 'per_recipient',
      expire_at: '2026-06-01T13:00:00.000Z',
      callback_url: STATUS_URL,
    });
  });

  it('asks for an MMS with one medium, and refuses several without a call', async () => {
    const world = scriptedWorld(VARIABLES, [answer(201, BATCH), answer(201, BATCH)]);
    await sinch.connect(world).send(MMS, signal());
    await sinch.connect(world).send({ ...MMS, body: '' }, signal());
    const url = 'https://cdn.example/hello.png?v=2';
    expect(world.requests.map(({ json }) => [json.type, json.body])).toEqual([
      ['mt_media', { url, message: 'Hi Ada, welcome!' }],
      ['mt_media', { url }],
    ]);
    const several = { ...MMS, mediaUrls: [url, url] };
    expect(await sinch.connect(world).send(several, signal())).toMatchObject({
      kind: 'rejected',
      error: { code: 'content_invalid' },
    });
    expect(world.requests).toHaveLength(2);
  });

  it.each([
    [{ SINCH_REGION: 'eu' }, 'https://eu.sms.api.sinch.com'],
    [{ SINCH_REGION: 'eu', SINCH_BASE_URL: 'http://127.0.0.1:8080/' }, 'http://127.0.0.1:8080'],
  ])('goes where %j says, and without PUBLIC_URL relies on the service plan', async (variables, base) => {
    const { PUBLIC_URL: _, ...rest } = VARIABLES;
    const world = scriptedWorld({ ...rest, ...variables }, [answer(201, BATCH)]);
    await sinch.connect(world).send({ ...MESSAGE, validitySeconds: 9_999_999 }, signal());
    expect(world.requests[0]?.url).toBe(`${base}/xms/v1/plan1/batches`);
    expect(world.requests[0]?.json.callback_url).toBeUndefined();
    expect(world.requests[0]?.json.expire_at).toBe('2026-06-04T12:00:00.000Z');
  });

  it.each(HTTP_TABLE)('classifies %s', async (_, reply, expected) => {
    const fresh = reply instanceof Response ? reply.clone() : reply;
    expect(await sendTo(sinch, VARIABLES, fresh)).toMatchObject(expected);
  });

  it.each([
    [400, 'syntax_invalid_parameter_format', 'request_invalid'],
    [400, 'syntax_constraint_violation', 'request_invalid'],
    [403, 'missing_callback_url', 'request_invalid'],
    [403, 'something_new', 'account_problem'],
    [402, 'payment_required', 'no_credit'],
    [404, 'not_found', 'account_problem'],
  ])('HTTP %i %s is %s', async (status, code, expected) => {
    const outcome = await sendTo(sinch, VARIABLES, answer(status, { code, text: 'Bad: +14155550123' }));
    expect(outcome).toMatchObject({ kind: 'rejected', error: { code: expected, providerCode: code } });
    expect(JSON.stringify(outcome)).not.toContain('415555');
  });
});

describe('asking Sinch', () => {
  it('finds the batch by our reference', async () => {
    const batches = [
      { id: 'other', client_reference: 'msg_02' },
      { id: 'ours', client_reference: 'msg_01' },
    ];
    const world = scriptedWorld(VARIABLES, [answer(200, { count: 2, page: 0, batches })]);
    expect(await sinch.connect(world).lookup?.(LOOKUP, signal())).toEqual({
      kind: 'taken',
      providerMessageId: 'ours',
    });
    expect(world.requests[0]).toMatchObject({
      method: 'GET',
      url: 'https://us.sms.api.sinch.com/xms/v1/plan1/batches?client_reference=msg_01&start_date=2026-06-01T11%3A49%3A30.000Z&page_size=100',
    });
  });

  it.each([
    ['an empty list', answer(200, { count: 0, page: 0, batches: [] })],
    ['no JSON', answer(200, 'x')],
    ['401', answer(401, '')],
    ['503', answer(503, '')],
    ['a reset', new TypeError('reset')],
  ])('cannot tell by %s', async (_, reply) => {
    const world = scriptedWorld(VARIABLES, [reply]);
    expect(await sinch.connect(world).lookup?.(LOOKUP, signal())).toEqual({ kind: 'cannot_tell' });
  });
});

/** Published in Sinch's SDK for Node.js (Apache-2.0), packages/sms/tests/rest/v1/callbacks. */
const VECTOR = {
  body: '{"at":"2025-01-13T09:22:40.914Z","batch_id":"01JHFFHQ0P99JPPNQPJDV7JTBP","client_reference":"a client reference","code":0,"operator_status_at":"2025-01-13T09:22:00Z","recipient":"33662162466","status":"Delivered","type":"recipient_delivery_report_sms"}',
  headers: {
    'x-sinch-webhook-signature': 'ZoHei66PPN/kZjw7hFVfGhJOnml3iGNCMWoyQVcE5o0=',
    'x-sinch-webhook-signature-algorithm': 'HmacSHA256',
    'x-sinch-webhook-signature-nonce': '01JHFFHWYY7HSS4FWTMDTQEK8V',
    'x-sinch-webhook-signature-timestamp': '1736760161',
  },
  at: 1736760161_000,
};
const provider = (now: number = NOW, variables: Readonly<Record<string, string>> = VARIABLES) =>
  sinch.connect(scriptedWorld(variables, [], now));

async function signed(body: string): Promise<Record<string, string>> {
  const timestamp = String(NOW / 1000);
  const digest = await hmac('SHA-256', 'SMSWebhooksSecret', `${body}.nonce-1.${timestamp}`);
  return {
    'x-sinch-webhook-signature': toBase64(digest),
    'x-sinch-webhook-signature-nonce': 'nonce-1',
    'x-sinch-webhook-signature-timestamp': timestamp,
  };
}
async function status(report: unknown) {
  const body = JSON.stringify(report);
  return await provider().readStatus(callback(STATUS_URL, body, await signed(body)));
}
async function inbound(text: unknown) {
  const body = JSON.stringify(text);
  return await provider().readInbound(callback(INBOUND_URL, body, await signed(body)));
}

describe('Sinch’s signature', () => {
  it('is verified as published', async () => {
    const read = await provider(VECTOR.at).readStatus(callback(STATUS_URL, VECTOR.body, VECTOR.headers));
    expect(read).toEqual({
      ok: true,
      items: [
        {
          provider: 'sinch',
          provider_message_id: '01JHFFHQ0P99JPPNQPJDV7JTBP',
          reference: 'a client reference',
          state: 'delivered',
          code: null,
          error: null,
          parts: null,
          part: null,
        },
      ],
    });
  });

  const change = (name: string, value: string) => ({
    ...VECTOR.headers,
    [`x-sinch-webhook-signature${name}`]: value,
  });
  it.each([
    ['a changed byte', tampered(VECTOR.body), VECTOR.headers, 0, 'signature_mismatch'],
    ['a byte more', `${VECTOR.body}\n`, VECTOR.headers, 0, 'signature_mismatch'],
    ['another nonce', VECTOR.body, change('-nonce', 'x'), 0, 'signature_mismatch'],
    ['another time', VECTOR.body, change('-timestamp', '1736760162'), 0, 'signature_mismatch'],
    ['another algorithm', VECTOR.body, change('-algorithm', 'HmacSHA1'), 0, 'signature_mismatch'],
    ['a signature that is none', VECTOR.body, change('', '%%%'), 0, 'signature_mismatch'],
    [
      'a twin of its last character',
      VECTOR.body,
      change('', VECTOR.headers['x-sinch-webhook-signature'].replace('0=', '1=')),
      0,
      'signature_mismatch',
    ],
    ['no signature', VECTOR.body, change('', ''), 0, 'signature_missing'],
    ['no nonce', VECTOR.body, change('-nonce', ''), 0, 'signature_missing'],
    ['no time', VECTOR.body, change('-timestamp', ''), 0, 'signature_missing'],
    ['a time gone by', VECTOR.body, VECTOR.headers, 301_000, 'timestamp_out_of_range'],
    ['a time to come', VECTOR.body, VECTOR.headers, -301_000, 'timestamp_out_of_range'],
  ])('refuses %s', async (_, body, headers, skew, reason) => {
    const refusal = { ok: false, reason };
    expect(await provider(VECTOR.at + skew).readStatus(callback(STATUS_URL, body, headers))).toEqual(refusal);
    expect(await provider(VECTOR.at + skew).readInbound(callback(INBOUND_URL, body, headers))).toEqual(
      refusal,
    );
  });

  it('refuses another secret, and everything without one', async () => {
    const request = callback(STATUS_URL, VECTOR.body, VECTOR.headers);
    const other = provider(VECTOR.at, { ...VARIABLES, SINCH_WEBHOOK_SECRET: 'another' });
    expect(await other.readStatus(request)).toEqual({ ok: false, reason: 'signature_mismatch' });
    const none = provider(VECTOR.at, { SINCH_SERVICE_PLAN_ID: 'x' });
    expect(await none.readStatus(request)).toEqual({ ok: false, reason: 'not_configured' });
  });

  it('holds for bytes that are no UTF-8, which are then malformed', async () => {
    const bytes = new Uint8Array([0xff, 0xfe]);
    const suffix = new TextEncoder().encode(`.nonce-1.${NOW / 1000}`);
    const digest = await hmac('SHA-256', 'SMSWebhooksSecret', new Uint8Array([...bytes, ...suffix]));
    const headers = { ...(await signed('')), 'x-sinch-webhook-signature': toBase64(digest) };
    expect(await provider().readStatus(callback(STATUS_URL, bytes, headers))).toEqual({
      ok: false,
      reason: 'malformed',
    });
  });
});

describe('Sinch’s reports', () => {
  const report = JSON.parse(VECTOR.body) as Record<string, unknown>;

  it.each([
    ['Queued', 400, 'sent', null, null],
    ['Dispatched', 401, 'sent', null, null],
    ['Unknown', 0, 'sent', null, null],
    ['Rejected', 402, 'failed', '402', 'country_not_enabled'],
    ['Aborted', 403, 'failed', '403', 'provider_down'],
    ['Failed', 404, 'undelivered', '404', 'unreachable'],
    ['Expired', 406, 'undelivered', '406', 'expired_at_carrier'],
    ['Cancelled', 407, 'failed', '407', 'rejected'],
    ['Rejected', 410, 'failed', '410', 'sender_invalid'],
    ['Rejected', 411, 'failed', '411', 'content_invalid'],
    ['Rejected', 413, 'failed', '413', 'account_problem'],
    ['Failed', 417, 'undelivered', '417', 'unreachable'],
    ['Failed', 27, 'undelivered', '27', 'unreachable'],
    ['Deleted', 5, 'undelivered', '5', 'rejected'],
  ])('%s with code %i is %s', async (name, code, state, ownCode, error) => {
    const read = await status({ ...report, status: name, code });
    expect(read).toMatchObject({ ok: true, items: [{ state, code: ownCode, error }] });
  });

  it('are read for MMS and for batches too', async () => {
    const mms = await status({ ...report, type: 'recipient_delivery_report_mms' });
    expect(mms).toMatchObject({ ok: true, items: [{ state: 'delivered' }] });
    const statuses = [{ code: 404, status: 'Failed', count: 1, recipients: ['14155550123'] }];
    const batch = await status({
      batch_id: 'b1',
      client_reference: 'msg_01',
      type: 'delivery_report_sms',
      statuses,
      total_message_count: 1,
    });
    expect(batch).toMatchObject({
      ok: true,
      items: [{ provider_message_id: 'b1', reference: 'msg_01', state: 'undelivered', error: 'unreachable' }],
    });
  });

  it('with a status that we do not know, or of another kind, give nothing', async () => {
    expect(await status({ ...report, status: 'constructor' })).toEqual({ ok: true, items: [] });
    expect(await status({ type: 'mo_text', id: '1', from: '1', body: 'STOP' })).toEqual({
      ok: true,
      items: [],
    });
    expect(await inbound(report)).toEqual({ ok: true, items: [] });
  });

  it('that are not as documented are malformed', async () => {
    const { batch_id: _, ...without } = report;
    expect(await status(without)).toEqual({ ok: false, reason: 'malformed' });
    expect(await status([])).toEqual({ ok: false, reason: 'malformed' });
    expect(await status(null)).toEqual({ ok: false, reason: 'malformed' });
  });
});

describe('Sinch’s inbound texts', () => {
  const text = {
    id: '01W4FFL35P4NC4K35SMSBATCH8',
    type: 'mo_text',
    from: '12015555555',
    to: '12017777777',
    body: 'Hello John! 👋',
    operator_id: '311071',
    received_at: '2024-06-06T07:52:37.386Z',
  };

  it('are read as documented', async () => {
    expect(await inbound(text)).toEqual({
      ok: true,
      items: [
        {
          from: '12015555555',
          to: '12017777777',
          text: 'Hello John! 👋',
          at: Date.parse('2024-06-06T07:52:37.386Z'),
          deliveryId: 'sinch:01W4FFL35P4NC4K35SMSBATCH8',
          providerKeyword: null,
          providerReplies: false,
        },
      ],
    });
  });

  it('of an MMS are its message or its subject', async () => {
    const media = [
      { url: 'https://x.example/1.png', content_type: 'image/png', status: 'Uploaded', code: 0 },
    ];
    const mms = (body: object) => inbound({ ...text, type: 'mo_media', body: { media, ...body } });
    expect(await mms({ message: 'STOP', subject: 'Re: hi' })).toMatchObject({ items: [{ text: 'STOP' }] });
    expect(await mms({ message: null, subject: 'STOP' })).toMatchObject({ items: [{ text: 'STOP' }] });
    expect(await mms({})).toMatchObject({ items: [{ text: '' }] });
  });

  it('in binary are verified and give nothing', async () => {
    expect(await inbound({ ...text, type: 'mo_binary', body: 'AA==' })).toEqual({ ok: true, items: [] });
  });
});
