import { SignJWT } from 'jose';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { bird } from '../../../src/delivery/providers/bird.ts';
import { verifyMessageBirdJwt } from '../../../src/delivery/providers/bird-jwt.ts';
import { toHex } from '../../../src/platform/signature.ts';
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
import jwtVectors from './vectors/messagebird-signature-jwt.json';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const SIGNING_KEY = '36efdd1aace2e26cd490f0d951138253bef2f7c6d34d18981da781555cc4cebb';
const VARIABLES = {
  BIRD_ACCESS_KEY: 'bk_eu1_token',
  BIRD_WEBHOOK_SECRET: `whsec_b2xk,${SECRET}\n${SIGNING_KEY}`,
};
const STATUS_URL = 'https://texts.example/callbacks/bird/status';
const INBOUND_URL = 'https://texts.example/callbacks/bird/inbound';
const ACCEPTED = { id: 'sms_abc123', direction: 'outbound', status: 'accepted', segments: { count: 1 } };

describe('sending through Bird', () => {
  it('asks as the API wants it, with our id as idempotency key and metadata', async () => {
    const world = scriptedWorld(VARIABLES, [answer(202, ACCEPTED)]);
    const outcome = await bird.connect(world).send(MESSAGE, signal());
    expect(outcome).toEqual({ kind: 'accepted', providerMessageId: 'sms_abc123', parts: 1 });
    const [request] = world.requests;
    expect(request).toMatchObject({ method: 'POST', url: 'https://eu1.platform.bird.com/v1/sms/messages' });
    expect(request?.headers.get('authorization')).toBe('Bearer bk_eu1_token');
    expect(request?.headers.get('idempotency-key')).toBe('msg_01');
    expect(request?.headers.get('user-agent')).toBe('optitext');
    expect(request?.headers.get('content-type')).toBe('application/json');
    expect(request?.json).toEqual({
      from: '+18005550100',
      to: '+14155550123',
      text: 'Hi Ada, welcome!',
      category: 'transactional',
      metadata: { optitext_id: 'msg_01' },
    });
  });

  it.each([
    [{ BIRD_REGION: 'us1' }, 'https://us1.platform.bird.com'],
    [{ BIRD_BASE_URL: 'http://127.0.0.1:8080/' }, 'http://127.0.0.1:8080'],
    [{ BIRD_ACCESS_KEY: 'something else' }, 'https://us1.platform.bird.com'],
  ])('goes where %j says', async (variables, base) => {
    const world = scriptedWorld({ ...VARIABLES, BIRD_CATEGORY: 'marketing', ...variables }, [
      answer(202, ACCEPTED),
    ]);
    await bird.connect(world).send(MESSAGE, signal());
    expect(world.requests[0]?.url).toBe(`${base}/v1/sms/messages`);
    expect(world.requests[0]?.json.category).toBe('marketing');
  });

  it('leaves an MMS to another provider, without a call', async () => {
    const world = scriptedWorld(VARIABLES);
    expect(bird.connect(world).channels).toEqual(['sms']);
    expect(await bird.connect(world).send(MMS, signal())).toMatchObject({
      kind: 'rejected',
      error: { code: 'request_invalid' },
    });
    expect(world.requests).toEqual([]);
  });

  it.each(HTTP_TABLE)('classifies %s', async (_, reply, expected) => {
    const fresh = reply instanceof Response ? reply.clone() : reply;
    expect(await sendTo(bird, VARIABLES, fresh)).toMatchObject(expected);
  });

  it.each([
    [422, 'SMSInvalidRecipient', 'E12001', 'validation_error', 'rejected', 'number_invalid'],
    [422, 'SMSNoEligibleSender', 'E12002', 'validation_error', 'rejected', 'sender_invalid'],
    [422, 'SMSSenderReserved', 'E12003', 'validation_error', 'rejected', 'sender_invalid'],
    [422, 'SenderCategoryNotPermitted', 'E12004', 'validation_error', 'rejected', 'sender_not_registered'],
    [422, 'SMSDestinationNotEnabled', 'E12020', 'validation_error', 'rejected', 'country_not_enabled'],
    [422, 'SomethingNew', 'E19999', 'validation_error', 'rejected', 'request_invalid'],
    [402, 'InsufficientBalance', 'E02000', 'billing_error', 'rejected', 'no_credit'],
    [401, 'InvalidKey', 'E00001', 'auth_error', 'rejected', 'account_problem'],
    [409, 'request_in_progress', 'E01004', 'conflict_error', 'unknown', 'no_answer'],
    [409, 'idempotency_key_reuse', 'E01005', 'conflict_error', 'unknown', 'no_answer'],
    [408, 'Timeout', 'E00408', 'internal_error', 'unknown', 'no_answer'],
    [503, 'IdempotencyUnavailable', 'E00503', 'service_unavailable_error', 'unknown', 'no_answer'],
    [429, 'RateLimited', 'E00429', 'rate_limit_error', 'retry_later', 'throttled'],
  ])('HTTP %i %s', async (status, name, code, type, kind, expected) => {
    const body = { error: { type, code, name, message: `bad +14155550123`, request_id: 'req_1' } };
    const outcome = await sendTo(bird, VARIABLES, answer(status, body));
    expect(outcome).toMatchObject({ kind, error: { code: expected, providerCode: name } });
    expect(JSON.stringify(outcome)).not.toContain('415555');
    expect(await sendTo(bird, VARIABLES, answer(status, body.error))).toEqual(outcome);
  });

  it('takes an id for an id, whatever stands beside it', async () => {
    const odd = { id: 'sms_1', status: 'accepted', segments: { count: 0 }, last_error: 'none' };
    expect(await sendTo(bird, VARIABLES, answer(202, odd))).toEqual({
      kind: 'accepted',
      providerMessageId: 'sms_1',
    });
  });

  it('takes a failed message for a rejection, though it came with 202', async () => {
    const failed = { ...ACCEPTED, status: 'rejected', last_error: { code: 'recipient_opted_out' } };
    expect(await sendTo(bird, VARIABLES, answer(202, failed))).toEqual({
      kind: 'rejected',
      error: { code: 'opted_out', providerCode: 'recipient_opted_out', detail: null },
    });
  });
});

describe('asking Bird', () => {
  const other = { id: 'sms_other', metadata: null, created_at: new Date(NOW - 20_000).toISOString() };
  const ours = { id: 'sms_ours', metadata: { optitext_id: 'msg_01' }, created_at: other.created_at };

  it('reads page by page until it finds our id, without a phone number in any address', async () => {
    const world = scriptedWorld(VARIABLES, [
      answer(200, { data: [other], next_cursor: 'c1' }),
      answer(200, { data: [other, ours], next_cursor: 'c2' }),
    ]);
    expect(await bird.connect(world).lookup?.(LOOKUP, signal())).toEqual({
      kind: 'taken',
      providerMessageId: 'sms_ours',
    });
    const base = 'https://eu1.platform.bird.com/v1/sms/messages?direction=outbound&limit=100';
    expect(world.requests.map(({ url }) => url)).toEqual([base, `${base}&starting_after=c1`]);
  });

  it('stops at what is older than the call, or at the end, and cannot tell', async () => {
    const old = { ...other, created_at: new Date(NOW - 200_000).toISOString() };
    for (const page of [
      { data: [other, old], next_cursor: 'c1' },
      { data: [], next_cursor: null },
    ]) {
      const world = scriptedWorld(VARIABLES, [answer(200, page)]);
      expect(await bird.connect(world).lookup?.(LOOKUP, signal())).toEqual({ kind: 'cannot_tell' });
      expect(world.requests).toHaveLength(1);
    }
  });

  it.each([401, 429, 500])('cannot tell by HTTP %i', async (status) => {
    const world = scriptedWorld(VARIABLES, [answer(status, '{}')]);
    expect(await bird.connect(world).lookup?.(LOOKUP, signal())).toEqual({ kind: 'cannot_tell' });
  });
});

const DELIVERED = {
  type: 'sms.delivered',
  timestamp: '2026-05-01T10:00:00Z',
  data: {
    sms_id: 'sms_abc123',
    workspace_id: 'ws_1',
    to: '+14155550100',
    from: '+15557654321',
    tags: null,
    metadata: { optitext_id: 'msg_01' },
    carrier: 'T-Mobile',
    mcc_mnc: '310260',
  },
};
const RECEIVED = {
  type: 'sms.received',
  timestamp: '2026-05-01T10:01:00Z',
  data: {
    sms_id: 'sms_in1',
    workspace_id: 'ws_1',
    to: '+15557654321',
    from: '+14155550100',
    tags: null,
    metadata: null,
    text: 'STOP',
    segments: { count: 1, encoding: 'GSM_7BIT', characters: 4 },
  },
};

function signed(body: string, secret: string = SECRET, at: number = NOW): Record<string, string> {
  return {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': String(at / 1000),
    'webhook-signature': new Webhook(secret).sign('msg_p5jXN8AQM9LWM0D4loKWxJek', new Date(at), body),
  };
}
const provider = () => bird.connect(scriptedWorld(VARIABLES));
const status = (event: unknown) => {
  const body = typeof event === 'string' ? event : JSON.stringify(event);
  return provider().readStatus(callback(STATUS_URL, body, signed(body)));
};

describe('Bird’s events', () => {
  it('report on our messages', async () => {
    expect(await status(DELIVERED)).toEqual({
      ok: true,
      items: [
        {
          provider: 'bird',
          provider_message_id: 'sms_abc123',
          reference: 'msg_01',
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
    ['sms.accepted', null, 'sent', null, null],
    ['sms.sent', null, 'sent', null, null],
    ['sms.undelivered', { code: 'landline_unreachable' }, 'undelivered', 'landline_unreachable', 'landline'],
    [
      'sms.undelivered',
      { code: 'invalid_destination', carrier_error_code: '1' },
      'undelivered',
      'invalid_destination/1',
      'number_invalid',
    ],
    ['sms.undelivered', { code: 'recipient_opted_out' }, 'undelivered', 'recipient_opted_out', 'opted_out'],
    ['sms.undelivered', { code: 'a_new_reason' }, 'undelivered', 'a_new_reason', 'unreachable'],
    ['sms.undelivered', null, 'undelivered', null, 'unreachable'],
    ['sms.expired', null, 'undelivered', null, 'expired_at_carrier'],
    ['sms.failed', { code: 'content_rejected' }, 'failed', 'content_rejected', 'content_blocked'],
    [
      'sms.rejected',
      { code: 'sender_unregistered' },
      'failed',
      'sender_unregistered',
      'sender_not_registered',
    ],
  ])('%s with %j is %s', async (type, error, state, code, canonical) => {
    for (const name of ['error', 'last_error']) {
      const read = await status({ ...DELIVERED, type, data: { ...DELIVERED.data, [name]: error } });
      expect(read).toMatchObject({ ok: true, items: [{ state, code, error: canonical }] });
    }
  });

  it('that are none of ours give nothing', async () => {
    expect(await status({ ...DELIVERED, type: 'email.delivered' })).toEqual({ ok: true, items: [] });
    expect(await status({ ...DELIVERED, type: 'constructor' })).toEqual({ ok: true, items: [] });
    expect(await status(RECEIVED)).toEqual({ ok: true, items: [] });
    const body = JSON.stringify(DELIVERED);
    const read = await provider().readInbound(callback(INBOUND_URL, body, signed(body)));
    expect(read).toEqual({ ok: true, items: [] });
  });

  it('bring inbound texts', async () => {
    const body = JSON.stringify(RECEIVED);
    expect(await provider().readInbound(callback(INBOUND_URL, body, signed(body)))).toEqual({
      ok: true,
      items: [
        {
          from: '+14155550100',
          to: '+15557654321',
          text: 'STOP',
          at: Date.UTC(2026, 4, 1, 10, 1),
          deliveryId: 'bird:sms_in1',
          providerKeyword: null,
          providerReplies: false,
        },
      ],
    });
  });

  it('are refused unless they prove themselves', async () => {
    const body = JSON.stringify(DELIVERED);
    const read = (text: string, headers: Record<string, string>) =>
      provider().readStatus(callback(STATUS_URL, text, headers));
    expect(await read(body, {})).toEqual({ ok: false, reason: 'signature_missing' });
    expect(await read(tampered(body), signed(body))).toEqual({ ok: false, reason: 'signature_mismatch' });
    expect(await read(body, signed(body, 'whsec_b3RoZXI='))).toEqual({
      ok: false,
      reason: 'signature_mismatch',
    });
    for (const at of [NOW - 301_000, NOW + 301_000]) {
      expect(await read(body, signed(body, SECRET, at))).toEqual({
        ok: false,
        reason: 'timestamp_out_of_range',
      });
    }
    expect(await read('{}', signed('{}'))).toEqual({ ok: false, reason: 'malformed' });
    expect(await read('x', signed('x'))).toEqual({ ok: false, reason: 'malformed' });
    const bare = bird.connect(scriptedWorld({ BIRD_ACCESS_KEY: 'k' }));
    expect(await bare.readStatus(callback(STATUS_URL, body, signed(body)))).toEqual({
      ok: false,
      reason: 'not_configured',
    });
  });

  it('are accepted while an old secret is still in use', async () => {
    const body = JSON.stringify(DELIVERED);
    expect((await provider().readStatus(callback(STATUS_URL, body, signed(body, 'whsec_b2xk')))).ok).toBe(
      true,
    );
  });

  it('are accepted with the older platform’s JWT', async () => {
    const body = JSON.stringify(DELIVERED);
    const jwt = await token({ url: STATUS_URL, body });
    const read = await provider().readStatus(
      callback(STATUS_URL, body, { 'messagebird-signature-jwt': jwt }),
    );
    expect(read).toMatchObject({ ok: true, items: [{ state: 'delivered' }] });
  });
});

async function hash(text: string): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

interface TokenOptions {
  readonly url?: string;
  readonly body?: string;
  readonly alg?: string;
  readonly issuer?: string;
  readonly nbf?: number;
  readonly exp?: number;
  readonly secret?: string;
}

async function token(options: TokenOptions = {}): Promise<string> {
  const now = NOW / 1000;
  const {
    url = STATUS_URL,
    body = '',
    alg = 'HS256',
    issuer = 'MessageBird',
    secret = SIGNING_KEY,
  } = options;
  return await new SignJWT({
    url_hash: await hash(url),
    ...(body !== '' && { payload_hash: await hash(body) }),
  })
    .setProtectedHeader({ alg })
    .setIssuer(issuer)
    .setNotBefore(options.nbf ?? now)
    .setExpirationTime(options.exp ?? now + 60)
    .sign(new TextEncoder().encode(secret));
}

const verify = (jwt: string, body = '', secrets = ['old', SIGNING_KEY]) =>
  verifyMessageBirdJwt(callback(STATUS_URL, body, { 'messagebird-signature-jwt': jwt }), secrets, NOW);

describe('MessageBird-Signature-JWT', () => {
  it.each(jwtVectors.vectors)('agrees with what is published: $name', async (vector) => {
    const request = callback(
      vector.url,
      vector.payload ?? '',
      { 'MessageBird-Signature-JWT': vector.token },
      vector.method,
    );
    const verdict = await verifyMessageBirdJwt(request, [vector.secret], Date.parse(vector.timestamp));
    expect(verdict === 'valid').toBe(vector.valid);
    expect(await verifyMessageBirdJwt(request, ['another'], Date.parse(vector.timestamp))).not.toBe('valid');
  });

  it.each(['HS256', 'HS384', 'HS512'])('accepts %s', async (alg) => {
    expect(await verify(await token({ alg, body: 'x' }), 'x')).toBe('valid');
  });

  it.each([
    ['another body', {}, 'x', 'signature_mismatch'],
    ['a body that was taken away', { body: 'x' }, '', 'signature_mismatch'],
    ['another URL', { url: `${STATUS_URL}?a=1` }, '', 'signature_mismatch'],
    ['another issuer', { issuer: 'Bird' }, '', 'signature_mismatch'],
    ['another key', { secret: 'another' }, '', 'signature_mismatch'],
    ['a time to come', { nbf: NOW / 1000 + 6 }, '', 'timestamp_out_of_range'],
    ['a time gone by', { nbf: NOW / 1000 - 60, exp: NOW / 1000 - 6 }, '', 'timestamp_out_of_range'],
  ])('refuses %s', async (_, options, body, verdict) => {
    expect(await verify(await token(options), body)).toBe(verdict);
  });

  it.each([
    ['no signature at all', 'eyJhbGciOiJub25lIn0.eyJpc3MiOiJNZXNzYWdlQmlyZCJ9.'],
    ['no token', 'nonsense'],
    ['an empty one', ''],
  ])('refuses %s', async (_, jwt) => {
    expect(await verify(jwt)).not.toBe('valid');
  });

  it('forgives clocks five seconds, and asks for both times', async () => {
    expect(await verify(await token({ nbf: NOW / 1000 + 5 }))).toBe('valid');
    expect(await verify(await token({ nbf: NOW / 1000 - 60, exp: NOW / 1000 - 4 }))).toBe('valid');
    const timeless = await new SignJWT({ url_hash: await hash(STATUS_URL) })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer('MessageBird')
      .sign(new TextEncoder().encode(SIGNING_KEY));
    expect(await verify(timeless)).toBe('signature_mismatch');
  });
});
