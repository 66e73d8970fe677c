/** What the status of a feed's server means, in words for the operator. */
import { BrokenFeed } from '../formats/broken.ts';
import { InterruptedFeed } from './interrupted.ts';

/**
 * Passes a 200; a 304 is the caller's.
 *
 * @param secretName the variable that holds the secret; null where the feed has none.
 * @throws BrokenFeed for what only a person can mend; InterruptedFeed for what may pass
 */
export async function expectContent(
  response: Response,
  host: string,
  secretName: string | null,
): Promise<void> {
  const { status } = response;
  const isPage = /^\s*text\/html\b/i.test(response.headers.get('content-type') ?? '');
  if (status === 200 && !isPage) return;
  await response.body?.cancel();
  throw status === 200
    ? new BrokenFeed(
        `${host} answers with a web page, perhaps a login or error page, instead of CSV, NDJSON or JSON.`,
      )
    : failure(status, host, secretName);
}

function failure(status: number, host: string, secretName: string | null): BrokenFeed | InterruptedFeed {
  const says = `${host} answers HTTP ${status}`;
  if (status === 401 || status === 403) {
    return new BrokenFeed(
      secretName === null
        ? `${says}: it wants a secret. Give the feed an "auth".`
        : `${says}: it refuses the secret. Check the variable ${secretName} and what it may read.`,
    );
  }
  if (status === 404 || status === 410)
    return new BrokenFeed(`${says}: there is nothing at this address. Check it.`);
  if (status === 408 || status === 429 || status >= 500) {
    return new InterruptedFeed(
      `${says}: it fails or is busy. It is tried again; ask who runs it if this goes on.`,
    );
  }
  return new BrokenFeed(`${says} instead of 200. Check the address and what it wants.`);
}

/** For listing: what may pass is told like what may not, and the next look asks again. */
export async function asListing<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    throw error instanceof InterruptedFeed ? new BrokenFeed(error.message) : error;
  }
}
