/** Secrets of sources at rest: AES-GCM under a key of the environment, bound to the source that they belong to. */
import { z } from 'zod';
import { sha256Hex } from '../platform/ids.ts';
import { Problem } from '../platform/problem.ts';
import type { Runtime } from '../platform/runtime.ts';
import { fromBase64, secretsOf, toBase64 } from '../platform/signature.ts';

const encoder = new TextEncoder();
const list = z.array(z.string());

/** Guards nothing: it lets a laptop try sources without a secret of its own. A deployment never has DEMO. */
const DEVELOPMENT_KEY = 'the key of a development machine, known to everybody';

/** @throws Problem 503 where the Worker has no key to encrypt with. */
export async function sealSecrets(
  runtime: Runtime,
  sourceId: string,
  secrets: readonly string[],
): Promise<string> {
  const [key] = keysOf(runtime);
  if (key === undefined)
    throw new Problem(
      503,
      'Secrets can only be stored encrypted, and the secret SOURCES_KEY is not set. Set it with `wrangler secret put SOURCES_KEY` and send the same request again.',
    );
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv, additionalData: encoder.encode(sourceId) },
    await aesKey(key),
    encoder.encode(JSON.stringify(secrets)),
  );
  return `v1.${toBase64(iv)}.${toBase64(new Uint8Array(sealed))}`;
}

/** The secrets; `null` where no key of the environment opens them. */
export async function openSecrets(
  runtime: Runtime,
  sourceId: string,
  sealed: string,
): Promise<readonly string[] | null> {
  const [version, iv, data] = sealed.split('.').map((part) => (part === 'v1' ? part : fromBase64(part)));
  if (version !== 'v1' || !(iv instanceof Uint8Array) || !(data instanceof Uint8Array)) return null;
  for (const key of keysOf(runtime)) {
    try {
      const algorithm = { name: 'AES-GCM', iv, additionalData: encoder.encode(sourceId) };
      const plain = await crypto.subtle.decrypt(algorithm, await aesKey(key), data);
      return list.parse(JSON.parse(new TextDecoder().decode(plain)));
    } catch {
      // Another key, or another source's row.
    }
  }
  return null;
}

/** What may be shown of a secret: enough to tell two apart. */
export async function fingerprint(sourceId: string, secret: string): Promise<string> {
  return (await sha256Hex(`${sourceId}:${secret}`)).slice(0, 8);
}

/** The first encrypts; all decrypt, while one replaces another. */
function keysOf(runtime: Runtime): readonly string[] {
  const keys = secretsOf(runtime.variable('SOURCES_KEY'));
  return keys.length === 0 && runtime.config.demo ? [DEVELOPMENT_KEY] : keys;
}

async function aesKey(key: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey('raw', encoder.encode(key), 'HKDF', false, ['deriveKey']);
  const derivation = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(),
    info: encoder.encode('optitext sources'),
  };
  return await crypto.subtle.deriveKey(derivation, material, { name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ]);
}
