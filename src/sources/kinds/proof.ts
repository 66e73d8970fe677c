/** What kinds share in verifying: refusals, HMACs over the raw body, and secrets that travel in a header. */
import {
  equalTexts,
  fromBase64,
  type HmacHash,
  hmac,
  matchesAny,
  toBase64,
  toHex,
} from '../../platform/signature.ts';
import type { Delivery, KindSettings, Verification, VerifyRefusal } from '../kind.ts';
import { bodyText } from './payload.ts';

export const VERIFIED: Verification = { ok: true };

export function refused(reason: VerifyRefusal): Verification {
  return { ok: false, reason };
}

export function verdict(matches: boolean): Verification {
  return matches ? VERIFIED : refused('signature_mismatch');
}

/**
 * Whether a text, or one of several, is the HMAC of the data with one of the secrets. Hex in either case, base64 as it is
 * written. One HMAC for each secret, however many texts a header holds.
 */
export async function isHmac(
  given: string | readonly string[],
  secrets: readonly string[],
  data: string | Uint8Array,
  hash: HmacHash,
  encoding: 'hex' | 'base64',
): Promise<boolean> {
  const texts = [given].flat().map((text) => (encoding === 'hex' ? text.toLowerCase() : text));
  const encode = encoding === 'hex' ? toHex : toBase64;
  return await matchesAny(secrets, async (secret) => {
    // WebCrypto refuses an empty key.
    if (secret === '') return false;
    const expected = encode(await hmac(hash, secret, data));
    return texts.map((text) => equalTexts(expected, text)).some(Boolean);
  });
}

/** A header without white space around it; `null` where it is missing or blank. */
export function headerOf(delivery: Delivery, name: string): string | null {
  return delivery.headers.get(name)?.trim() || null;
}

/** One HMAC in one header over the whole body: the commonest scheme. */
export async function verifyBodyHmac(
  delivery: Delivery,
  settings: KindSettings,
  scheme: {
    readonly header: string;
    readonly hash: HmacHash;
    readonly encoding: 'hex' | 'base64';
    readonly prefix?: string;
  },
): Promise<Verification> {
  if (settings.secrets.length === 0) return refused('secret_not_set');
  const given = headerOf(delivery, scheme.header);
  if (given === null) return refused('signature_missing');
  const prefix = scheme.prefix ?? '';
  if (!given.startsWith(prefix)) return refused('signature_mismatch');
  const signature = given.slice(prefix.length);
  return verdict(await isHmac(signature, settings.secrets, delivery.body, scheme.hash, scheme.encoding));
}

/** The token of `Authorization: Bearer …`; `null` where there is none. */
export function bearerOf(delivery: Delivery): string | null {
  const header = headerOf(delivery, 'authorization');
  return header !== null && /^bearer /i.test(header) ? header.slice('bearer '.length).trim() || null : null;
}

/** The password of `Authorization: Basic …`, whatever the user; `null` where there is none. */
export function basicPasswordOf(delivery: Delivery): string | null {
  const header = headerOf(delivery, 'authorization');
  if (header === null || !/^basic /i.test(header)) return null;
  const bytes = fromBase64(header.slice('basic '.length).trim());
  const pair = bytes === null ? null : bodyText(bytes);
  const colon = pair?.indexOf(':') ?? -1;
  return pair !== null && colon >= 0 ? pair.slice(colon + 1) || null : null;
}

/** Whether a token is one of the secrets. */
export async function verifyToken(given: string | null, settings: KindSettings): Promise<Verification> {
  if (settings.secrets.length === 0) return refused('secret_not_set');
  if (given === null) return refused('signature_missing');
  return verdict(
    await matchesAny(settings.secrets, async (secret) => secret !== '' && equalTexts(secret, given)),
  );
}
