/** Verifying as a source's options state it: a token in a header, or an HMAC of stated header, hash, encoding and text. */
import type { HmacHash } from '../../platform/signature.ts';
import { withinWindow } from '../../platform/signature.ts';
import { concat } from '../../platform/standard-webhooks.ts';
import type { Delivery, KindSettings, Verification } from '../kind.ts';
import { type Proof, proofOptions } from './generic-options.ts';
import { basicPasswordOf, bearerOf, headerOf, isHmac, refused, VERIFIED, verifyToken } from './proof.ts';

const HASHES = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
} as const satisfies Readonly<Record<string, HmacHash>>;

/** Where tools without signatures put a secret, if the source does not say. */
const TOKEN_HEADERS = ['x-webhook-secret', 'x-api-key'] as const;

/**
 * Verifies as `options.verify` says. Without it the secret may travel as a bearer token, as the password of basic
 * authentication, or in `x-webhook-secret` or `x-api-key`.
 */
export async function verifyAsStated(delivery: Delivery, settings: KindSettings): Promise<Verification> {
  const stated = settings.options.verify;
  if (stated === undefined) return await verifyToken(tokenOf(delivery), settings);
  const proof = proofOptions.safeParse(stated).data;
  // Options are checked when saved; what can't be read now must not open the door.
  if (proof === undefined) return refused('secret_not_set');
  switch (proof.scheme) {
    case 'bearer':
      return await verifyToken(bearerOf(delivery), settings);
    case 'basic':
      return await verifyToken(basicPasswordOf(delivery), settings);
    case 'header':
      return await verifyToken(headerOf(delivery, proof.header), settings);
    case 'hmac':
      return await verifyHmac(delivery, settings, proof);
  }
}

function tokenOf(delivery: Delivery): string | null {
  const inHeader = TOKEN_HEADERS.map((name) => headerOf(delivery, name)).find((token) => token !== null);
  return bearerOf(delivery) ?? basicPasswordOf(delivery) ?? inHeader ?? null;
}

async function verifyHmac(
  delivery: Delivery,
  settings: KindSettings,
  proof: Extract<Proof, { scheme: 'hmac' }>,
): Promise<Verification> {
  if (settings.secrets.length === 0) return refused('secret_not_set');
  const given = headerOf(delivery, proof.header);
  const timestamp = proof.timestamp_header === undefined ? '' : headerOf(delivery, proof.timestamp_header);
  if (given === null || timestamp === null) return refused('signature_missing');
  if (!given.startsWith(proof.prefix)) return refused('signature_mismatch');
  const signature = given.slice(proof.prefix.length);
  const data = signedBytes(delivery, proof.signed, timestamp);
  if (!(await isHmac(signature, settings.secrets, data, HASHES[proof.hash], proof.encoding)))
    return refused('signature_mismatch');
  if (proof.timestamp_header === undefined) return VERIFIED;
  const at = /^\d{1,15}$/.test(timestamp)
    ? Number(timestamp) * (proof.timestamp_unit === 's' ? 1000 : 1)
    : Number.NaN;
  return withinWindow(at, delivery.receivedAt, settings.toleranceMs)
    ? VERIFIED
    : refused('timestamp_out_of_range');
}

const encoder = new TextEncoder();

/** The template filled in one pass, with the body's very bytes. */
function signedBytes(delivery: Delivery, template: string, timestamp: string): Uint8Array<ArrayBuffer> {
  const values: Readonly<Record<string, string>> = {
    '{timestamp}': timestamp,
    '{method}': delivery.method,
    '{url}': delivery.url,
  };
  const fill = (text: string): Uint8Array =>
    encoder.encode(text.replace(/\{(?:timestamp|method|url)\}/g, (name) => values[name] ?? ''));
  const [before = '', after = ''] = template.split('{body}');
  return concat(concat(fill(before), delivery.body), fill(after));
}
