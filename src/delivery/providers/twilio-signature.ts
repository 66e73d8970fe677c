/**
 * `X-Twilio-Signature`: base64(HMAC-SHA1(auth token, URL + parameters)). The parameters of a form body are sorted by name and
 * appended as name and value without anything between; several values of one name are sorted, each distinct one once.
 * A JSON body is covered by its SHA-256, which stands in the URL as `bodySHA256`.
 * Source: https://www.twilio.com/docs/usage/webhooks/webhooks-security
 */
import { parse, stringify } from 'node:querystring';
import { equalTexts, hmac, matchesAny, toBase64, toHex } from '../../platform/signature.ts';

export type FormParameters = Readonly<Record<string, string | readonly string[]>>;

/** A form body as Twilio sees it: a name that comes several times has a list of values. */
export function formParameters(body: string): FormParameters {
  const values = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(body)) {
    const list = values.get(name);
    if (list) list.push(value);
    else values.set(name, [value]);
  }
  return Object.fromEntries(
    [...values].map(([name, list]) => [name, list.length === 1 ? (list[0] ?? '') : list]),
  );
}

/** Whether one of the auth tokens gives this signature for the URL, in one of the spellings that Twilio may have signed. */
export async function signedByTwilio(
  tokens: readonly string[],
  url: string,
  parameters: FormParameters,
  signature: string,
): Promise<boolean> {
  const tail = Object.keys(parameters)
    .sort()
    .map((name) => {
      const value = parameters[name] ?? '';
      const values = typeof value === 'string' ? [value] : [...new Set(value)].sort();
      return values.map((one) => name + one).join('');
    })
    .join('');
  return await matchesAny(tokens, async (token) => {
    const matches = await Promise.all(
      spellings(url).map(async (spelling) =>
        equalTexts(toBase64(await hmac('SHA-1', token, spelling + tail)), signature),
      ),
    );
    return matches.some(Boolean);
  });
}

/** Whether the body is the one whose SHA-256 the URL names. */
export async function bodyMatchesUrl(url: string, body: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const expected = new URL(url).searchParams.get('bodySHA256') ?? '';
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
  return equalTexts(toHex(digest), expected.toLowerCase());
}

/** Twilio signs with or without the port, and has signed with two ways of writing a query. */
function spellings(given: string): string[] {
  const url = new URL(given);
  const plain = [withoutPort(url), withPort(url)];
  return [...new Set([...plain, ...plain.map(legacyQuery)])];
}

function withoutPort(url: URL): string {
  const copy = new URL(url);
  copy.port = '';
  return copy.toString();
}

/** A URL object drops the port that its scheme has anyway; here it is wanted. */
function withPort(url: URL): string {
  if (url.port !== '') return url.toString();
  const login = url.username === '' ? '' : `${url.username}${url.password === '' ? '' : `:${url.password}`}@`;
  const port = url.protocol === 'https:' ? 443 : 80;
  return `${url.protocol}//${login}${url.hostname}:${port}${url.pathname}${url.search}${url.hash}`;
}

/** The query read and written again by the older rules, under which a space is `%20` and a quote stands for itself. */
function legacyQuery(url: string): string {
  const [address = '', query] = url.split('?', 2);
  return query === undefined ? url : `${address}?${stringify(parse(query))}`;
}
