/** Parameters of callbacks: from a form body, or from the query of a GET. */
import type { CallbackRequest } from '../provider.ts';

/** Every value of every key, in the order in which they came. */
export type Parameters = ReadonlyMap<string, readonly string[]>;

/** The form's parameters; `null` where the body is of another type. */
export function bodyParameters(request: Pick<CallbackRequest, 'headers' | 'body'>): Parameters | null {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) return null;
  return parameters(new TextDecoder().decode(request.body));
}

export function queryParameters(url: string): Parameters {
  const query = /\?([^#]*)/.exec(url)?.[1];
  return parameters(query ?? '');
}

/** What a callback says: its form's fields, and for a GET those of its query. */
export function fieldsOf(request: CallbackRequest): Readonly<Record<string, string>> {
  const from = request.method === 'GET' ? queryParameters(request.url) : bodyParameters(request);
  const first = [...(from ?? new Map<string, string[]>())].map(([key, values]) => [key, values[0] ?? '']);
  return Object.fromEntries(first) as Record<string, string>;
}

/** Our message id, which we put into the address that we gave to the provider. */
export function referenceOf(url: string): string | null {
  const ref = queryParameters(url).get('ref')?.[0];
  return ref === undefined || ref === '' || ref.length > 200 ? null : ref;
}

function parameters(text: string): Parameters {
  const all = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(text)) all.set(key, [...(all.get(key) ?? []), value]);
  return all;
}
