/**
 * The two ways in which Vonage signs. Messages API: a bearer JWT (HS256) that names the body's SHA-256. SMS API: `sig` over
 * the sorted parameters. Sources: https://developer.vonage.com/en/getting-started/concepts/webhooks and
 * https://developer.vonage.com/en/getting-started/concepts/signing-messages.
 */
import { jwtVerify } from 'jose';
import {
  equalTexts,
  type HmacHash,
  hmac,
  isCanonicalBase64Url,
  matchesAny,
  toHex,
  withinWindow,
} from '../../platform/signature.ts';
import { REPLAY_WINDOW_MS } from '../../platform/standard-webhooks.ts';
import type { CallbackRefusal, CallbackRequest } from '../provider.ts';
import { entryOf } from './callback-items.ts';

/** @returns the refusal, or `null` for a proven request. */
export async function jwtRefusal(
  request: CallbackRequest,
  token: string,
  secrets: readonly string[],
  now: number,
): Promise<CallbackRefusal | null> {
  if (!isCanonicalBase64Url(token.split('.').at(-1) ?? '')) return 'signature_mismatch';
  const claims = (await Promise.all(secrets.map((secret) => verifiedClaims(token, secret, now)))).find(
    Boolean,
  );
  if (!claims) return 'signature_mismatch';
  const hash = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', request.body)));
  const named = claims.payload_hash;
  const empty = request.body.length === 0 && named === undefined && request.method !== 'GET';
  const covered = typeof named === 'string' && equalTexts(hash, named.toLowerCase());
  if (!covered && !empty) return 'signature_mismatch';
  const { iat } = claims;
  if (iat === undefined || !withinWindow(iat * 1000, now, REPLAY_WINDOW_MS)) return 'timestamp_out_of_range';
  return claims.exp !== undefined && claims.exp * 1000 <= now ? 'timestamp_out_of_range' : null;
}

async function verifiedClaims(token: string, secret: string, now: number) {
  try {
    // The times are judged afterwards, so that a late token is told from a forged one.
    const options = {
      algorithms: ['HS256'],
      currentDate: new Date(now),
      clockTolerance: Number.MAX_SAFE_INTEGER,
    };
    return (await jwtVerify(token, new TextEncoder().encode(secret), options)).payload;
  } catch {
    return null;
  }
}

const HMACS: Readonly<Record<string, HmacHash>> = {
  sha1hmac: 'SHA-1',
  sha1: 'SHA-1',
  sha256hmac: 'SHA-256',
  sha256: 'SHA-256',
  sha512hmac: 'SHA-512',
  sha512: 'SHA-512',
};

/**
 * The SMS API's `sig`: keys in order, `&` and `=` within values as `_`. Vonage's libraries differ: the text begins with `&`
 * or does not, or its separators become `_` too (Node.js); all three are tried.
 *
 * @param method `md5hash`, `sha1hmac`, `sha256hmac` or `sha512hmac`, as set in the account.
 */
export async function smsSignatureMatches(
  parameters: Readonly<Record<string, string>>,
  secrets: readonly string[],
  method: string,
): Promise<boolean> {
  const given = (parameters.sig ?? '').toLowerCase();
  const text = Object.entries(parameters)
    .filter(([key]) => key !== 'sig')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value.replace(/[&=]/g, '_')}`)
    .join('&');
  return await matchesAny(secrets, async (secret) => {
    const digests = await Promise.all(
      [text, `&${text}`, text.replace(/[&=]/g, '_')].map((signed) => digest(method, secret, signed)),
    );
    return digests.map((expected) => expected !== null && equalTexts(expected, given)).some(Boolean);
  });
}

async function digest(method: string, secret: string, text: string): Promise<string | null> {
  if (method === 'md5hash')
    return toHex(
      new Uint8Array(await crypto.subtle.digest('MD5', new TextEncoder().encode(`${text}${secret}`))),
    );
  const hash = entryOf(HMACS, method);
  return hash === undefined ? null : toHex(await hmac(hash, secret, text));
}
