/**
 * Verifying Standard Webhooks (standardwebhooks.com), which Svix uses too under header names of its own. The library of
 * that name has a clock of its own and knows no public keys; a clock must be ours to give, so this is done here.
 */
import { equalTexts, fromBase64, hmac, toBase64, withinWindow } from './signature.ts';

export type WebhookVerdict = 'valid' | 'signature_missing' | 'signature_mismatch' | 'timestamp_out_of_range';

/** How old or how far ahead a signed time may be. Unit: milliseconds. */
export const REPLAY_WINDOW_MS = 5 * 60_000;

const encoder = new TextEncoder();

/**
 * Verifies `webhook-id`, `webhook-timestamp` and `webhook-signature` (or their `svix-` twins) against the raw body.
 *
 * @param secrets `whsec_…` or its bare base64 (signatures `v1`, HMAC-SHA256), `whpk_…` (signatures `v1a`, Ed25519). Those
 *   that are neither match nothing.
 * @param now milliseconds since 1970.
 * @param windowMs how far the signed time may lie from now.
 */
export async function verifyStandardWebhook(
  request: { readonly headers: Headers; readonly body: Uint8Array<ArrayBuffer> },
  secrets: readonly string[],
  now: number,
  windowMs = REPLAY_WINDOW_MS,
): Promise<WebhookVerdict> {
  const header = (name: string): string | null =>
    request.headers.get(`webhook-${name}`) ?? request.headers.get(`svix-${name}`);
  const [id, timestamp, signatures] = [header('id'), header('timestamp'), header('signature')];
  if (!id || !timestamp || !signatures) return 'signature_missing';
  const signed = concat(encoder.encode(`${id}.${timestamp}.`), request.body);
  const given = signatures.split(' ').flatMap((entry) => {
    const [, version, value] = /^(v1a?),(.+)$/.exec(entry) ?? [];
    return version !== undefined && value !== undefined ? [{ version, value }] : [];
  });
  const matches = await Promise.all(secrets.map((secret) => matchesOne(secret, given, signed)));
  if (!matches.some(Boolean)) return 'signature_mismatch';
  const inWindow = /^\d{1,12}$/.test(timestamp) && withinWindow(Number(timestamp) * 1000, now, windowMs);
  return inWindow ? 'valid' : 'timestamp_out_of_range';
}

interface Signature {
  readonly version: string;
  readonly value: string;
}

/** Whether one of the signatures was made with the secret. One HMAC for all of them: a header holds thousands. */
async function matchesOne(
  secret: string,
  given: readonly Signature[],
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const values = (version: string): string[] =>
    given.filter((signature) => signature.version === version).map(({ value }) => value);
  if (secret.startsWith('whpk_')) {
    const publicKey = secret.slice('whpk_'.length);
    const tried = values('v1a').slice(0, MAX_ED25519);
    const results = await Promise.all(tried.map((value) => verifiesEd25519(publicKey, value, signed)));
    return results.some(Boolean);
  }
  const key = fromBase64(secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : secret);
  if (key === null || key.length === 0) return false;
  const expected = toBase64(await hmac('SHA-256', key, signed));
  return values('v1')
    .map((value) => equalTexts(expected, value))
    .some(Boolean);
}

/** One for each active key; more are nobody's. */
const MAX_ED25519 = 10;

async function verifiesEd25519(
  publicKey: string,
  value: string,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const [key, signature] = [fromBase64(publicKey), fromBase64(value)];
  if (key?.length !== 32 || signature?.length !== 64 || toBase64(signature) !== value) return false;
  const imported = await crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
  return await crypto.subtle.verify({ name: 'Ed25519' }, imported, signature, signed);
}

/** Two byte strings as one; what is signed must be the body's very bytes, not a text made of them. */
export function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
