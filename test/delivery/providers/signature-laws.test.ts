/** What holds for every signed callback, whichever provider: as it was signed it passes, and with anything changed it does not. */
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import type { ProviderDefinition } from '../../../src/delivery/provider.ts';
import { bird } from '../../../src/delivery/providers/bird.ts';
import { infobip } from '../../../src/delivery/providers/infobip.ts';
import { sinch } from '../../../src/delivery/providers/sinch.ts';
import { webhook } from '../../../src/delivery/providers/webhook.ts';
import { hmac, toBase64, toHex } from '../../../src/platform/signature.ts';
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
  readonly sign: (body: string, url: string) => Promise<Record<string, string>>;
}

const SCHEMES: readonly Scheme[] = [
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

describe.each(SCHEMES)('a callback signed as $name does', ({ definition, variable, secret, body, sign }) => {
  const url = `https://texts.example/callbacks/${definition.name}/inbound`;
  const read = (bytes: Uint8Array<ArrayBuffer>, headers: Record<string, string>, secrets = `old ${secret}`) =>
    definition.connect(scriptedWorld({ [variable]: secrets })).readInbound(callback(url, bytes, headers));
  const encode = (text: string) => new Uint8Array(new TextEncoder().encode(text));

  it('passes with any text, and brings it unharmed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
        const content = JSON.stringify(body(text));
        const result = await read(encode(content), await sign(content, url));
        expect(result).toMatchObject({ ok: true, items: [{ text: text.replaceAll('\0', '') }] });
      }),
      { numRuns: 50 },
    );
  });

  it('fails with any bit of the body changed', async () => {
    const content = JSON.stringify(body('STOP'));
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
    const content = JSON.stringify(body('STOP'));
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

  it('fails with any other secret', async () => {
    const content = JSON.stringify(body('STOP'));
    const headers = await sign(content, url);
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[A-Za-z0-9]{1,40}$/), async (other) => {
        expect((await read(encode(content), headers, other)).ok).toBe(false);
      }),
      { numRuns: 30 },
    );
  });
});
