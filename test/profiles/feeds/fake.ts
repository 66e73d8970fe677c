/** A world for connectors: servers and a DNS resolver that exist only here, and what was asked of them. */
import type { FeedConnector } from '../../../src/profiles/feeds/connector.ts';
import type { World } from '../../../src/profiles/feeds/outward.ts';

export const NOW = Date.parse('2026-11-20T12:00:00Z');
const RESOLVER = 'cloudflare-dns.com';

export interface Asked {
  readonly url: string;
  readonly headers: Headers;
}

type Serve = (asked: Asked, signal: AbortSignal | undefined) => Response | Promise<Response>;

export interface FakeWorld extends World {
  /** Requests besides those to the resolver, in order. */
  readonly asked: Asked[];
}

/** @param dns addresses by host; a host that is not named is public. */
export function fakeWorld(
  serve: Serve,
  { dns = {}, variables = {} }: { dns?: Record<string, string[]>; variables?: Record<string, string> } = {},
): FakeWorld {
  const asked: Asked[] = [];
  const fake = async (input: string, init?: RequestInit): Promise<Response> => {
    const request = { url: input, headers: new Headers(init?.headers) };
    const url = new URL(input);
    if (url.hostname === RESOLVER) return resolve(url, dns);
    asked.push(request);
    return await serve(request, init?.signal ?? undefined);
  };
  return {
    fetch: fake as typeof fetch,
    variable: (name) => variables[name],
    now: () => NOW,
    asked,
  };
}

function resolve(url: URL, dns: Record<string, string[]>): Response {
  const type = url.searchParams.get('type') === 'A' ? 1 : 28;
  const addresses = dns[url.searchParams.get('name') ?? ''] ?? ['93.184.215.14'];
  const found = addresses.filter((address) => address.includes(':') === (type === 28));
  if (addresses.length === 0) return Response.json({ Status: 3 });
  return Response.json({ Status: 0, Answer: found.map((data) => ({ name: 'x', type, TTL: 60, data })) });
}

/** Lists and reads everything. */
export async function readAll(connector: FeedConnector): Promise<{ position: string; text: string }[]> {
  const [document] = await connector.list();
  if (!document) return [];
  const segments: { position: string; text: string }[] = [];
  for await (const { position, body } of connector.segments(document, null)) {
    segments.push({ position, text: await textOf(body) });
  }
  return segments;
}

export async function textOf(body: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
}
