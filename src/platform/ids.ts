/** Ids with a prefix that says what they name, and hashes. */

/** A new random id: `run_` and 32 hex digits (122 random bits). */
export function newId(prefix: string): string {
  return `${prefix}_${crypto.randomUUID().replaceAll('-', '')}`;
}

/** An id that the same parts always give: 128 bits of SHA-256. Parts are separated unambiguously. */
export async function derivedId(prefix: string, ...parts: readonly string[]): Promise<string> {
  return `${prefix}_${(await sha256Hex(JSON.stringify(parts))).slice(0, 32)}`;
}

export async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
