import { describe, expect, it } from 'vitest';
import { InterruptedFeed } from '../../../src/profiles/feeds/interrupted.ts';
import { s3Connector } from '../../../src/profiles/feeds/s3.ts';
import { s3Fields } from '../../../src/profiles/feeds/s3-fields.ts';
import { BrokenFeed } from '../../../src/profiles/formats/broken.ts';
import { type Asked, fakeWorld, readAll, textOf } from './fake.ts';

const variables = {
  FEED_S3_ID: 'AKIAIOSFODNN7EXAMPLE',
  FEED_S3_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const settings = (fields: Record<string, unknown> = {}) =>
  s3Fields.parse({
    kind: 's3',
    endpoint: 'https://s3.eu-central-1.amazonaws.com',
    region: 'eu-central-1',
    bucket: 'harbor-feeds',
    prefix: 'night ly/',
    access_key_id: 'FEED_S3_ID',
    secret_access_key: 'FEED_S3_KEY',
    ...fields,
  });

const object = (key: string, time: string, etag = '0123', size = 10) =>
  `<Contents><Key>${key}</Key><LastModified>${time}</LastModified><ETag>&quot;${etag}&quot;</ETag><Size>${size}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
const listing = (contents: string, next?: string) =>
  new Response(
    `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>harbor-feeds</Name><EncodingType>url</EncodingType><IsTruncated>${next !== undefined}</IsTruncated>${next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`}${contents}</ListBucketResult>`,
    { headers: { 'content-type': 'application/xml' } },
  );
const error = (status: number, code: string) =>
  new Response(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`, { status });
const world = (serve: (asked: Asked) => Response | Promise<Response>, more: Record<string, string> = {}) =>
  fakeWorld(serve, { variables: { ...variables, ...more } });

describe('the objects below a prefix', () => {
  it('are listed over all pages, oldest first, with ETag and time as their version; folders are none', async () => {
    const served = world(({ url }) =>
      new URL(url).searchParams.get('continuation-token') === null
        ? listing(
            object('night+ly/b.csv', '2026-11-20T04:00:00.000Z', '12') +
              object('night+ly/', '2026-11-01T04:00:00.000Z', '0', 0),
            'a/b+c=',
          )
        : listing(object('night+ly/%C3%A4%26%2B.csv', '2026-11-19T04:00:00.000Z', 'abc-2', 5_000_000_000)),
    );
    expect(await s3Connector(served, settings()).list()).toEqual([
      {
        key: 'night ly/ä&+.csv',
        version: `abc-2 ${Date.parse('2026-11-19T04:00:00Z')}`,
        sizeBytes: 5_000_000_000,
        modifiedAt: Date.parse('2026-11-19T04:00:00Z'),
      },
      {
        key: 'night ly/b.csv',
        version: `12 ${Date.parse('2026-11-20T04:00:00Z')}`,
        sizeBytes: 10,
        modifiedAt: Date.parse('2026-11-20T04:00:00Z'),
      },
    ]);
    const [first, second] = served.asked.map(({ url }) => new URL(url));
    expect(first?.origin).toBe('https://s3.eu-central-1.amazonaws.com');
    expect(first?.pathname).toBe('/harbor-feeds/');
    expect(Object.fromEntries(first?.searchParams ?? [])).toEqual({
      'list-type': '2',
      'encoding-type': 'url',
      prefix: 'night ly/',
    });
    expect(second?.searchParams.get('continuation-token')).toBe('a/b+c=');
  });

  it('are another version when the same bytes are put there again: what lay there in between was another', async () => {
    const versions: unknown[] = [];
    for (const time of ['2026-11-19T04:00:00.000Z', '2026-11-21T04:00:00.000Z']) {
      const served = world(() => listing(object('a.csv', time, 'same')));
      versions.push((await s3Connector(served, settings()).list())[0]?.version);
    }
    expect(new Set(versions).size).toBe(2);
  });

  it('are none in an empty bucket, and one is a list, too', async () => {
    expect(
      await s3Connector(
        world(() => listing('')),
        settings(),
      ).list(),
    ).toEqual([]);
    const one = world(() => listing(object('a.csv', '2026-11-20T04:00:00.000Z')));
    expect(await s3Connector(one, settings()).list()).toHaveLength(1);
  });

  it('are asked for with a signature that covers host, time and token, and without the secret', async () => {
    const served = world(() => listing(''), { FEED_S3_TOKEN: 'session' });
    await s3Connector(served, settings({ session_token: 'FEED_S3_TOKEN' })).list();
    const { headers } = served.asked[0] ?? { headers: new Headers() };
    expect(headers.get('authorization')).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE\/20261120\/eu-central-1\/s3\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$/,
    );
    expect(headers.get('x-amz-date')).toBe('20261120T120000Z');
    expect(headers.get('x-amz-security-token')).toBe('session');
    expect(JSON.stringify([...headers])).not.toContain(variables.FEED_S3_KEY);
  });

  it('may be on a host of the bucket’s own', async () => {
    const served = world(() => listing(''));
    await s3Connector(served, settings({ addressing: 'host' })).list();
    expect(new URL(served.asked[0]?.url ?? '').host).toBe('harbor-feeds.s3.eu-central-1.amazonaws.com');
  });
});

describe('an object', () => {
  const serveOne = (key: string) =>
    world(({ url, headers }) =>
      url.includes('list-type')
        ? listing(object(encodeURIComponent(key), '2026-11-20T04:00:00.000Z', 'v1'))
        : headers.get('if-match') === '"v1"'
          ? new Response('customer_id\nc-1\n', { headers: { 'content-type': 'text/csv' } })
          : error(412, 'PreconditionFailed'),
    );

  it.each(['a.csv', 'a b+c%2F?#&.csv', 'ä/ü.csv', "it's(1)!*.csv"])(
    'with the key %s is got in the version that was listed',
    async (key) => {
      const served = serveOne(key);
      expect(await readAll(s3Connector(served, settings()))).toEqual([
        { position: '', text: 'customer_id\nc-1\n' },
      ]);
      expect(decodeURIComponent(new URL(served.asked[1]?.url ?? '').pathname)).toBe(`/harbor-feeds/${key}`);
    },
  );

  it('whose key no address can name is told', async () => {
    await expect(readAll(s3Connector(serveOne('../other-bucket/a.csv'), settings()))).rejects.toThrow(
      /key holds "\.\."/,
    );
  });

  it('that was replaced since is told', async () => {
    const connector = s3Connector(serveOne('a.csv'), settings());
    const document = { key: 'a.csv', version: 'v0', sizeBytes: 1, modifiedAt: 0 };
    const read = async () => {
      for await (const { body } of connector.segments(document, null)) await textOf(body);
    };
    await expect(read()).rejects.toThrow(
      /HTTP 412 \(PreconditionFailed\): the object was replaced since it was listed/,
    );
  });

  it('of a server that fails is interrupted, not broken', async () => {
    const connector = s3Connector(
      world(() => error(503, 'SlowDown')),
      settings(),
    );
    const read = async () => {
      for await (const _ of connector.segments(
        { key: 'a', version: null, sizeBytes: 1, modifiedAt: 0 },
        null,
      ));
    };
    await expect(read()).rejects.toThrow(InterruptedFeed);
  });
});

describe('the zoo', () => {
  const zoo: [string, () => Response, RegExp][] = [
    [
      'no such bucket',
      () => error(404, 'NoSuchBucket'),
      /NoSuchBucket\): there is no such bucket; check "bucket" and "endpoint"/,
    ],
    ['a wrong key', () => error(403, 'InvalidAccessKeyId'), /check the variable that "access_key_id" names/],
    [
      'a wrong secret',
      () => error(403, 'SignatureDoesNotMatch'),
      /check the variable that "secret_access_key" names/,
    ],
    ['no right to list', () => error(403, 'AccessDenied'), /it needs s3:ListBucket and s3:GetObject/],
    ['a 403 without words', () => new Response('', { status: 403 }), /it needs s3:ListBucket/],
    ['another region', () => error(400, 'AuthorizationHeaderMalformed'), /check "region"/],
    [
      'a redirect',
      () => new Response('', { status: 307, headers: { location: 'https://evil.example/' } }),
      /check "endpoint" and "region"/,
    ],
    [
      'a server that fails',
      () => error(500, 'InternalError'),
      /HTTP 500 \(InternalError\). It is tried again/,
    ],
    [
      'a web page with 200',
      () => new Response('<html><body>Hello</body></html>'),
      /does not answer with an S3 listing/,
    ],
    [
      'a cut listing',
      () => new Response('<ListBucketResult><IsTruncated>true</IsTrunc'),
      /does not answer with an S3 listing/,
    ],
    ['sizes that are none', () => listing(object('a', 'yesterday')), /does not answer with an S3 listing/],
    ['a token that comes again', () => listing('', 'same'), /one page of its listing again and again/],
    [
      'a billion laughs',
      () =>
        new Response(
          '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><ListBucketResult>&b;</ListBucketResult>',
        ),
      /does not answer with an S3 listing/,
    ],
  ];
  it.each(zoo)('%s', async (_, serve, words) => {
    const served = world(serve);
    const failure = await s3Connector(served, settings())
      .list()
      .catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(BrokenFeed);
    expect(String(failure)).toMatch(words);
    expect(served.asked.every(({ url }) => url.startsWith('https://s3.eu-central-1.amazonaws.com/'))).toBe(
      true,
    );
  });

  it('a bucket without end', async () => {
    let turn = 0;
    const served = world(() => listing('', `t${turn++}`));
    await expect(s3Connector(served, settings()).list()).rejects.toThrow(
      /more than 100000 objects below the prefix/,
    );
  });

  it('a private endpoint', async () => {
    const served = world(() => listing(''));
    await expect(s3Connector(served, settings({ endpoint: 'https://10.0.0.1' })).list()).rejects.toThrow(
      /private or special IP address/,
    );
    expect(served.asked).toHaveLength(0);
  });

  it('a variable that is not set', async () => {
    await expect(
      s3Connector(
        fakeWorld(() => listing('')),
        settings(),
      ).list(),
    ).rejects.toThrow(/FEED_S3_ID is not set/);
  });

  it.each([
    [{ endpoint: 'https://example.com/bucket' }, 'endpoint'],
    [{ endpoint: 'example.com' }, 'endpoint'],
    [{ bucket: 'A B' }, 'bucket'],
    [{ secret_access_key: 'wJalrXUtnFEMI/K7MDENG' }, 'secret_access_key'],
    [{ region: '' }, 'region'],
  ])('a configuration such as %j', (fields, path) => {
    const result = s3Fields.safeParse({ ...settings(), ...fields });
    expect(result.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });
});
