import { describe, expect, it } from 'vitest';
import { plivo } from '../../../src/delivery/providers/plivo.ts';
import { plivoRefusal } from '../../../src/delivery/providers/plivo-signature.ts';
import { telnyx } from '../../../src/delivery/providers/telnyx.ts';
import { vonage } from '../../../src/delivery/providers/vonage.ts';
import { smsSignatureMatches } from '../../../src/delivery/providers/vonage-signature.ts';
import { callback, HTTP_TABLE, scriptedWorld, sendTo } from './scripted-world.ts';
import plivoVectors from './vectors/plivo-signature-v3.json';
import telnyxVectors from './vectors/telnyx-ed25519.json';
import jwtVectors from './vectors/vonage-messages-webhook-jwt.json';
import smsVectors from './vectors/vonage-sms-signature.json';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

function form(params: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(params).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).map((one): [string, string] => [key, String(one)]),
  );
  return new URLSearchParams(pairs).toString();
}

describe('published signatures', () => {
  it.each(plivoVectors.vectors)('Plivo V3: $url', async (vector) => {
    const headers = {
      ...FORM,
      'x-plivo-signature-v3': `AAAA,${vector.signature}`,
      'x-plivo-signature-v3-nonce': vector.nonce,
    };
    const request = callback(vector.url, form(vector.params), headers);
    expect(await plivoRefusal(request, [vector.authToken], false)).toBeNull();
    expect(await plivoRefusal(request, ['wrong'], false)).toBe('signature_mismatch');
  });

  it('Plivo V2 counts only where it is asked for', async () => {
    const { v2 } = plivoVectors;
    const headers = { 'x-plivo-signature-v2': v2.signature, 'x-plivo-signature-v2-nonce': v2.nonce };
    const request = callback(v2.url, '', headers);
    expect(await plivoRefusal(request, [v2.authToken], true)).toBeNull();
    expect(await plivoRefusal(request, [v2.authToken], false)).toBe('signature_missing');
  });

  it.each(telnyxVectors.vectors)('Telnyx: $name', async (vector) => {
    const variables = { TELNYX_PUBLIC_KEY: telnyxVectors.publicKeyBase64 };
    const headers = { 'telnyx-signature-ed25519': vector.signature, 'telnyx-timestamp': vector.timestamp };
    const request = callback(
      'https://texts.example/callbacks/telnyx/status?ref=msg_01',
      vector.rawBody,
      headers,
    );
    const at = Number(vector.timestamp) * 1000;
    const read = (now: number) => telnyx.connect(scriptedWorld(variables, [], now)).readStatus(request);
    expect(await read(at)).toMatchObject(
      vector.valid
        ? { ok: true, items: [{ reference: 'msg_01', state: 'delivered' }] }
        : { ok: false, reason: 'signature_mismatch' },
    );
    if (vector.valid)
      expect(await read(at + 301_000)).toEqual({ ok: false, reason: 'timestamp_out_of_range' });
  });

  it.each(jwtVectors.vectors)('Vonage: a JWT that names the body', async (vector) => {
    const world = scriptedWorld(
      { VONAGE_SIGNATURE_SECRET: `old ${vector.secret}` },
      [],
      vector.claims.iat * 1000,
    );
    const late = scriptedWorld(
      { VONAGE_SIGNATURE_SECRET: vector.secret },
      [],
      (vector.claims.iat + 301) * 1000,
    );
    const read = (body: string, by = world) =>
      vonage
        .connect(by)
        .readStatus(callback('https://t.example/', body, { authorization: vector.authorization }));
    expect(await read(vector.rawBody)).toMatchObject({
      ok: true,
      items: [{ reference: 'my-ref', state: 'delivered' }],
    });
    expect(await read(`${vector.rawBody} `)).toEqual({ ok: false, reason: 'signature_mismatch' });
    expect(await read(vector.rawBody, late)).toEqual({ ok: false, reason: 'timestamp_out_of_range' });
  });

  it.each(smsVectors.vectors)('Vonage SMS API: $name', async ({ algorithm, secret, params, sig }) => {
    expect(await smsSignatureMatches({ ...params, sig }, [secret], algorithm)).toBe(true);
    expect(await smsSignatureMatches({ ...params, timestamp: '1', sig }, [secret], algorithm)).toBe(false);
  });
});

const CASES = [
  { provider: telnyx, variables: { TELNYX_API_KEY: 'k' } },
  { provider: plivo, variables: { PLIVO_AUTH_ID: 'MA1', PLIVO_AUTH_TOKEN: 't' } },
  { provider: vonage, variables: { VONAGE_API_KEY: 'k', VONAGE_API_SECRET: 's' } },
].flatMap(({ provider, variables }) =>
  HTTP_TABLE.map(([name, reply, expected]) => ({ provider, variables, name, reply, expected })),
);

describe('HTTP answers', () => {
  it.each(CASES)('$provider.name: $name', async ({ provider, variables, reply, expected }) => {
    const fresh = reply instanceof Response ? reply.clone() : reply;
    expect(await sendTo(provider, variables, fresh)).toMatchObject(expected);
  });
});
