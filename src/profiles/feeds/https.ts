/** Feeds over HTTPS: one document, or pages that name the next one. */
import { sha256Hex } from '../../platform/ids.ts';
import { BrokenFeed } from '../formats/broken.ts';
import { asListing, expectContent } from './answers.ts';
import type { FeedConnector, FeedDocument, FeedSegment, LastRead } from './connector.ts';
import type { HttpsSettings } from './https-fields.ts';
import { declaredLength, Outward, type World } from './outward.ts';
import { pagesFrom } from './pages.ts';
import { authHeaders } from './secrets.ts';
import { sha256Of, verified } from './verified.ts';

const ACCEPT = 'text/csv, application/x-ndjson, application/json;q=0.9, */*;q=0.5';

/** @param lastRead the document that was read last, so that the server can say that nothing is new; null: all is new. */
export function httpsConnector(
  world: World,
  settings: HttpsSettings,
  lastRead: () => Promise<LastRead | null> = async () => null,
): FeedConnector {
  const url = new URL(settings.url);
  const outward = new Outward(world, { ports: settings.ports, timeoutMs: settings.timeout_seconds * 1000 });

  /** Asks for an address with the feed's secret; null: 304. */
  async function ask(
    address: URL,
    conditions: Readonly<Record<string, string>> = {},
  ): Promise<Response | null> {
    const headers = { accept: ACCEPT, ...conditions };
    const response = await outward.get({ url: address, headers, secrets: authHeaders(world, settings.auth) });
    if (response.status === 304 && Object.keys(conditions).length > 0) return null;
    await expectContent(response, address.host, settings.auth?.secret ?? null);
    return response;
  }

  /** @throws where a server says 304 though it was not asked whether */
  async function askForContent(address: URL): Promise<Response> {
    const response = await ask(address);
    if (!response) throw new BrokenFeed(`${address.host} answers HTTP 304 to a request without conditions.`);
    return response;
  }

  async function listOne(): Promise<FeedDocument[]> {
    const last = await lastRead();
    const key = await keyOf(url);
    // What another address said last says nothing about this one.
    const lastVersion = last?.key === key ? last.version : null;
    const response = await ask(url, conditionsFor(lastVersion));
    if (!response) return [];
    const named = versionOf(response);
    const version = named ?? `sha256 ${await sha256Of(body(response))}`;
    if (named !== null) await response.body?.cancel();
    if (isSame(version, lastVersion)) return [];
    const sizeBytes = declaredLength(response);
    const document = { key, version, sizeBytes, modifiedAt: modifiedAt(response, world.now()) };
    return [last === null ? document : { ...document, follows: last.id }];
  }

  const body = (response: Response): ReadableStream<Uint8Array> =>
    outward.body(response, 'The document', { maxBytes: settings.max_bytes });

  async function* one(document: FeedDocument): AsyncGenerator<FeedSegment> {
    const response = await askForContent(url);
    const hash = /^sha256 (.+)$/.exec(document.version ?? '')?.[1];
    if (hash === undefined && !isSame(versionOf(response), document.version)) {
      await response.body?.cancel();
      throw changed();
    }
    const bytes = body(response);
    yield {
      position: '',
      body: hash === undefined ? bytes : verified(bytes, hash, changed),
      contentType: response.headers.get('content-type'),
    };
  }

  return {
    async list() {
      if (settings.pages === null) return await asListing(listOne);
      // Nothing names the content of all pages, so each look is a new reading.
      return [{ key: await keyOf(url), version: null, sizeBytes: null, modifiedAt: world.now() }];
    },
    segments(document, from) {
      const { pages } = settings;
      if (pages === null) return one(document);
      return pagesFrom({ ...settings, pages, url, ask: askForContent, outward }, from);
    },
  };
}

/** ETag, or else the time of the last change, with a word before it that says which. */
function versionOf(response: Response): string | null {
  const tag = response.headers.get('etag');
  if (tag !== null && tag !== '') return `etag ${tag}`;
  const modified = response.headers.get('last-modified');
  return modified !== null && !Number.isNaN(Date.parse(modified)) ? `modified ${modified}` : null;
}

function conditionsFor(version: string | null): Record<string, string> {
  const [, kind, value = ''] = /^(etag|modified) (.+)$/.exec(version ?? '') ?? [];
  if (kind === 'etag') return { 'if-none-match': value };
  return kind === 'modified' ? { 'if-modified-since': value } : {};
}

/** A weak tag and a strong one of the same value name the same content (RFC 9110, 8.8.3.2). */
function isSame(a: string | null, b: string | null): boolean {
  const weak = (version: string | null): string | undefined => version?.replace(/^etag W\//, 'etag ');
  return weak(a) === weak(b);
}

/** The address with a mark of its query instead of the query, which may hold what nobody else need see. */
async function keyOf({ origin, pathname, search }: URL): Promise<string> {
  const query = search === '' ? '' : `?${(await sha256Hex(search)).slice(0, 8)}`;
  return `${origin}${pathname}${query}`;
}

function modifiedAt(response: Response, now: number): number {
  const stated = Date.parse(response.headers.get('last-modified') ?? '');
  return Number.isNaN(stated) ? now : Math.min(stated, now);
}

function changed(): BrokenFeed {
  return new BrokenFeed(
    'The document changed while it was read; the new version is imported at the next look.',
  );
}
