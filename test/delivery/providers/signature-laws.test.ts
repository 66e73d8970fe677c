/** What holds for every signed callback, whichever provider: as it was signed it passes, and with anything changed it does not. */
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import type { ProviderDefinition } from '../../../src/delivery/provider.ts';
import { bird } from '../../../src/delivery/providers/bird.ts';
import { infobip } from '../../../src/delivery/providers/infobip.ts';
import { plivo } from '../../../src/delivery/providers/plivo.ts';
import { sinch } from '../../../src/delivery/providers/sinch.ts';
import { telnyx } from '../../../src/delivery/providers/telnyx.ts';
import { twilio } from '../../../src/delivery/providers/twilio.ts';
import { vonage } from '../../../src/delivery/providers/vonage.ts';
import { webhook } from '../../../src/delivery/providers/webhook.ts';
import { fromBase64, hmac, toBase64, toHex } from '../../../src/platform/signature.ts';
import { callback, NOW, scriptedWorld } from './scripted-world.ts';

const STANDARD_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const SECONDS = String(NOW / 1000);

interface Scheme {
  readonly name: string;
  readonly definition: ProviderDefinition;
  readonly variable: string;
  readonly secret: string;
  /** A body that the provider might send, with a free text in it. */
  readonly body: (text: string) => object;
  /** How the body is written; JSON where left out. */
  readonly write?: (body: object) => string;
  readonly sign: (body: string, url: string) => Promise<Record<string, string>>;
}

/** The first key pair of RFC 8032, section 7.1: the private one as PKCS #8, the public one raw. */
const ED25519_PRIVATE = 'MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g';
const ED25519_PUBLIC = '11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=';
const FORM = 'application/x-www-form-urlencoded';

const form = (body: object): string => new URLSearchParams(Object.entries(body)).toString();

/** The fields of a form, sorted by name, as names and values without anything between. */
function inOrder(content: string): string {
  const fields = [...new URLSearchParams(content)].sort(([a], [b]) => (a < b ? -1 : 1));
  return fields.map(([name, value]) => name + value).join('');
}

async function ed25519(text: string): Promise<string> {
  const algorithm = { name: 'Ed25519' };
  const bytes = fromBase64(ED25519_PRIVATE) ?? new Uint8Array();
  const key = await crypto.subtle.importKey('pkcs8', bytes, algorithm, false, ['sign']);
  return toBase64(new Uint8Array(await crypto.subtle.sign(algorithm, key, new TextEncoder().encode(text))));
}

const SCHEMES: readonly Scheme[] = [
  {
    name: 'Twilio',
    definition: twilio,
    variable: 'TWILIO_AUTH_TOKEN',
    secret: 'twilio-token',
    body: (text) => ({ MessageSid: '1', From: '1', To: '2', Body: text }),
    write: form,
    sign: async (body, url) => ({
      'x-twilio-signature': toBase64(await hmac('SHA-1', 'twilio-token', url + inOrder(body))),
    }),
  },
  {
    name: 'Telnyx',
    definition: telnyx,
    variable: 'TELNYX_PUBLIC_KEY',
    secret: ED25519_PUBLIC,
    body: (text) => ({
      data: {
        event_type: 'message.received',
        payload: { id: '1', from: { phone_number: '1' }, to: [{ phone_number: '2' }], text },
      },
    }),
    sign: async (body) => ({
      'telnyx-timestamp': SECONDS,
      'telnyx-signature-ed25519': await ed25519(`${SECONDS}|${body}`),
    }),
  },
  {
    name: 'Vonage',
    definition: vonage,
    variable: 'VONAGE_SIGNATURE_SECRET',
    secret: 'vonage-secret',
    body: (text) => ({ message_uuid: '1', from: '1', to: '2', text }),
    sign: async (body) => {
      const token = new SignJWT({ payload_hash: await sha256(body) })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer('Vonage')
        .setIssuedAt(NOW / 1000);
      return { authorization: `Bearer ${await token.sign(new TextEncoder().encode('vonage-secret'))}` };
    },
  },
  {
    name: 'Plivo',
    definition: plivo,
    variable: 'PLIVO_AUTH_TOKEN',
    secret: 'plivo-token',
    body: (text) => ({ MessageUUID: '1', From: '1', To: '2', Text: text }),
    write: form,
    sign: async (body, url) => ({
      'content-type': FORM,
      'x-plivo-signature-v3-nonce': 'nonce-1',
      'x-plivo-signature-v3': toBase64(
        await hmac('SHA-256', 'plivo-token', `${url}?${inOrder(body)}.nonce-1`),
      ),
    }),
  },
  {
    name: 'Sinch',
    definition: sinch,
    variable: 'SINCH_WEBHOOK_SECRET',
    secret: 'sinch-secret',
    body: (text) => ({ type: 'mo_text', id: '1', from: '1', to: '2', body: text }),
    sign: async (body) => ({
      'x-sinch-webhook-signature': toBase64(await hmac('SHA-256', 'sinch-secret', `${body}.n1.${SECONDS}`)),
      'x-sinch-webhook-signature-nonce': 'n1',
      'x-sinch-webhook-signature-timestamp': SECONDS,
    }),
  },
  {
    name: 'Infobip',
    definition: infobip,
    variable: 'INFOBIP_CALLBACK_SECRET',
    secret: 'infobip-secret',
    body: (text) => ({ results: [{ messageId: '1', from: '1', to: '2', text }] }),
    sign: async (body) => ({
      'x-hub-signature': `sha256=${toHex(await hmac('SHA-256', 'infobip-secret', body))}`,
    }),
  },
  {
    name: 'webhook',
    definition: webhook,
    variable: 'WEBHOOK_SECRET',
    secret: 'webhook-secret',
    body: (text) => ({ texts: [{ id: '1', from: '1', to: '2', text }] }),
    sign: async (body) => ({
      'x-hub-signature-256': `sha256=${toHex(await hmac('SHA-256', 'webhook-secret', body))}`,
    }),
  },
  {
    name: 'Bird',
    definition: bird,
    variable: 'BIRD_WEBHOOK_SECRET',
    secret: STANDARD_SECRET,
    body: (text) => ({ type: 'sms.received', data: { sms_id: '1', from: '1', to: '2', text } }),
    sign: async (body) => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': SECONDS,
      'webhook-signature': new Webhook(STANDARD_SECRET).sign('msg_1', new Date(NOW), body),
    }),
  },
  {
    name: 'Bird’s older platform',
    definition: bird,
    variable: 'BIRD_WEBHOOK_SECRET',
    secret: 'signing-key',
    body: (text) => ({ type: 'sms.received', data: { sms_id: '1', from: '1', to: '2', text } }),
    sign: async (body, url) => ({
      'messagebird-signature-jwt': await new SignJWT({
        url_hash: await sha256(url),
        payload_hash: await sha256(body),
      })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer('MessageBird')
        .setNotBefore(NOW / 1000)
        .setExpirationTime(NOW / 1000 + 60)
        .sign(new TextEncoder().encode('signing-key')),
    }),
  },
];

async function sha256(text: string): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

describe.each(SCHEMES)('a callback signed as $name does', (scheme) => {
  const { definition, variable, secret, body, write = JSON.stringify, sign } = scheme;
  const url = `https://texts.example/callbacks/${definition.name}/inbound`;
  const read = (bytes: Uint8Array<ArrayBuffer>, headers: Record<string, string>, secrets = `old ${secret}`) =>
    definition.connect(scriptedWorld({ [variable]: secrets })).readInbound(callback(url, bytes, headers));
  const encode = (text: string) => new Uint8Array(new TextEncoder().encode(text));

  it('passes with any text, and brings it unharmed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
        const content = write(body(text));
        const result = await read(encode(content), await sign(content, url));
        expect(result).toMatchObject({ ok: true, items: [{ text: text.replaceAll('\0', '') }] });
      }),
      { numRuns: 50 },
    );
  });

  it('fails with any bit of the body changed', async () => {
    const content = write(body('STOP'));
    const headers = await sign(content, url);
    const changes = fc.tuple(fc.nat(encode(content).length - 1), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(changes, async ([index, mask]) => {
        const bytes = encode(content);
        bytes[index] = (bytes[index] ?? 0) ^ mask;
        expect(await read(bytes, headers)).toEqual({ ok: false, reason: 'signature_mismatch' });
      }),
      { numRuns: 50 },
    );
  });

  it('fails with any character of any of its headers changed, also the last', async () => {
    const content = write(body('STOP'));
    const headers = await sign(content, url);
    for (const [name, value] of Object.entries(headers)) {
      for (const index of new Set([0, value.length >> 1, value.length - 2, value.length - 1])) {
        for (const character of ['A', 'B', 'x', '7']) {
          const changed = value.slice(0, index) + character + value.slice(index + 1);
          if (changed.toLowerCase() === value.toLowerCase()) continue;
          const result = await read(encode(content), { ...headers, [name]: changed });
          expect([result.ok, name, changed]).toEqual([false, name, changed]);
        }
      }
    }
  });

  it('has one spelling: no other last character of a header will do', async () => {
    const content = write(body('STOP'));
    const signed = await sign(content, url);
    for (const [name, value] of Object.entries(signed)) {
      const end = value.replace(/=+$/, '').length;
      for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/') {
        const changed = value.slice(0, end - 1) + character + value.slice(end);
        if (changed === value || (name === 'content-type' && changed.toLowerCase() === value)) continue;
        if (value.startsWith('sha256=') && changed.toLowerCase() === value) continue;
        const result = await read(encode(content), { ...signed, [name]: changed });
        expect([result.ok, name, changed]).toEqual([false, name, changed]);
      }
    }
  });

  it('fails with any other secret', async () => {
    const content = write(body('STOP'));
    const headers = await sign(content, url);
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[A-Za-z0-9]{1,40}$/), async (other) => {
        expect((await read(encode(content), headers, other)).ok).toBe(false);
      }),
      { numRuns: 30 },
    );
  });
});
