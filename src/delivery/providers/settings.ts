/** What adapters read from variables, and what they say where one is missing. */
import type { ProviderWorld, SendOutcome } from '../provider.ts';

/** The base URL of an API without the slash at its end. */
export function baseUrl(value: string): string {
  const withScheme = /^https?:\/\//i.test(value) ? value : `https://${value}`;
  return withScheme.replace(/\/+$/, '');
}

/** Where a provider posts its callbacks; `null` without PUBLIC_URL, and then the account's own settings count. */
export function callbackUrl(publicUrl: string | undefined, path: string): string | null {
  return publicUrl === undefined ? null : `${baseUrl(publicUrl)}/callbacks/${path}`;
}

/**
 * The outcome of a call that cannot be made: a definite “not sent”, and the account's mend. Without this a missing
 * variable would look like a lost connection, and leave the outcome unknown.
 *
 * @param url where the call would go.
 */
export function unsendable(
  world: Pick<ProviderWorld, 'variable'>,
  required: readonly string[],
  url: string,
): (SendOutcome & { kind: 'rejected' }) | null {
  const missing = required.filter((name) => !world.variable(name)?.trim());
  if (missing.length === 0 && URL.canParse(url)) return null;
  const detail =
    missing.length > 0 ? `not set: ${missing.join(', ')}` : 'the address in the settings is no URL';
  return { kind: 'rejected', error: { code: 'account_problem', providerCode: null, detail } };
}
