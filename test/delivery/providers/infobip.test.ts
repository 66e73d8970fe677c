import { describe, expect, it } from 'vitest';
import { basicAuth } from '../../../src/delivery/providers/http.ts';
import { infobip } from '../../../src/delivery/providers/infobip.ts';
import { hmac, toBase64, toHex } from '../../../src/platform/signature.ts';
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
  INFOBIP_BASE_URL: 'abc12.api.infobip.com',
  INFOBIP_API_KEY: 'key-1',
  INFOBIP_CALLBACK_SECRET: 'ada:lovelace hmac-secret-2',
  PUBLIC_URL: 'https://texts.example/',
};
const STATUS_URL = 'https://texts.example/callbacks/infobip/status';
const INBOUND_URL = 'https://texts.example/callbacks/infobip/inbound';
const BASIC = { authorization: basicAuth('ada', 'lovelace') };

const status = (groupId: number, id: number, name: string) => ({
  messages: [
    { messageId: 'msg_01', status: { groupId, groupName: 'X', id, name, description: 'to +14155550123' } },
  ],
});
const ACCEPTED = {
  bulkId: '1',
  messages: [
    {
      messageId: 'msg_01',
      status: { groupId: 1, groupName: 'PENDING', id: 26, name: 'PENDING_ACCEPTED' },
      destination: '14155550123',
      details: { messageCount: 2 },
    },
  ],
};

describe('sending through Infobip', () => {
  it('asks for a text as the API wants it', async () => {
    const world = scriptedWorld(VARIABLES, [answer(200, ACCEPTED)]);
    const outcome = await infobip.connect(world).send(MESSAGE, signal());
    expect(outcome).toEqual({ kind: 'accepted', providerMessageId: 'msg_01', parts: 2 });
    const [request] = world.requests;
    expect(request).toMatchObject({ method: 'POST', url: 'https://abc12.api.infobip.com/sms/3/messages' });
    expect(request?.headers.get('authorization')).toBe('App key-1');
    expect(request?.headers.get('content-type')).toBe('application/json');
    const token = toHex(await hmac('SHA-256', 'ada:lovelace', 'infobip-report:msg_01'));
    expect(request?.json).toEqual({
      messages: [
        {
          sender: '18005550100',
          destinations: [{ to: '14155550123', messageId: 'msg_01' }],
          content: { text: 'Hi Ada, welcome!' },
          options: { validityPeriod: { amount: 3600, timeUnit: 'SECONDS' } },
          webhooks: {
            callbackData: 'msg_01',
            contentType: 'application/json',
            delivery: { url: `${STATUS_URL}?id=msg_01&token=${token}`, intermediateReport: false },
          },
        },
      ],
      options: { includeSmsCountInResponse: true },
    });
  });

  it('asks for an MMS with its media as links', async () => {
    const world = scriptedWorld(VARIABLES, [answer(200, ACCEPTED)]);
    await infobip.connect(world).send(MMS, signal());
    expect(world.requests[0]?.url).toBe('https://abc12.api.infobip.com/mms/2/messages');
    expect(world.requests[0]?.json.messages[0].content).toEqual({
      messageSegments: [
        { type: 'TEXT', text: 'Hi Ada, welcome!' },
        { type: 'LINK', contentType: 'image/png', contentUrl: 'https://cdn.example/hello.png?v=2' },
      ],
    });
  });

  it('relies on the account’s own settings without PUBLIC_URL or without a secret to prove reports with', async () => {
    for (const name of ['PUBLIC_URL', 'INFOBIP_CALLBACK_SECRET']) {
      const world = scriptedWorld({ ...VARIABLES, [name]: '' }, [answer(200, ACCEPTED)]);
      const bare = { ...world, variable: (key: string) => world.variable(key) || undefined };
      await infobip.connect(bare).send({ ...MESSAGE, sender: 'Acme', validitySeconds: 999_999 }, signal());
      expect(world.requests[0]?.json.messages[0]).toMatchObject({
        sender: 'Acme',
        options: { validityPeriod: { amount: 172_800 } },
      });
      expect(world.requests[0]?.json.messages[0].webhooks).toEqual({ callbackData: 'msg_01' });
    }
  });

  it.each(HTTP_TABLE)('classifies %s', async (_, reply, expected) => {
    const fresh = reply instanceof Response ? reply.clone() : reply;
    expect(await sendTo(infobip, VARIABLES, fresh)).toMatchObject(expected);
  });

  it.each([
    [5, 6, 'REJECTED_NETWORK', 'rejected', 'country_not_enabled'],
    [5, 8, 'REJECTED_PREFIX_MISSING', 'rejected', 'number_invalid'],
    [5, 10, 'REJECTED_DND', 'rejected', 'recipient_blocked'],
    [5, 11, 'REJECTED_SOURCE', 'rejected', 'sender_not_registered'],
    [5, 12, 'REJECTED_NOT_ENOUGH_CREDITS', 'rejected', 'no_credit'],
    [5, 13, 'REJECTED_SENDER', 'rejected', 'sender_invalid'],
    [5, 20, 'REJECTED_FLOODING_FILTER', 'retry_later', 'throttled'],
    [5, 21, 'REJECTED_SYSTEM_ERROR', 'retry_later', 'provider_down'],
    [5, 23, 'REJECTED_DUPLICATE_MESSAGE_ID', 'unknown', 'no_answer'],
    [5, 25, 'REJECTED_MESSAGE_TOO_LONG', 'rejected', 'content_invalid'],
    [5, 52, 'REJECTED_INVALID_DESTINATION', 'rejected', 'number_invalid'],
    [5, 999, 'REJECTED_BY_A_NEW_RULE', 'rejected', 'rejected'],
    [2, 4, 'UNDELIVERABLE_REJECTED_OPERATOR', 'rejected', 'rejected'],
    [4, 15, 'EXPIRED_EXPIRED', 'rejected', 'expired_at_carrier'],
  ] as const)('HTTP 200 with group %i, %i %s is %s', async (group, id, name, kind, code) => {
    const outcome = await sendTo(infobip, VARIABLES, answer(200, status(group, id, name)));
    expect(outcome).toMatchObject({ kind, error: { code, providerCode: name } });
    expect(JSON.stringify(outcome)).not.toContain('4155550123');
  });

  it.each([
    [0, 0, 'MESSAGE_ACCEPTED'],
    [1, 7, 'PENDING_ENROUTE'],
    [3, 5, 'DELIVERED_TO_HANDSET'],
  ])('HTTP 200 with group %i is accepted', async (group, id, name) => {
    const outcome = await sendTo(infobip, VARIABLES, answer(200, status(group, id, name)));
    expect(outcome).toEqual({ kind: 'accepted', providerMessageId: 'msg_01' });
  });

  it('takes a message id for one, whatever stands beside it', async () => {
    const odd = { messages: [{ ...ACCEPTED.messages[0], details: { messageCount: 0 } }] };
    expect(await sendTo(infobip, VARIABLES, answer(200, odd))).toEqual({
      kind: 'accepted',
      providerMessageId: 'msg_01',
    });
  });

  it('reads both error bodies, and a code by its id where it has no name', async () => {
    const v3 = answer(400, { errorCode: 'E400', description: 'x', action: 'y' });
    expect(await sendTo(infobip, VARIABLES, v3)).toMatchObject({ error: { providerCode: 'E400' } });
    const old = answer(401, {
      requestError: { serviceException: { messageId: 'UNAUTHORIZED', text: 'Invalid' } },
    });
    expect(await sendTo(infobip, VARIABLES, old)).toMatchObject({
      error: { code: 'account_problem', providerCode: 'UNAUTHORIZED' },
    });
    const byId = answer(200, { messages: [{ messageId: 'm', status: { groupId: 5, id: 12 } }] });
    expect(await sendTo(infobip, VARIABLES, byId)).toMatchObject({
      error: { code: 'no_credit', providerCode: '12' },
    });
  });
});

describe('asking Infobip', () => {
  it.each([
    ['a message that is on its way', 1, { kind: 'taken', providerMessageId: 'msg_01' }],
    ['a message that came', 3, { kind: 'taken', providerMessageId: 'msg_01' }],
    ['a message that was refused', 5, { kind: 'not_taken' }],
  ])('knows %s', async (_, groupId, expected) => {
    const log = { results: [{ messageId: 'msg_01', status: { groupId, id: 1, name: 'X' } }] };
    const world = scriptedWorld(VARIABLES, [answer(200, log)]);
    expect(await infobip.connect(world).lookup?.(LOOKUP, signal())).toEqual(expected);
    expect(world.requests[0]).toMatchObject({
      method: 'GET',
      url: 'https://abc12.api.infobip.com/sms/3/logs?messageId=msg_01',
    });
    expect(world.requests[0]?.headers.get('authorization')).toBe('App key-1');
  });

  it.each([
    ['an empty log', answer(200, { results: [] })],
    ['another message', answer(200, { results: [{ messageId: 'msg_02', status: { groupId: 1 } }] })],
    ['401', answer(401, '')],
    ['500', answer(500, '')],
    ['no JSON', answer(200, 'x')],
    ['a reset', new TypeError('reset')],
  ])('cannot tell by %s', async (_, reply) => {
    const world = scriptedWorld(VARIABLES, [reply]);
    expect(await infobip.connect(world).lookup?.(LOOKUP, signal())).toEqual({ kind: 'cannot_tell' });
  });
});

const REPORT = {
  bulkId: 'BULK-ID-123-xyz',
  price: { pricePerMessage: 0.01, currency: 'EUR' },
  status: { groupId: 3, groupName: 'DELIVERED', id: 5, name: 'DELIVERED_TO_HANDSET', description: 'x' },
  error: { groupId: 0, groupName: 'OK', id: 0, name: 'NO_ERROR', description: 'No Error', permanent: false },
  messageId: 'MESSAGE-ID-123-xyz',
  to: '41793026727',
  sender: 'InfoSMS',
  sentAt: '2019-11-09T16:00:00.000+0100',
  doneAt: '2019-11-09T16:00:00.000+0100',
  messageCount: 1,
  callbackData: 'callbackData',
};
const SHA1_OF_X = 'c45df741a529dd6be8bc400b86c602bc6c23cadd';
const reportBody = (...results: unknown[]): string => JSON.stringify({ results });
const provider = (variables: Readonly<Record<string, string>> = VARIABLES) =>
  infobip.connect(scriptedWorld(variables));

describe('Infobip’s reports', () => {
  it('are read as documented', async () => {
    const read = await provider().readStatus(callback(STATUS_URL, reportBody(REPORT), BASIC));
    expect(read).toEqual({
      ok: true,
      items: [
        {
          provider: 'infobip',
          provider_message_id: 'MESSAGE-ID-123-xyz',
          reference: 'callbackData',
          state: 'delivered',
          code: null,
          error: null,
          parts: null,
          part: null,
        },
      ],
    });
  });

  it.each([
    [1, 'PENDING_ENROUTE', 0, 'NO_ERROR', 'sent', null, null],
    [3, 'DELIVERED_TO_OPERATOR', 0, 'NO_ERROR', 'sent', null, null],
    [
      2,
      'UNDELIVERABLE_NOT_DELIVERED',
      1,
      'EC_UNKNOWN_SUBSCRIBER',
      'undelivered',
      'EC_UNKNOWN_SUBSCRIBER',
      'number_invalid',
    ],
    [
      2,
      'UNDELIVERABLE_NOT_DELIVERED',
      27,
      'EC_ABSENT_SUBSCRIBER',
      'undelivered',
      'EC_ABSENT_SUBSCRIBER',
      'unreachable',
    ],
    [
      2,
      'UNDELIVERABLE_NOT_DELIVERED',
      1158,
      'EC_NNR_networkCongestion',
      'undelivered',
      'EC_NNR_networkCongestion',
      'unreachable',
    ],
    [
      2,
      'UNDELIVERABLE_REJECTED_OPERATOR',
      0,
      'NO_ERROR',
      'undelivered',
      'UNDELIVERABLE_REJECTED_OPERATOR',
      'rejected',
    ],
    [4, 'EXPIRED_EXPIRED', 2048, 'EC_TIME_OUT', 'undelivered', 'EC_TIME_OUT', 'expired_at_carrier'],
    [5, 'REJECTED_DND', 0, 'NO_ERROR', 'failed', 'REJECTED_DND', 'recipient_blocked'],
    [5, 'REJECTED_NEW', 7777, 'EC_NEW', 'failed', 'EC_NEW', 'rejected'],
  ])('group %i %s with error %i %s is %s', async (groupId, name, errorId, errorName, state, code, error) => {
    const entry = { ...REPORT, status: { groupId, id: 1, name }, error: { id: errorId, name: errorName } };
    const read = await provider().readStatus(callback(STATUS_URL, reportBody(entry), BASIC));
    expect(read).toMatchObject({ ok: true, items: [{ state, code, error }] });
  });

  it('come many at once, and one that cannot be read does not cost the others', async () => {
    const body = reportBody(
      REPORT,
      { nonsense: true },
      { ...REPORT, messageId: 'second', callbackData: null },
    );
    const read = await provider().readStatus(callback(STATUS_URL, body, BASIC));
    expect(read.ok && read.items.map((item) => [item.provider_message_id, item.reference])).toEqual([
      ['MESSAGE-ID-123-xyz', 'callbackData'],
      ['second', 'second'],
    ]);
  });

  it('are proven by the token in their address, for that message alone', async () => {
    const world = scriptedWorld(VARIABLES, [answer(200, ACCEPTED)]);
    await infobip.connect(world).send(MESSAGE, signal());
    const url: string = world.requests[0]?.json.messages[0].webhooks.delivery.url;
    const body = reportBody({ ...REPORT, messageId: 'msg_01' }, REPORT);
    const read = await provider().readStatus(callback(url, body));
    expect(read.ok && read.items.map((item) => item.provider_message_id)).toEqual(['msg_01']);
    const other = url.replace('id=msg_01', 'id=msg_02');
    expect(await provider().readStatus(callback(other, body))).toEqual({
      ok: false,
      reason: 'signature_mismatch',
    });
    // The token of a report proves no inbound text.
    const inbound = url.replace('/status', '/inbound');
    expect((await provider().readInbound(callback(inbound, reportBody()))).ok).toBe(false);
  });

  it('are proven by an HMAC of the raw body, in each form', async () => {
    const body = reportBody(REPORT);
    const sha256 = await hmac('SHA-256', 'hmac-secret-2', body);
    const sha1 = await hmac('SHA-1', 'hmac-secret-2', body);
    const sha512 = await hmac('SHA-512', 'hmac-secret-2', body);
    for (const header of [
      toHex(sha256),
      toHex(sha256).toUpperCase(),
      `sha256=${toHex(sha256)}`,
      `sha512=${toHex(sha512)}`,
      `SHA1=${toHex(sha1).toUpperCase()}`,
      toBase64(sha256),
    ]) {
      const headers = { 'x-hub-signature': header };
      expect((await provider().readStatus(callback(STATUS_URL, body, headers))).ok).toBe(true);
      expect(await provider().readStatus(callback(STATUS_URL, tampered(body), headers))).toEqual({
        ok: false,
        reason: 'signature_mismatch',
      });
    }
  });

  it.each([
    ['no proof', {}, reportBody(REPORT), 'signature_missing'],
    [
      'another password',
      { authorization: basicAuth('ada', 'byron') },
      reportBody(REPORT),
      'signature_mismatch',
    ],
    [
      'another user',
      { authorization: basicAuth('bob', 'lovelace') },
      reportBody(REPORT),
      'signature_mismatch',
    ],
    ['a SHA-1 that does not say so', { 'x-hub-signature': SHA1_OF_X }, 'x', 'signature_mismatch'],
    ['an empty signature', { 'x-hub-signature': 'sha256=' }, reportBody(REPORT), 'signature_mismatch'],
    ['no JSON', BASIC, 'x', 'malformed'],
    ['no UTF-8', BASIC, new Uint8Array([0x7b, 0xff, 0x7d]), 'malformed'],
    ['no results', BASIC, '{}', 'malformed'],
    ['only results that nobody can read', BASIC, reportBody({ a: 1 }), 'malformed'],
  ])('with %s are refused', async (_, headers, body, reason) => {
    expect(await provider().readStatus(callback(STATUS_URL, body, headers))).toEqual({ ok: false, reason });
  });

  it('are acknowledged with 200, the one status that Infobip names', () => {
    expect(provider().acknowledge?.().status).toBe(200);
  });

  it('are refused where no secret is set', async () => {
    const bare = provider({ INFOBIP_BASE_URL: 'x', INFOBIP_API_KEY: 'y' });
    const refusal = { ok: false, reason: 'not_configured' };
    expect(await bare.readStatus(callback(STATUS_URL, reportBody(REPORT), BASIC))).toEqual(refusal);
    expect(await bare.readInbound(callback(INBOUND_URL, reportBody(REPORT), BASIC))).toEqual(refusal);
  });
});

describe('Infobip’s inbound texts', () => {
  const TEXT = {
    messageId: '817790313235066447',
    from: '385916242493',
    to: '385921004026',
    text: 'QUIZ Correct answer is Paris',
    cleanText: 'Correct answer is Paris',
    keyword: 'QUIZ',
    receivedAt: '2019-11-09T16:00:00.000+0000',
    smsCount: 1,
  };

  it('are read whole, not as the keyword left them', async () => {
    const read = await provider().readInbound(callback(INBOUND_URL, reportBody(TEXT), BASIC));
    expect(read).toEqual({
      ok: true,
      items: [
        {
          from: '385916242493',
          to: '385921004026',
          text: 'QUIZ Correct answer is Paris',
          at: Date.UTC(2019, 10, 9, 16),
          deliveryId: 'infobip:817790313235066447',
          providerKeyword: null,
          providerReplies: false,
        },
      ],
    });
  });

  it('of an MMS have their words in segments', async () => {
    const { text: _, receivedAt: __, ...mms } = TEXT;
    const message = [
      { contentType: 'image/jpeg', url: 'https://examplelink.com/123456' },
      { contentType: 'text/plain', value: 'STOP' },
    ];
    const read = await provider().readInbound(callback(INBOUND_URL, reportBody({ ...mms, message }), BASIC));
    expect(read).toMatchObject({ ok: true, items: [{ text: 'STOP', at: NOW }] });
  });

  it('lose no STOP to a stray NUL or half a character', async () => {
    const read = await provider().readInbound(
      callback(INBOUND_URL, reportBody({ ...TEXT, text: 'STOP\u0000\ud800' }), BASIC),
    );
    expect(read).toMatchObject({ ok: true, items: [{ text: 'STOP\ufffd' }] });
  });
});
