/**
 * Where a host name leads, asked of a DNS-over-HTTPS resolver (JSON form) before anything is sent there.
 *
 * A name that changes between this answer and the request's own look-up can still lead elsewhere: a Worker cannot pin the address
 * that `fetch` connects to. On Cloudflare such a request cannot reach a private network; on other hosts, keep the Worker's
 * network from reaching one.
 */
import { z } from 'zod';
import { BrokenFeed } from '../formats/broken.ts';
import { isPublicAddress } from './address.ts';
import { InterruptedFeed } from './interrupted.ts';

export const DEFAULT_RESOLVER = 'https://cloudflare-dns.com/dns-query';

const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 100_000;
const NO_SUCH_NAME = 3;
const TYPES = { A: 1, AAAA: 28 } as const;

const answer = z.object({
  Status: z.number(),
  Answer: z.array(z.object({ type: z.number(), data: z.string() })).default([]),
});

/** @throws BrokenFeed where any of its addresses is private, or it has none; InterruptedFeed where the resolver does not answer */
export async function checkHost(doFetch: typeof fetch, resolver: string, host: string): Promise<void> {
  const types = Object.keys(TYPES) as (keyof typeof TYPES)[];
  const found = (await Promise.all(types.map((type) => addressesOf(doFetch, resolver, host, type)))).flat();
  if (found.length === 0) throw new BrokenFeed(`The host ${host} has no address; check the feed's address.`);
  if (!found.every(isPublicAddress)) {
    throw new BrokenFeed(
      `The host ${host} leads to a private or special IP address, so nothing was sent there. Feeds must be on public hosts.`,
    );
  }
}

async function addressesOf(
  doFetch: typeof fetch,
  resolver: string,
  host: string,
  type: keyof typeof TYPES,
): Promise<string[]> {
  const url = new URL(resolver);
  url.searchParams.set('name', host);
  url.searchParams.set('type', type);
  const parsed = answer.safeParse(await ask(doFetch, url));
  if (!parsed.success) throw noAnswer(url, 'gave no answer in the JSON form');
  const { Status, Answer } = parsed.data;
  if (Status === NO_SUCH_NAME) throw new BrokenFeed(`There is no host ${host}; check the feed's address.`);
  if (Status !== 0) throw noAnswer(url, `answered with DNS status ${Status}`);
  return Answer.filter((record) => record.type === TYPES[type]).map((record) => record.data);
}

async function ask(doFetch: typeof fetch, url: URL): Promise<unknown> {
  try {
    const response = await doFetch(url.href, {
      headers: { accept: 'application/dns-json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      return undefined;
    }
    const text = await response.text();
    return text.length > MAX_ANSWER_BYTES ? undefined : (JSON.parse(text) as unknown);
  } catch {
    throw noAnswer(url, 'did not answer');
  }
}

function noAnswer(resolver: URL, what: string): InterruptedFeed {
  return new InterruptedFeed(
    `The DNS resolver ${resolver.host} ${what}, so the feed's host could not be checked and nothing was sent. It is tried again; FEEDS_RESOLVER names another one.`,
  );
}
