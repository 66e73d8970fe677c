/** What verifying a signed request needs: HMACs with WebCrypto, comparison in constant time, several secrets at once. */

export type HmacHash = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

const encoder = new TextEncoder();

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? encoder.encode(data) : data;
}

/** HMAC of the data's bytes; texts count as UTF-8. */
export async function hmac(
  hash: HmacHash,
  secret: string | Uint8Array,
  data: string | Uint8Array,
): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey('raw', bytesOf(secret), { name: 'HMAC', hash }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, bytesOf(data)));
}

/** Whether two byte strings are equal, in a time that depends on the length of the first alone. */
export function equalBytes(expected: Uint8Array, given: Uint8Array): boolean {
  // timingSafeEqual throws on different lengths; comparing `expected` with itself keeps the time the same.
  const sameLength = expected.byteLength === given.byteLength;
  return crypto.subtle.timingSafeEqual(expected, sameLength ? given : expected) && sameLength;
}

/** As `equalBytes`, for texts. */
export function equalTexts(expected: string, given: string): boolean {
  return equalBytes(encoder.encode(expected), encoder.encode(given));
}

/** Several active secrets for rotation stand in one variable, separated by commas or white space. */
export function secretsOf(value: string | undefined): string[] {
  return (value ?? '').split(/[\s,]+/).filter((secret) => secret !== '');
}

/** Tries every secret, all of them, so that the time does not tell which one matched. */
export async function matchesAny(
  secrets: readonly string[],
  matches: (secret: string) => Promise<boolean>,
): Promise<boolean> {
  const results = await Promise.all(secrets.map(matches));
  return results.some(Boolean);
}

/** Whether a signed time lies within the window on both sides. Both in milliseconds since 1970. */
export function withinWindow(signedAt: number, now: number, windowMs: number): boolean {
  return Number.isFinite(signedAt) && Math.abs(now - signedAt) <= windowMs;
}

/** Bytes of a base64 text (also of its URL form); `null` where it is none. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    return Uint8Array.from(binary, (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** The last character of a base64 text holds bits that nobody reads: one signature would have four spellings. */
export function isCanonicalBase64Url(signature: string): boolean {
  const bytes = fromBase64(signature);
  if (bytes === null) return false;
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '') === signature;
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
