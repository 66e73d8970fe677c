/** HubSpot's three signatures. v3 is an HMAC with a time; v2 and v1, which workflows and older apps still send, are plain hashes. */
import { equalTexts, matchesAny, toHex, withinWindow } from '../../platform/signature.ts';
import { concat } from '../../platform/standard-webhooks.ts';
import type { Delivery, KindSettings, Verification } from '../kind.ts';
import { headerOf, isHmac, refused, VERIFIED, verdict } from './proof.ts';

const encoder = new TextEncoder();

/** Where v3 is present it alone counts. */
export async function verifyHubspot(delivery: Delivery, settings: KindSettings): Promise<Verification> {
  if (settings.secrets.length === 0) return refused('secret_not_set');
  const v3 = headerOf(delivery, 'x-hubspot-signature-v3');
  if (v3 !== null) return await verifyV3(delivery, settings, v3);
  const older = headerOf(delivery, 'x-hubspot-signature');
  if (older === null) return refused('signature_missing');
  switch (headerOf(delivery, 'x-hubspot-signature-version')?.toLowerCase() ?? 'v1') {
    case 'v1':
      return await verifyHash(delivery, settings, older, '');
    case 'v2':
      return await verifyHash(delivery, settings, older, `${delivery.method}${delivery.url}`);
    default:
      return refused('signature_mismatch');
  }
}

async function verifyV3(delivery: Delivery, settings: KindSettings, given: string): Promise<Verification> {
  const timestamp = headerOf(delivery, 'x-hubspot-request-timestamp');
  if (timestamp === null) return refused('signature_missing');
  if (!/^\d{1,15}$/.test(timestamp)) return refused('signature_mismatch');
  const head = encoder.encode(`${delivery.method}${decodedUri(delivery.url)}`);
  const signed = concat(concat(head, delivery.body), encoder.encode(timestamp));
  if (!(await isHmac(given, settings.secrets, signed, 'SHA-256', 'base64')))
    return refused('signature_mismatch');
  return withinWindow(Number(timestamp), delivery.receivedAt, settings.toleranceMs)
    ? VERIFIED
    : refused('timestamp_out_of_range');
}

/**
 * Hex SHA-256 over secret, what stands between, and body. Such a hash lets a stranger append to a signed body, but only
 * behind bytes (0x80, NUL) that no JSON holds: what was appended to is unreadable.
 */
async function verifyHash(
  delivery: Delivery,
  settings: KindSettings,
  given: string,
  between: string,
): Promise<Verification> {
  return verdict(
    await matchesAny(settings.secrets, async (secret) => {
      const signed = concat(encoder.encode(`${secret}${between}`), delivery.body);
      const hash = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', signed)));
      return secret !== '' && equalTexts(hash, given.toLowerCase());
    }),
  );
}

/** The characters that HubSpot decodes before it signs; all others stay as they are. */
const DECODED: Readonly<Record<string, string>> = {
  '%3A': ':',
  '%2F': '/',
  '%3F': '?',
  '%40': '@',
  '%21': '!',
  '%24': '$',
  '%27': "'",
  '%28': '(',
  '%29': ')',
  '%2A': '*',
  '%2C': ',',
  '%3B': ';',
};

/** The URI as HubSpot v3 signs it. */
export function decodedUri(url: string): string {
  return url.replace(/%[0-9A-F]{2}/gi, (code) => DECODED[code.toUpperCase()] ?? code);
}
