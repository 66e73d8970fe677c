import { describe, expect, it } from 'vitest';
import type { CallbackRequest } from '../../../src/delivery/provider.ts';
import { twilio } from '../../../src/delivery/providers/twilio.ts';
import {
  bodyMatchesUrl,
  formParameters,
  signedByTwilio,
} from '../../../src/delivery/providers/twilio-signature.ts';
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
  signal,
} from './scripted-world.ts';
import vectors from './vectors/twilio-signature.json';

const VARIABLES = {
  TWILIO_ACCOUNT_SID: 'AC00000000000000000000000000000001',
  TWILIO_AUTH_TOKEN: 'token-1 token-0',
  PUBLIC_URL: 'https://texts.example/',
};
const CREATED = { sid: 'SM01', status: 'queued', num_segments: '2', error_code: null };

/** The script's world notes JSON bodies; Twilio's are forms, so this one notes the text alone. */
function formWorld(variables: Readonly<Record<string, string>>, reply: Response) {
  const sent: { url: string; method: string; headers: Headers; form: [string, string][] }[] = [];
  return {
    sent,
    now: () => NOW,
    variable: (name: string) => variables[name],
    fetch: async (input: RequestInfo | URL, init?: RequestInit) => {
      const request = new Request(input as RequestInfo, init);
      sent.push({
        url: request.url,
        method: request.method,
        headers: request.headers,
        form: [...new URLSearchParams(new TextDecoder().decode(await request.arrayBuffer()))],
      });
      return reply;
    },
  };
}

describe('sending through Twilio', () => {
  it('posts a form, with our id in the address of the status callback', async () => {
    const world = formWorld(VARIABLES, answer(201, CREATED));
    expect(await twilio.connect(world).send(MESSAGE, signal())).toEqual({
      kind: 'accepted',
      providerMessageId: 'SM01',
      parts: 2,
    });
    const [request] = world.sent;
    expect(request?.method).toBe('POST');
    expect(request?.url).toBe(
      'https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json',
    );
    expect(request?.headers.get('content-type')).toBe('application/x-www-form-urlencoded');
    expect(atob(request?.headers.get('authorization')?.replace('Basic ', '') ?? '')).toBe(
      'AC00000000000000000000000000000001:token-1',
    );
    expect(request?.form).toEqual([
      ['To', '+14155550123'],
      ['From', '+18005550100'],
      ['Body', 'Hi Ada, welcome!'],
      ['ValidityPeriod', '3600'],
      ['StatusCallback', 'https://texts.example/callbacks/twilio/status?ref=msg_01'],
    ]);
  });

  it('sends media, a messaging service, an API key, a region, and no validity over ten hours', async () => {
    const settings = {
      ...VARIABLES,
      TWILIO_MESSAGING_SERVICE_SID: 'MG01',
      TWILIO_API_KEY: 'SK01',
      TWILIO_API_KEY_SECRET: 'hush',
      TWILIO_REGION: 'ie1',
      TWILIO_EDGE: 'dublin',
    };
    const world = formWorld(settings, answer(201, CREATED));
    await twilio.connect(world).send({ ...MMS, body: '', validitySeconds: 86_400 }, signal());
    const [request] = world.sent;
    expect(new URL(request?.url ?? '').host).toBe('api.dublin.ie1.twilio.com');
    expect(atob(request?.headers.get('authorization')?.replace('Basic ', '') ?? '')).toBe('SK01:hush');
    const form = new URLSearchParams(request?.form);
    expect(form.getAll('MediaUrl')).toEqual(['https://cdn.example/hello.png?v=2']);
    expect(form.get('MessagingServiceSid')).toBe('MG01');
    expect(form.has('Body')).toBe(false);
    expect(form.get('ValidityPeriod')).toBe('36000');
  });

  it.each(HTTP_TABLE)('%s', async (_, reply, outcome) => {
    const world = formWorld(VARIABLES, reply instanceof Error ? answer(200, '') : reply.clone());
    const failing = { ...world, fetch: () => Promise.reject(reply) };
    const asked = reply instanceof Error ? failing : world;
    expect(await twilio.connect(asked).send(MESSAGE, signal())).toMatchObject(outcome);
  });

  // The magic numbers of Twilio's test credentials, and refusals that people meet.
  it.each([
    [400, 21211, 'number_invalid'],
    [400, 21612, 'country_not_enabled'],
    [400, 21408, 'country_not_enabled'],
    [400, 21610, 'opted_out'],
    [400, 21614, 'landline'],
    [400, 21212, 'sender_invalid'],
    [400, 21606, 'sender_invalid'],
    [400, 21617, 'content_invalid'],
    [400, 30034, 'sender_not_registered'],
    [401, 20003, 'account_problem'],
    [403, 20005, 'account_problem'],
    [400, 99_999, 'rejected'],
  ])('HTTP %i with code %i is rejected as %s', async (status, code, ours) => {
    const reply = answer(status, { code, message: `The 'To' number +15005550001 is wrong`, status });
    const outcome = await sendToTwilio(reply);
    expect(outcome).toMatchObject({ kind: 'rejected', error: { code: ours, providerCode: String(code) } });
    expect(JSON.stringify(outcome)).not.toContain('5005550001');
  });

  it.each([21611, 14107, 30001])('code %i means later, though it comes as a 400', async (code) => {
    expect(await sendToTwilio(answer(400, { code, message: 'full' }))).toMatchObject({
      kind: 'retry_later',
      error: { code: 'throttled', providerCode: String(code) },
    });
  });

  it('takes a text that was created and has failed already for rejected', async () => {
    expect(
      await sendToTwilio(answer(201, { sid: 'SM01', status: 'failed', error_code: 30_007 })),
    ).toMatchObject({ kind: 'rejected', error: { code: 'content_blocked', providerCode: '30007' } });
  });

  it('says what is not set, without a call', async () => {
    const world = scriptedWorld({ TWILIO_ACCOUNT_SID: 'AC01' });
    expect(await twilio.connect(world).send(MESSAGE, signal())).toMatchObject({
      kind: 'rejected',
      error: { code: 'account_problem', detail: 'not set: TWILIO_AUTH_TOKEN' },
    });
  });

  it('looks up by its own id, and says that it cannot tell without one', async () => {
    const found = twilio.connect(formWorld(VARIABLES, answer(200, CREATED)));
    expect(await found.lookup?.({ ...LOOKUP, providerMessageId: 'SM01' }, signal())).toEqual({
      kind: 'taken',
      providerMessageId: 'SM01',
    });
    const missing = twilio.connect(formWorld(VARIABLES, answer(404, '{}')));
    expect(await missing.lookup?.({ ...LOOKUP, providerMessageId: 'SM01' }, signal())).toEqual({
      kind: 'cannot_tell',
    });
    expect(await missing.lookup?.(LOOKUP, signal())).toEqual({ kind: 'cannot_tell' });
  });
});

const sendToTwilio = (reply: Response) => twilio.connect(formWorld(VARIABLES, reply)).send(MESSAGE, signal());

describe('the signature', () => {
  it.each(vectors.cases)('$name', async ({ url, params, signature, valid, rawBody }) => {
    const parameters = params as Readonly<Record<string, string | string[]>>;
    expect(await signedByTwilio([vectors.authToken], url, parameters, signature ?? '')).toBe(valid);
    expect(await signedByTwilio(['54321', vectors.authToken], url, parameters, signature ?? '')).toBe(valid);
    expect(await signedByTwilio(['54321'], url, parameters, signature ?? '')).toBe(false);
    if (rawBody !== undefined) {
      expect(await bodyMatchesUrl(url, bytes(rawBody))).toBe(true);
      expect(await bodyMatchesUrl(url, bytes(`${rawBody} `))).toBe(false);
    }
  });

  it.each([
    ['with the port that the scheme has anyway', 'https://a.example:443/x?y=1', 'https://a.example/x?y=1'],
    ['without a port that it was called with', 'https://a.example/x?y=1', 'https://a.example:8443/x?y=1'],
    ['over a query by the older rules', "https://a.example/x?y=it's%20so", 'https://a.example/x?y=it%27s+so'],
    [
      'over a query by the older rules and with a port',
      "https://a.example:443/x?y=it's%20so",
      'https://a.example/x?y=it%27s+so',
    ],
  ])('counts where Twilio signed %s', async (_, signedUrl, calledUrl) => {
    const signature = toBase64(await hmac('SHA-1', 'secret', signedUrl));
    expect(await signedByTwilio(['secret'], calledUrl, {}, signature)).toBe(true);
    expect(await signedByTwilio(['secret'], `${calledUrl}2`, {}, signature)).toBe(false);
  });

  it('covers values that come several times, each distinct one once and sorted', async () => {
    expect(formParameters('b=2&a=z&a=y&a=z&c=%2B1')).toEqual({ b: '2', a: ['z', 'y', 'z'], c: '+1' });
    const signature = toBase64(await hmac('SHA-1', 'secret', 'https://a.example/ayazb2'));
    expect(
      await signedByTwilio(['secret'], 'https://a.example/', formParameters('b=2&a=z&a=y&a=z'), signature),
    ).toBe(true);
  });
});

const bytes = (text: string) => new Uint8Array(new TextEncoder().encode(text));

async function signed(
  path: string,
  fields: Readonly<Record<string, string>>,
  token = 'token-1',
): Promise<CallbackRequest> {
  const url = `https://texts.example/callbacks/twilio/${path}`;
  const tail = Object.keys(fields)
    .sort()
    .map((name) => name + fields[name])
    .join('');
  return callback(url, new URLSearchParams(fields).toString(), {
    'content-type': 'application/x-www-form-urlencoded',
    'x-twilio-signature': toBase64(await hmac('SHA-1', token, url + tail)),
  });
}

describe('status callbacks', () => {
  const reader = twilio.connect(scriptedWorld(VARIABLES));
  const DELIVERED = {
    SmsSid: 'SM2',
    SmsStatus: 'delivered',
    MessageStatus: 'delivered',
    To: '+15558675310',
    MessageSid: 'SM2',
    AccountSid: 'AC2',
    From: '+15017122661',
    ApiVersion: '2010-04-01',
  };

  it('give the state, the code in both words, and our id from the address', async () => {
    expect(await reader.readStatus(await signed('status?ref=msg_01', DELIVERED))).toEqual({
      ok: true,
      items: [
        {
          provider: 'twilio',
          provider_message_id: 'SM2',
          reference: 'msg_01',
          state: 'delivered',
          code: null,
          error: null,
          parts: null,
          part: null,
        },
      ],
    });
    const failed = { ...DELIVERED, MessageStatus: 'undelivered', ErrorCode: '30003' };
    expect(await reader.readStatus(await signed('status', failed, 'token-0'))).toMatchObject({
      ok: true,
      items: [{ reference: null, state: 'undelivered', code: '30003', error: 'unreachable' }],
    });
  });

  it.each(['accepted', 'queued', 'sending', 'scheduled', 'receiving', 'constructor'])(
    'in the status %s tell nothing new',
    async (MessageStatus) => {
      expect(await reader.readStatus(await signed('status', { ...DELIVERED, MessageStatus }))).toEqual({
        ok: true,
        items: [],
      });
    },
  );

  it.each([
    ['without a signature', { headers: new Headers() }, 'signature_missing'],
    ['with another address', { url: 'https://other.example/callbacks/twilio/status' }, 'signature_mismatch'],
    ['with a changed body', { body: bytes('MessageSid=SM3&MessageStatus=delivered') }, 'signature_mismatch'],
  ])('are refused %s', async (_, change, reason) => {
    const good = await signed('status', DELIVERED);
    expect(await reader.readStatus({ ...good, ...change })).toEqual({ ok: false, reason });
  });

  it('are refused with another secret, without any, and where they are nothing of Twilio’s', async () => {
    expect(await reader.readStatus(await signed('status', DELIVERED, 'other'))).toMatchObject({
      reason: 'signature_mismatch',
    });
    expect(
      await twilio.connect(scriptedWorld({})).readStatus(await signed('status', DELIVERED)),
    ).toMatchObject({ reason: 'not_configured' });
    expect(await reader.readStatus(await signed('status', { Hello: 'there' }))).toMatchObject({
      reason: 'malformed',
    });
  });
});

describe('inbound texts', () => {
  const STOP = {
    MessageSid: 'SM1',
    AccountSid: 'AC1',
    From: '+14155550100',
    To: '+14155550101',
    Body: 'STOP',
    NumMedia: '0',
    OptOutType: 'STOP',
  };

  it('say what Twilio took them for, and that Twilio answers', async () => {
    const reader = twilio.connect(scriptedWorld(VARIABLES));
    expect(await reader.readInbound(await signed('inbound', STOP))).toEqual({
      ok: true,
      items: [
        {
          from: '+14155550100',
          to: '+14155550101',
          text: 'STOP',
          at: NOW,
          deliveryId: 'twilio:SM1',
          providerKeyword: 'opt_out',
          providerReplies: true,
        },
      ],
    });
    expect(await reader.readInbound(await signed('inbound', { ...STOP, OptOutType: 'HELP' }))).toMatchObject({
      items: [{ providerKeyword: 'help', providerReplies: true }],
    });
  });

  it('are answered by us where TWILIO_KEYWORD_REPLIES is off, and where Twilio knows no keyword', async () => {
    const reader = twilio.connect(scriptedWorld({ ...VARIABLES, TWILIO_KEYWORD_REPLIES: 'off' }));
    const { OptOutType: _, ...plain } = STOP;
    expect(await reader.readInbound(await signed('inbound', plain))).toMatchObject({
      items: [{ providerKeyword: null, providerReplies: false }],
    });
    const byDefault = twilio.connect(scriptedWorld(VARIABLES));
    expect(await byDefault.readInbound(await signed('inbound', plain))).toMatchObject({
      items: [{ providerKeyword: null, providerReplies: true }],
    });
    const inOwnWords = await signed('inbound', { ...plain, Body: 'please stop texting me' });
    expect(await byDefault.readInbound(inOwnWords)).toMatchObject({ items: [{ providerReplies: false }] });
  });

  it('are acknowledged with TwiML that says nothing', async () => {
    const response = twilio.connect(scriptedWorld(VARIABLES)).acknowledge?.();
    expect(response?.headers.get('content-type')).toContain('text/xml');
    expect(await response?.text()).toContain('<Response></Response>');
  });
});
