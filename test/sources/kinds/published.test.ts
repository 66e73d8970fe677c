/** Signatures that were published, or made elsewhere over the samples' exact bytes. */
import { describe, expect, it } from 'vitest';
import { decodedUri } from '../../../src/sources/kinds/hubspot-signature.ts';
import standard from '../../delivery/providers/vectors/standard-webhooks.json';
import hubspot from '../samples/hubspot-signatures.json';
import derived from '../samples/signatures.json';
import { delivery, kindOf, sample, settings, sign } from './deliveries.ts';

describe('vectors over the samples', () => {
  it.each(derived.vectors)('$source', async (vector) => {
    const kind = kindOf(vector.source.toLowerCase());
    const body = sample(vector.bodyFile.replace('triggers/', '').replace('.json', ''));
    const receivedAt = Number(vector.timestamp ?? 0) * 1000 + 1000;
    const headers = { [vector.header]: vector.signature };
    const verify = (content: string, secret: string) =>
      kind.verify(delivery(content, headers, { receivedAt }), settings([secret]));
    expect(await verify(body, vector.secret)).toEqual({ ok: true });
    expect((await verify(body.replace('2', '3'), vector.secret)).ok).toBe(false);
    expect((await verify(body, 'another')).ok).toBe(false);
  });
});

describe('HubSpot', () => {
  it.each(hubspot.vectors)('published vector $version', async (vector) => {
    const headers = {
      'x-hubspot-signature': vector.signature,
      'x-hubspot-signature-version': vector.version,
    };
    const given = delivery(vector.rawBody, headers, {
      method: vector.method ?? 'POST',
      url: vector.url ?? 'https://elsewhere.example/',
    });
    const kind = kindOf('hubspot');
    expect(await kind.verify(given, settings([vector.clientSecret]))).toEqual({ ok: true });
    expect((await kind.verify(given, settings(['other']))).ok).toBe(false);
  });

  it('signs the address decoded, but only its documented characters', async () => {
    const url =
      'https://texts.example/in/a%2Fb?mail=ada%40x.example&n=%E2%82%AC%20%25&t=%3a%21%24%27%28%29%2A%2C%3B%3F';
    const decoded = "https://texts.example/in/a/b?mail=ada@x.example&n=%E2%82%AC%20%25&t=:!$'()*,;?";
    expect(decodedUri(url)).toBe(decoded);
    const at = 1_700_000_000_000;
    const headers = {
      'x-hubspot-signature-v3': sign('sha256', 'secret', `POST${decoded}{}${at}`, 'base64'),
      'x-hubspot-request-timestamp': String(at),
    };
    expect(await kindOf('hubspot').verify(delivery('{}', headers, { url }), settings(['secret']))).toEqual({
      ok: true,
    });
  });

  it('takes no older signature beside a v3 that is wrong', async () => {
    const [v1] = hubspot.vectors;
    if (!v1) throw new Error('no vectors');
    const headers = {
      'x-hubspot-signature': v1.signature,
      'x-hubspot-signature-version': 'v1',
      'x-hubspot-signature-v3': 'AAAA',
      'x-hubspot-request-timestamp': '1700000000000',
    };
    const result = await kindOf('hubspot').verify(delivery(v1.rawBody, headers), settings([v1.clientSecret]));
    expect(result).toEqual({ ok: false, reason: 'signature_mismatch' });
  });
});

describe('Standard Webhooks', () => {
  const vectors = [
    ...standard.vectors,
    { ...standard.derivedAsymmetric, secret: standard.derivedAsymmetric.publicKey },
  ];
  it.each(vectors)('published vector $id, also under svix- headers', async (vector) => {
    for (const prefix of ['webhook', 'svix']) {
      const headers = {
        [`${prefix}-id`]: vector.id,
        [`${prefix}-timestamp`]: String(vector.timestamp),
        [`${prefix}-signature`]: vector.signature,
      };
      const receivedAt = vector.timestamp * 1000;
      const kind = kindOf('standard-webhooks');
      expect(
        await kind.verify(delivery(vector.payload, headers, { receivedAt }), settings([vector.secret])),
      ).toEqual({
        ok: true,
      });
    }
  });

  it('has the window that the source sets', async () => {
    const [vector] = standard.vectors;
    if (!vector) throw new Error('no vectors');
    const headers = {
      'webhook-id': vector.id,
      'webhook-timestamp': String(vector.timestamp),
      'webhook-signature': vector.signature,
    };
    const late = delivery(vector.payload, headers, { receivedAt: vector.timestamp * 1000 + 61_000 });
    const narrow = { ...settings([vector.secret]), toleranceMs: 60_000 };
    expect(await kindOf('standard-webhooks').verify(late, narrow)).toEqual({
      ok: false,
      reason: 'timestamp_out_of_range',
    });
  });
});

describe('Stripe', () => {
  const body = '{}';
  const good = sign('sha256', 'new', `1700000000.${body}`);
  const verify = (header: string) =>
    kindOf('stripe').verify(delivery(body, { 'stripe-signature': header }), settings(['new']));

  it.each([`t=1700000000,v1=${'0'.repeat(64)},v1=${good}`, `t=1700000000, v1=${good}, v0=${'0'.repeat(64)}`])(
    'passes where one of several signatures is good: %s',
    async (header) => {
      expect(await verify(header)).toEqual({ ok: true });
    },
  );

  it.each([
    `t=1700000000,v0=${good}`,
    `v1=${good}`,
    `t=,v1=${good}`,
    `t=1700000001,v1=${good}`,
    't=1700000000',
    ',',
  ])('does not believe %s', async (header) => {
    expect(await verify(header)).toEqual({ ok: false, reason: 'signature_mismatch' });
  });
});

describe('Segment', () => {
  const first = JSON.parse(sample('segment.track'));
  const body = JSON.stringify({ batch: [first, JSON.parse(sample('segment.identify'))] });
  const ofFirst = sign('sha1', 'secret', JSON.stringify(first));
  const ofAll = sign('sha1', 'secret', body);
  const verify = (content: string, headers: Record<string, string>) =>
    kindOf('segment').verify(delivery(content, headers), settings(['old', 'secret']));
  const missing = { ok: false, reason: 'signature_missing' };
  const mismatch = { ok: false, reason: 'signature_mismatch' };

  it.each([
    ['the first event signed, without a token', { 'x-signature': ofFirst }, missing],
    ['all of it signed, without a token', { 'x-signature': ofAll }, missing],
    ['a token alone', { authorization: 'Bearer secret' }, { ok: true }],
    ['signature and token', { 'x-signature': ofFirst, authorization: 'bearer secret' }, { ok: true }],
    [
      'a good token and a wrong signature',
      { 'x-signature': 'f00d', authorization: 'Bearer secret' },
      mismatch,
    ],
    [
      'a wrong token and a good signature',
      { 'x-signature': ofFirst, authorization: 'Bearer other' },
      mismatch,
    ],
  ] as [string, Record<string, string>, object][])('a batch: %s', async (_, headers, result) => {
    expect(await verify(body, headers)).toEqual(result);
    expect(await verify(JSON.stringify(JSON.parse(body).batch), headers)).toEqual(
      headers['x-signature'] === ofAll ? mismatch : result,
    );
  });

  it('one event: the token alone, but none beside a wrong signature', async () => {
    const event = JSON.stringify(first);
    expect(await verify(event, { authorization: 'Bearer secret' })).toEqual({ ok: true });
    expect(await verify(event, { 'x-signature': 'f00d', authorization: 'Bearer secret' })).toEqual(mismatch);
  });
});
