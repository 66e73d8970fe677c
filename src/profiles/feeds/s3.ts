/** Feeds in an S3-compatible bucket: every object below a prefix is a document. Requests are signed by aws4fetch. */
import { AwsClient } from 'aws4fetch';
import { BrokenFeed } from '../formats/broken.ts';
import { asListing } from './answers.ts';
import type { FeedConnector, FeedDocument, FeedSegment } from './connector.ts';
import { InterruptedFeed } from './interrupted.ts';
import { Outward, type World } from './outward.ts';
import type { S3Settings } from './s3-fields.ts';
import { readErrorCode, readListing, type S3Object } from './s3-xml.ts';
import { secretOf } from './secrets.ts';

/** A thousand objects each. */
const MAX_PAGES = 100;
/** A page of a thousand long keys has about one megabyte. */
const MAX_XML_BYTES = 10_000_000;

export function s3Connector(world: World, settings: S3Settings): FeedConnector {
  const outward = new Outward(world, { ports: settings.ports, timeoutMs: settings.timeout_seconds * 1000 });
  const base = baseOf(settings);

  /** A signature is for one host, so that redirects lead nowhere; every answer but 200 is told. */
  async function get(url: URL, conditions: Readonly<Record<string, string>> = {}): Promise<Response> {
    const signed = await signer(world, settings).sign(url.href, {
      headers: conditions,
      aws: { datetime: new Date(world.now()).toISOString().replace(/[:-]|\.\d{3}/g, '') },
    });
    const response = await outward.get({ url, secrets: Object.fromEntries(signed.headers), follow: false });
    if (response.status === 200) return response;
    const code = readErrorCode(await textOf(response));
    throw failure(response.status, code, settings, url.host);
  }

  const textOf = (response: Response): Promise<string> =>
    new Response(outward.body(response, 'The answer', { maxBytes: MAX_XML_BYTES })).text();

  async function list(): Promise<FeedDocument[]> {
    const objects: S3Object[] = [];
    let token: string | null = null;
    for (let pages = 0; ; pages++) {
      if (pages === MAX_PAGES) {
        throw new BrokenFeed(
          `There are more than ${MAX_PAGES}000 objects below the prefix; name a narrower one.`,
        );
      }
      const page = readListing(await textOf(await get(listUrl(base, settings.prefix, token))));
      if (!page)
        throw new BrokenFeed(
          `${base.host} does not answer with an S3 listing; check "endpoint" and "bucket".`,
        );
      objects.push(...page.objects);
      if (page.next === null) break;
      if (page.next === token) {
        throw new BrokenFeed(
          `${base.host} gives one page of its listing again and again; nothing was imported.`,
        );
      }
      token = page.next;
    }
    return objects
      .filter(({ key, size }) => !(key.endsWith('/') && size === 0))
      .sort((a, b) => a.modifiedAt - b.modifiedAt || (a.key < b.key ? -1 : 1))
      .map(({ key, etag, size, modifiedAt }) => ({
        key,
        version: `${etag} ${modifiedAt}`,
        sizeBytes: size,
        modifiedAt,
      }));
  }

  async function* segments(document: FeedDocument): AsyncGenerator<FeedSegment> {
    const etag = document.version?.split(' ')[0];
    const condition = etag === undefined ? {} : { 'if-match': `"${etag}"` };
    const response = await get(objectUrl(base, document.key), condition);
    yield {
      position: '',
      body: outward.body(response, 'The object', { maxBytes: settings.max_bytes }),
      contentType: response.headers.get('content-type'),
    };
  }

  return { list: () => asListing(list), segments: (document) => segments(document) };
}

function signer(world: World, settings: S3Settings): AwsClient {
  return new AwsClient({
    accessKeyId: secretOf(world, settings.access_key_id),
    secretAccessKey: secretOf(world, settings.secret_access_key),
    ...(settings.session_token !== null && { sessionToken: secretOf(world, settings.session_token) }),
    region: settings.region,
    service: 's3',
  });
}

/** The bucket's address, with a slash at its end. */
function baseOf({ endpoint, bucket, addressing }: S3Settings): URL {
  const url = new URL(endpoint);
  if (addressing === 'host') url.hostname = `${bucket}.${url.hostname}`;
  else url.pathname = `/${bucket}/`;
  return url;
}

function listUrl(base: URL, prefix: string, token: string | null): URL {
  const url = new URL(base);
  url.searchParams.set('list-type', '2');
  // Keys may hold characters that XML cannot.
  url.searchParams.set('encoding-type', 'url');
  if (prefix !== '') url.searchParams.set('prefix', prefix);
  if (token !== null) url.searchParams.set('continuation-token', token);
  return url;
}

/** Every character but the slashes is escaped, so that a key such as `../x` or `a?b` stays a key. */
function objectUrl(base: URL, key: string): URL {
  const path = key.split('/').map(escapePart).join('/');
  return new URL(`${base.href}${path}`);
}

function escapePart(part: string): string {
  if (part === '.' || part === '..') {
    throw new BrokenFeed(
      `An object's key holds "${part}" as a path, which no address can name; rename the object.`,
    );
  }
  return encodeURIComponent(part);
}

const HINTS: Readonly<Record<string, string>> = {
  AccessDenied: 'the key may not do this; it needs s3:ListBucket and s3:GetObject',
  AuthorizationHeaderMalformed: 'the region is not the bucket’s; check "region"',
  InvalidAccessKeyId: 'the access key is not known; check the variable that "access_key_id" names',
  InvalidObjectState: 'the object is archived; restore it first',
  NoSuchBucket: 'there is no such bucket; check "bucket" and "endpoint"',
  NoSuchKey: 'the object was deleted since it was listed',
  PermanentRedirect: 'the bucket is at another endpoint; check "endpoint" and "region"',
  PreconditionFailed:
    'the object was replaced since it was listed; the new version is imported at the next look',
  RequestTimeTooSkewed: 'the clocks differ by more than 15 minutes',
  SignatureDoesNotMatch: 'the secret key is wrong; check the variable that "secret_access_key" names',
};

function failure(
  status: number,
  code: string | null,
  settings: S3Settings,
  host: string,
): BrokenFeed | InterruptedFeed {
  const says = `${host} answers HTTP ${status}${code === null ? '' : ` (${code})`}`;
  const hint = HINTS[code ?? codeOf(status)];
  if (hint !== undefined) return new BrokenFeed(`${says}: ${hint}.`);
  if (status === 429 || status >= 500) return new InterruptedFeed(`${says}. It is tried again.`);
  return new BrokenFeed(`${says} for the bucket ${settings.bucket}; check the feed's fields.`);
}

/** For answers without a body, as proxies give them. */
function codeOf(status: number): string {
  return (
    {
      301: 'PermanentRedirect',
      307: 'PermanentRedirect',
      403: 'AccessDenied',
      404: 'NoSuchKey',
      412: 'PreconditionFailed',
    }[status] ?? ''
  );
}
