import { describe, expect, it } from 'vitest';
import { verifyStandardWebhook } from '../../src/platform/standard-webhooks.ts';
import published from '../delivery/providers/vectors/standard-webhooks.json';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const [first] = published.vectors;
if (!first) throw new Error('no vectors');

interface Delivery {
  readonly id: string;
  readonly timestamp: string | number;
  readonly signature: string;
  readonly payload: string;
  readonly prefix?: string;
}

function request({ id, timestamp, signature, payload, prefix = 'webhook' }: Delivery) {
  return {
    headers: new Headers({
      [`${prefix}-id`]: id,
      [`${prefix}-timestamp`]: String(timestamp),
      [`${prefix}-signature`]: signature,
    }),
    body: new Uint8Array(new TextEncoder().encode(payload)),
  };
}

const verify = (delivery: Delivery, secrets: string[] = [SECRET], skewMs = 0) =>
  verifyStandardWebhook(request(delivery), secrets, Number(delivery.timestamp) * 1000 + skewMs);

describe('Standard Webhooks', () => {
  it.each(published.vectors)('accepts what is published: $name', async (vector) => {
    expect(await verify(vector, [vector.secret])).toBe('valid');
    expect(await verify(vector, [vector.secret.replace('whsec_', '')])).toBe('valid');
    expect(await verify({ ...vector, prefix: 'svix' }, [vector.secret])).toBe('valid');
    expect(await verify(vector, ['whsec_b3RoZXI=', vector.secret])).toBe('valid');
    expect(await verify({ ...vector, payload: `${vector.payload} ` }, [vector.secret])).toBe(
      'signature_mismatch',
    );
    expect(await verify({ ...vector, id: `${vector.id}x` }, [vector.secret])).toBe('signature_mismatch');
    expect(await verify(vector, ['whsec_b3RoZXI='])).toBe('signature_mismatch');
  });

  it('finds the right signature among several', async () => {
    expect(await verify({ ...first, signature: published.multiSignature.header })).toBe('valid');
    expect(await verify({ ...first, signature: published.multiSignature.wrong.join(' ') })).toBe(
      'signature_mismatch',
    );
  });

  it('verifies Ed25519 with a public key, and with that alone', async () => {
    const { publicKey, ...delivery } = published.derivedAsymmetric;
    expect(await verify(delivery, [SECRET, publicKey])).toBe('valid');
    expect(await verify({ ...delivery, payload: '{}' }, [publicKey])).toBe('signature_mismatch');
    expect(await verify(delivery, [SECRET])).toBe('signature_mismatch');
    expect(await verify({ ...delivery, signature: 'v1a,AAAA' }, [publicKey])).toBe('signature_mismatch');
    expect(
      await verify({ ...delivery, signature: delivery.signature.replace('v1a', 'v1') }, [publicKey]),
    ).toBe('signature_mismatch');
  });

  it.each([
    ['at the end of the window', 300_000, 'valid'],
    ['a second later', 301_000, 'timestamp_out_of_range'],
    ['early, within the window', -300_000, 'valid'],
    ['earlier than that', -301_000, 'timestamp_out_of_range'],
  ])('%s', async (_, skewMs, verdict) => {
    expect(await verify(first, [SECRET], skewMs)).toBe(verdict);
  });

  it('verifies an empty body', async () => {
    // HMAC-SHA256 over "msg_1.1614265330." with the key of SECRET, made elsewhere.
    const delivery = {
      id: 'msg_1',
      timestamp: 1614265330,
      payload: '',
      signature: 'v1,/n9JD+QvCBymh/dplZctdnJL3Jc/7vU4siQ5cz50QYY=',
    };
    expect(await verify(delivery)).toBe('valid');
  });

  it.each([
    ['no id', { id: '' }, 'signature_missing'],
    ['no signature', { signature: '' }, 'signature_missing'],
    ['no timestamp', { timestamp: '' }, 'signature_missing'],
    ['a signature of nothing', { signature: 'v1,' }, 'signature_mismatch'],
    ['a signature that is none', { signature: 'v1,dawfeoifkpqwoekfpqoekf' }, 'signature_mismatch'],
    ['no version', { signature: first.signature.slice(3) }, 'signature_mismatch'],
    ['another version', { signature: first.signature.replace('v1', 'v2') }, 'signature_mismatch'],
    ['a timestamp with a tail', { timestamp: '1614265330abc' }, 'signature_mismatch'],
  ])('refuses %s', async (_, change, verdict) => {
    expect(
      await verifyStandardWebhook(request({ ...first, ...change }), [SECRET], first.timestamp * 1000),
    ).toBe(verdict);
  });

  it('takes a secret that is none for one that matches nothing', async () => {
    for (const secret of ['whsec_', 'whsec_%%%', 'whpk_AAAA', 'whpk_%']) {
      expect(await verify(first, [secret])).toBe('signature_mismatch');
    }
  });
});
