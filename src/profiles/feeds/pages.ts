/** A feed in pages: the Link header (RFC 8288) or the page itself names the next one. JSON pages become NDJSON. */
import LinkHeader from 'http-link-header';
import { sha256Hex } from '../../platform/ids.ts';
import { isJsonObject } from '../../platform/json.ts';
import { BrokenFeed } from '../formats/broken.ts';
import type { FeedSegment } from './connector.ts';
import type { Pages } from './https-fields.ts';
import type { Outward } from './outward.ts';

/** A JSON page is held whole; what is larger comes as NDJSON or in smaller pages. */
const MAX_JSON_PAGE_BYTES = 16_000_000;

export interface PagedFeed {
  readonly url: URL;
  readonly pages: Pages;
  readonly max_pages: number;
  /** Of all pages that one tick reads. */
  readonly max_bytes: number;
  readonly outward: Outward;
  /** The page at an address, once its server gives one. */
  readonly ask: (url: URL) => Promise<Response>;
}

/** Where a page is: its number, so that pages end though their reading was interrupted, and path with query. */
interface Place {
  readonly number: number;
  readonly url: URL;
}

/** @throws BrokenFeed for pages without end or a page that is none; InterruptedFeed for what may pass */
export async function* pagesFrom(feed: PagedFeed, from: string | null): AsyncGenerator<FeedSegment> {
  const seen = new Set<string>();
  let bytesLeft = feed.max_bytes;
  const onBytes = (count: number): void => {
    bytesLeft -= count;
  };
  for (let place: Place | null = placeOf(feed, from); place; ) {
    await guard(feed, place, seen);
    const name = `Page ${place.number}`;
    const response = await feed.ask(place.url);
    const contentType = response.headers.get('content-type');
    const position = positionOf(place);
    const { items } = feed.pages;
    if (items === null) {
      const body = feed.outward.body(response, name, { maxBytes: bytesLeft, onBytes });
      yield { position, body, contentType };
      place = nextPlace(feed, place, linkedNext(response));
      continue;
    }
    const maxBytes = Math.min(bytesLeft, MAX_JSON_PAGE_BYTES);
    const page = await readJsonPage(feed.outward.body(response, name, { maxBytes, onBytes }), name);
    const rows = itemsAt(page, items, name);
    // A page without rows is no segment: nothing tells what format it would have.
    if (rows.length > 0) yield { position, body: ndjson(rows), contentType: 'application/x-ndjson' };
    place = nextPlace(
      feed,
      place,
      feed.pages.by === 'link' ? linkedNext(response) : namedNext(page, feed.pages),
    );
  }
}

async function guard(feed: PagedFeed, place: Place, seen: Set<string>): Promise<void> {
  if (place.number > feed.max_pages) {
    throw new BrokenFeed(
      `The feed has more than ${feed.max_pages} pages; raise "max_pages" if that is right, else its cursor never ends.`,
    );
  }
  const hash = await sha256Hex(place.url.href);
  if (seen.has(hash)) {
    throw new BrokenFeed(
      `Page ${place.number} is one that was read before: the feed's cursor runs in a circle. Ask who runs it, and check "next" and "parameter".`,
    );
  }
  seen.add(hash);
}

function positionOf({ number, url }: Place): string {
  return number === 1 ? '' : `${number} ${url.pathname}${url.search}`;
}

function placeOf(feed: PagedFeed, position: string | null): Place {
  const [, number, path = ''] = /^(\d+) (\/.*)$/.exec(position ?? '') ?? [];
  return number === undefined
    ? { number: 1, url: feed.url }
    : { number: Number(number), url: sameOrigin(feed, path, feed.url) };
}

/** @param next an address, or the cursor for the configured one; null: this was the last page. */
function nextPlace(feed: PagedFeed, { number, url }: Place, next: string | null): Place | null {
  if (next === null) return null;
  const { pages } = feed;
  if (pages.by === 'link' || pages.parameter === null) {
    return { number: number + 1, url: sameOrigin(feed, next, url) };
  }
  const address = new URL(feed.url);
  address.searchParams.set(pages.parameter, next);
  return { number: number + 1, url: address };
}

/** The feed's secret goes to its own host only, so pages must stay there. */
function sameOrigin(feed: PagedFeed, reference: string, base: URL): URL {
  if (!URL.canParse(reference, base.href)) {
    throw new BrokenFeed(
      'The address of the next page cannot be read; if "next" is a cursor, name its "parameter".',
    );
  }
  const url = new URL(reference, base);
  url.hash = '';
  if (url.origin !== feed.url.origin) {
    throw new BrokenFeed(`The next page would be on another host (${url.host}); nothing was sent there.`);
  }
  return url;
}

function linkedNext(response: Response): string | null {
  const header = response.headers.get('link');
  if (header === null) return null;
  try {
    return LinkHeader.parse(header).rel('next')[0]?.uri ?? null;
  } catch {
    throw new BrokenFeed('The Link header, which should name the next page, cannot be read.');
  }
}

function namedNext(page: unknown, { next }: Extract<Pages, { by: 'cursor' }>): string | null {
  const value = valueAt(page, next);
  if (value === undefined || value === null || value === '' || value === false) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  throw new BrokenFeed(`"${next}" of a page must be a text or a number that leads to the next one.`);
}

async function readJsonPage(body: ReadableStream<Uint8Array>, name: string): Promise<unknown> {
  const bytes = await new Response(body).bytes();
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)) as unknown;
  } catch {
    throw new BrokenFeed(`${name} is not JSON; if pages are CSV or NDJSON, leave out "items".`);
  }
}

function itemsAt(page: unknown, path: string, name: string): readonly unknown[] {
  const value = path === '' ? page : valueAt(page, path);
  if (Array.isArray(value)) return value;
  const where = path === '' ? 'is not an array' : `has no array at "${path}"`;
  throw new BrokenFeed(`${name} ${where}; check "items".`);
}

function valueAt(page: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
      page,
    );
}

const ROWS_PER_PIECE = 500;

/** One row a line, turned into bytes as they are asked for. */
function ndjson(rows: readonly unknown[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = rows.slice(at, at + ROWS_PER_PIECE);
      at += piece.length;
      if (piece.length === 0) return controller.close();
      controller.enqueue(encoder.encode(piece.map((row) => `${JSON.stringify(row)}\n`).join('')));
    },
  });
}
