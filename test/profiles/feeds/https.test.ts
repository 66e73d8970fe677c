import { describe, expect, it } from 'vitest';
import { httpsConnector } from '../../../src/profiles/feeds/https.ts';
import { addressProblems, httpsFields } from '../../../src/profiles/feeds/https-fields.ts';
import { InterruptedFeed } from '../../../src/profiles/feeds/interrupted.ts';
import { BrokenFeed } from '../../../src/profiles/formats/broken.ts';
import { type FakeWorld, fakeWorld, NOW, readAll, textOf } from './fake.ts';

const URL_ = 'https://cdp.example.com/customers.csv?since=1';
const CSV = 'customer_id,phone\nc-1,+14155550123\n';
const settings = (fields: Record<string, unknown> = {}) =>
  httpsFields.parse({ kind: 'https', url: URL_, ...fields });
const KEY = 'https://cdp.example.com/customers.csv?29710d37';
const lastRead =
  (version: string | null, key = KEY) =>
  async () => ({ id: 'run_before', key, version });
const csv = (headers: Record<string, string> = {}) =>
  new Response(CSV, { headers: { 'content-type': 'text/csv', ...headers } });

describe('one document', () => {
  it('is read whole, under its address with a mark in place of the query, with its ETag as version', async () => {
    const world = fakeWorld(() => csv({ etag: '"v1"', 'last-modified': 'Thu, 19 Nov 2026 04:00:00 GMT' }));
    expect(await httpsConnector(world, settings()).list()).toEqual([
      {
        key: KEY,
        version: 'etag "v1"',
        sizeBytes: null,
        modifiedAt: Date.parse('2026-11-19T04:00:00Z'),
      },
    ]);
    expect(await readAll(httpsConnector(world, settings()))).toEqual([{ position: '', text: CSV }]);
  });

  it('has the time of its last change as version where there is no ETag, and a hash where there is neither', async () => {
    const modified = fakeWorld(() => csv({ 'last-modified': 'Thu, 19 Nov 2026 04:00:00 GMT' }));
    expect(await httpsConnector(modified, settings()).list()).toMatchObject([
      { version: 'modified Thu, 19 Nov 2026 04:00:00 GMT' },
    ]);
    const bare = fakeWorld(() => csv());
    expect(await httpsConnector(bare, settings()).list()).toMatchObject([
      { version: expect.stringMatching(/^sha256 [0-9a-f]{64}$/), modifiedAt: NOW },
    ]);
    expect(await readAll(httpsConnector(bare, settings()))).toEqual([{ position: '', text: CSV }]);
  });

  it.each([
    ['etag "v1"', 'if-none-match', '"v1"'],
    ['modified Thu, 19 Nov 2026 04:00:00 GMT', 'if-modified-since', 'Thu, 19 Nov 2026 04:00:00 GMT'],
  ])(
    'that was imported as %s is asked for with %s, and a 304 is nothing new',
    async (version, header, value) => {
      const world = fakeWorld(() => new Response(null, { status: 304 }));
      expect(await httpsConnector(world, settings(), lastRead(version)).list()).toEqual([]);
      expect(world.asked[0]?.headers.get(header)).toBe(value);
    },
  );

  it('is nothing new where its version was imported, whatever the server makes of conditions', async () => {
    const world = fakeWorld(() => csv());
    const [document] = await httpsConnector(world, settings()).list();
    expect(await httpsConnector(world, settings(), lastRead(document?.version ?? null)).list()).toEqual([]);
  });

  it.each(['https://cdp.example.com/old.csv', 'https://cdp.example.com/customers.csv?0'])(
    'is new where the last one was read from %s, though it carry the same tag',
    async (other) => {
      const world = fakeWorld(() => csv({ etag: '"v1"' }));
      const documents = await httpsConnector(world, settings(), lastRead('etag "v1"', other)).list();
      expect(documents).toMatchObject([{ key: KEY, version: 'etag "v1"', follows: 'run_before' }]);
      expect(world.asked[0]?.headers.has('if-none-match')).toBe(false);
    },
  );

  it('is the same under a weak tag and a strong one', async () => {
    const world = fakeWorld(() => csv({ etag: 'W/"v1"' }));
    expect(await httpsConnector(world, settings(), lastRead('etag "v1"')).list()).toEqual([]);
  });

  it.each([
    ['an ETag', (turn: number) => csv({ etag: `"v${turn}"` })],
    ['a hash', (turn: number) => new Response(`${CSV}c-${turn},\n`)],
  ])('that changes while it is read, known by %s, is broken', async (_, serve) => {
    let turn = 0;
    const world = fakeWorld(() => serve(turn++));
    const failure = await readAll(httpsConnector(world, settings())).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BrokenFeed);
    expect(String(failure)).toMatch(/changed while it was read/);
  });
});

describe('secrets', () => {
  it.each([
    [{ type: 'bearer', secret: 'FEED_CDP' }, 'authorization', 'Bearer s3cret'],
    [{ type: 'basic', user: 'Zoë', secret: 'FEED_CDP' }, 'authorization', 'Basic Wm/Dqzpzc2NyZXQ='],
    [{ type: 'header', name: 'X-Api-Key', secret: 'FEED_CDP' }, 'x-api-key', 's3cret'],
  ])('%j are sent, and known by their variable only', async (auth, header, value) => {
    const world = fakeWorld(() => csv({ etag: '"v1"' }), { variables: { FEED_CDP: 's3cret' } });
    const configured = settings({ auth });
    await httpsConnector(world, configured).list();
    const sent = world.asked[0]?.headers.get(header);
    expect(sent).toBe(auth.type === 'basic' ? `Basic ${btoa('Zo\u00c3\u00ab:s3cret')}` : value);
    expect(JSON.stringify(configured)).not.toContain('s3cret');
  });

  it('are not sent to where a redirect leads', async () => {
    const auth = { type: 'header', name: 'X-Api-Key', secret: 'FEED_CDP' };
    const world = fakeWorld(
      ({ url }) =>
        url === URL_
          ? new Response(null, { status: 302, headers: { location: 'https://files.example.net/signed' } })
          : csv({ etag: '"v1"' }),
      { variables: { FEED_CDP: 's3cret' } },
    );
    expect(await httpsConnector(world, settings({ auth })).list()).toHaveLength(1);
    expect(world.asked.map(({ headers }) => headers.get('x-api-key'))).toEqual(['s3cret', null]);
  });

  it('that are not set, or cannot be sent, are told by their name', async () => {
    const auth = { type: 'bearer', secret: 'FEED_CDP' };
    const unset = httpsConnector(
      fakeWorld(() => csv()),
      settings({ auth }),
    );
    await expect(unset.list()).rejects.toThrow(
      'The variable FEED_CDP is not set; set it with: npx wrangler secret put FEED_CDP',
    );
    const odd = httpsConnector(
      fakeWorld(() => csv(), { variables: { FEED_CDP: 'a\nb' } }),
      settings({ auth }),
    );
    await expect(odd.list()).rejects.toThrow(/FEED_CDP holds characters that a header cannot carry/);
  });

  it.each([
    [{ auth: { type: 'bearer', secret: 'CALLBACK_SECRET' } }, 'auth.secret'],
    [{ auth: { type: 'header', name: 'Host', secret: 'FEED_X' } }, 'auth.name'],
    [{ auth: { type: 'header', name: 'X: y', secret: 'FEED_X' } }, 'auth.name'],
    [{ auth: { type: 'basic', user: 'a:b', secret: 'FEED_X' } }, 'auth.user'],
    [{ url: 'https://example.com/?api_key=123' }, 'url'],
    [{ url: 'https://example.com/#a' }, 'url'],
    [{ url: 'customers.csv' }, 'url'],
    [{ pages: { by: 'cursor', items: 'data' } }, 'pages.next'],
    [{ pages: { by: 'cursor', items: 'a..b', next: 'n' } }, 'pages.items'],
    [{ ports: [0] }, 'ports.0'],
    [{ timeout_seconds: 0 }, 'timeout_seconds'],
    [{ max_pages: 1.5 }, 'max_pages'],
  ])('and a configuration such as %j is refused at %s', (fields, path) => {
    const result = httpsFields.safeParse({ kind: 'https', url: URL_, ...fields });
    expect(result.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });

  it('and an address that this Worker may not ask is told to whoever configures it', () => {
    const world = fakeWorld(() => csv(), { variables: { FEEDS_ALLOW_HOSTS: '127.0.0.1:9000' } });
    expect(addressProblems(world, 'url', 'https://10.0.0.1/', [])).toEqual([
      { path: 'url', message: 'must not be a private or special IP address' },
    ]);
    expect(addressProblems(world, 'url', 'http://127.0.0.1:9000/', [])).toEqual([]);
  });
});

describe('pages', () => {
  const api = 'https://cdp.example.com/v1/customers';
  const row = (n: number) => ({ customer_id: `c-${n}` });
  const line = (n: number) => `{"customer_id":"c-${n}"}\n`;

  it('follow the Link header, whatever other links there are, and JSON becomes NDJSON', async () => {
    const world = fakeWorld(({ url }) => {
      const page = Number(new URL(url).searchParams.get('page') ?? 1);
      const next =
        page < 3 ? `, </v1/customers?page=${page + 1}>; rel="last next"; title="a, b; rel=next"` : '';
      return Response.json([row(page)], { headers: { link: `<${api}?page=1>; rel="first"${next}` } });
    });
    const paged = settings({ url: api, pages: { by: 'link', items: '' } });
    expect(await readAll(httpsConnector(world, paged))).toEqual([
      { position: '', text: line(1) },
      { position: '2 /v1/customers?page=2', text: line(2) },
      { position: '3 /v1/customers?page=3', text: line(3) },
    ]);
  });

  it('of CSV are passed on as they are', async () => {
    const world = fakeWorld(({ url }) => (url.endsWith('2') ? csv() : csv({ link: '<?p=2>; rel=next' })));
    const paged = settings({ url: api, pages: { by: 'link' } });
    expect((await readAll(httpsConnector(world, paged))).map(({ text }) => text)).toEqual([CSV, CSV]);
  });

  const cursor = { by: 'cursor', items: 'data.items', next: 'paging.next', parameter: 'after' };
  const byCursor = (): FakeWorld =>
    fakeWorld(({ url }) => {
      const after = Number(new URL(url).searchParams.get('after') ?? 0);
      const items = after === 1 ? [] : [row(after), row(after + 10)];
      return Response.json({ data: { items }, paging: { next: after < 3 ? after + 1 : null } });
    });

  it('follow a cursor; one without rows is passed over', async () => {
    const paged = settings({ url: `${api}?size=2`, pages: cursor });
    const world = byCursor();
    expect(await readAll(httpsConnector(world, paged))).toEqual([
      { position: '', text: line(0) + line(10) },
      { position: '3 /v1/customers?size=2&after=2', text: line(2) + line(12) },
      { position: '4 /v1/customers?size=2&after=3', text: line(3) + line(13) },
    ]);
  });

  it('go on where an interrupted run was', async () => {
    const paged = settings({ url: `${api}?size=2`, pages: cursor });
    const world = byCursor();
    const connector = httpsConnector(world, paged);
    const [document] = await connector.list();
    if (!document) throw new Error('no document');
    expect(document.version).toBeNull();
    const texts: string[] = [];
    for await (const { body } of connector.segments(document, '3 /v1/customers?size=2&after=2'))
      texts.push(await textOf(body));
    expect(texts).toEqual([line(2) + line(12), line(3) + line(13)]);
    expect(world.asked).toHaveLength(2);
  });

  it('follow addresses that the page names', async () => {
    const world = fakeWorld(({ url }) =>
      Response.json(url === api ? { rows: [row(1)], next: '/v1/customers?p=x' } : { rows: [row(2)] }),
    );
    const paged = settings({ url: api, pages: { by: 'cursor', items: 'rows', next: 'next' } });
    expect((await readAll(httpsConnector(world, paged))).map(({ text }) => text)).toEqual([line(1), line(2)]);
  });

  const page = (next: unknown, rows: unknown = [row(1)]) => Response.json({ rows, next });
  const zoo: [string, (turn: number) => Response, Record<string, unknown>, RegExp][] = [
    [
      'that lead back to the first',
      () => page(''.concat('/v1/customers')),
      {},
      /Page 2 is one that was read before: the feed's cursor runs in a circle/,
    ],
    [
      'that run in a circle later',
      (turn) => page(`?p=${turn % 3}`),
      {},
      /Page \d is one that was read before/,
    ],
    ['without end', (turn) => page(`?p=${turn}`), { max_pages: 4 }, /more than 4 pages; raise "max_pages"/],
    [
      'on another host',
      () => page('https://evil.example/x'),
      {},
      /another host \(evil\.example\); nothing was sent there/,
    ],
    ['on another scheme', () => page('http://cdp.example.com/x'), {}, /another host/],
    ['whose next is an object', () => page({}), {}, /"next" of a page must be a text or a number/],
    ['without the array', () => page(null, { a: 1 }), {}, /Page 1 has no array at "rows"; check "items"/],
    ['that are no JSON', () => new Response('a,b\n'), {}, /Page 1 is not JSON/],
    [
      'that are a web page',
      () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
      {},
      /answers with a web page/,
    ],
    [
      'that are too large together',
      (turn) => page(`?p=${turn}`),
      { max_bytes: 150 },
      /Page \d is larger than \d+ bytes/,
    ],
  ];
  it.each(zoo)('%s are broken', async (_, serve, fields, words) => {
    let turn = 0;
    const world = fakeWorld(() => serve(turn++));
    const paged = settings({ url: api, pages: { by: 'cursor', items: 'rows', next: 'next' }, ...fields });
    const failure = await readAll(httpsConnector(world, paged)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BrokenFeed);
    expect(String(failure)).toMatch(words);
    expect(world.asked.every(({ url }) => new URL(url).host === 'cdp.example.com')).toBe(true);
  });

  it('end at their number though each tick begins anew', async () => {
    const world = fakeWorld(() => page('?p=1'));
    const paged = settings({ url: api, pages: { by: 'cursor', items: 'rows', next: 'next' }, max_pages: 7 });
    const connector = httpsConnector(world, paged);
    const document = { key: 'k', version: null, sizeBytes: null, modifiedAt: NOW };
    const read = async () => {
      for await (const _ of connector.segments(document, '8 /v1/customers?p=0'));
    };
    await expect(read()).rejects.toThrow(/more than 7 pages/);
    expect(world.asked).toHaveLength(0);
  });
});

describe('the zoo of servers', () => {
  const redirect = (location: string, status = 302) => new Response(null, { status, headers: { location } });
  const broken: [string, () => Response, RegExp][] = [
    [
      'redirects without end',
      () => redirect('/again'),
      /redirects more than 5 times; give the address where it ends/,
    ],
    [
      'redirects to a private address',
      () => redirect('https://169.254.169.254/latest/meta-data'),
      /redirects to 169\.254\.169\.254, which must not be a private or special IP address; nothing was sent there/,
    ],
    [
      'redirects to a name that leads to one',
      () => redirect('https://rebound.example/'),
      /host rebound\.example leads to a private or special IP address/,
    ],
    ['redirects to plain http', () => redirect('http://cdp.example.com/'), /must be an https address/],
    ['redirects to nowhere', () => new Response(null, { status: 301 }), /HTTP 301 without an address/],
    [
      'shows a web page with 200',
      () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html; charset=utf-8' } }),
      /answers with a web page, perhaps a login or error page/,
    ],
    [
      'says 401',
      () => new Response('no', { status: 401 }),
      /HTTP 401: it wants a secret. Give the feed an "auth"/,
    ],
    ['says 404', () => new Response('no', { status: 404 }), /HTTP 404: there is nothing at this address/],
    ['says 418', () => new Response('no', { status: 418 }), /HTTP 418 instead of 200/],
    ['says 204', () => new Response(null, { status: 204 }), /HTTP 204 instead of 200/],
    ['says 304 unasked', () => new Response(null, { status: 304 }), /HTTP 304/],
    [
      'says 500',
      () => new Response('no', { status: 500 }),
      /HTTP 500: it fails or is busy. It is tried again/,
    ],
    [
      'sends more than the limit',
      () => new Response('x'.repeat(2000)),
      /The document is larger than 1000 bytes/,
    ],
    [
      'says that it will',
      () => new Response('x'.repeat(2000), { headers: { etag: '"a"', 'content-length': '2000' } }),
      /The document is larger than 1000 bytes/,
    ],
  ];
  it.each(broken)('one that %s is told in words, and the words stay the same', async (_, serve, words) => {
    const world = fakeWorld(serve, { dns: { 'rebound.example': ['93.184.215.14', '10.0.0.7'] } });
    const look = () =>
      readAll(httpsConnector(world, settings({ max_bytes: 1000 }))).catch((error: unknown) => error);
    const failure = await look();
    expect(failure).toBeInstanceOf(BrokenFeed);
    expect(String(failure)).toMatch(words);
    expect(String(await look())).toBe(String(failure));
    expect(world.asked.every(({ url }) => new URL(url).origin === 'https://cdp.example.com')).toBe(true);
  });

  it('names the variable whose secret is refused', async () => {
    const world = fakeWorld(() => new Response('no', { status: 403 }), { variables: { FEED_CDP: 's3cret' } });
    const connector = httpsConnector(world, settings({ auth: { type: 'bearer', secret: 'FEED_CDP' } }));
    await expect(connector.list()).rejects.toThrow(
      'cdp.example.com answers HTTP 403: it refuses the secret. Check the variable FEED_CDP and what it may read.',
    );
  });

  it.each([
    ['a private IPv4 address', ['10.1.2.3']],
    ['one among public ones', ['93.184.215.14', '127.0.0.1']],
    ['a private IPv6 address', ['fd12::1']],
    ['an IPv4 address in IPv6', ['::ffff:192.168.1.1']],
    ['no address', []],
  ])('a host that resolves to %s is asked nothing', async (_, addresses) => {
    const world = fakeWorld(() => csv(), { dns: { 'cdp.example.com': addresses } });
    await expect(httpsConnector(world, settings()).list()).rejects.toThrow(BrokenFeed);
    expect(world.asked).toHaveLength(0);
  });

  it.each([
    ['is down', () => Promise.reject(new Error('refused'))],
    ['fails', () => Promise.resolve(new Response('', { status: 500 }))],
    ['speaks otherwise', () => Promise.resolve(new Response('<html>'))],
    ['cannot say', () => Promise.resolve(Response.json({ Status: 2 }))],
  ])('a resolver that %s means that nothing is sent', async (_, answer) => {
    const hosts: string[] = [];
    const world = {
      ...fakeWorld(() => csv()),
      fetch: ((url: string) => {
        hosts.push(new URL(url).host);
        return answer();
      }) as typeof fetch,
    };
    await expect(httpsConnector(world, settings()).list()).rejects.toThrow(
      /The DNS resolver cloudflare-dns\.com .* nothing was sent/,
    );
    expect(new Set(hosts)).toEqual(new Set(['cloudflare-dns.com']));
  });
});

describe('what may pass is interrupted, not broken, while a document is read', () => {
  const document = { key: 'k', version: 'etag "v1"', sizeBytes: null, modifiedAt: NOW };
  const first = async (world: FakeWorld): Promise<string> => {
    for await (const { body } of httpsConnector(world, settings({ timeout_seconds: 1 })).segments(
      document,
      null,
    )) {
      return await textOf(body);
    }
    return '';
  };
  const stream = (end: (controller: ReadableStreamDefaultController<Uint8Array>) => void, headers = {}) =>
    new Response(
      new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('customer_id\n'));
          end(controller);
        },
      }),
      { headers: { etag: '"v1"', ...headers } },
    );

  const zoo: [string, Parameters<typeof fakeWorld>[0], RegExp][] = [
    [
      'a body that breaks off',
      () => stream((controller) => controller.error(new Error('reset'))),
      /The document broke off after \d+ bytes. It is tried again/,
    ],
    [
      'a body that ends too early',
      () => stream((controller) => controller.close(), { 'content-length': '500' }),
      /broke off after 12 of 500 bytes/,
    ],
    ['a body that hangs', () => stream(() => undefined), /The document stopped coming: nothing for 1 s/],
    ['a server that is busy', () => new Response('', { status: 503 }), /HTTP 503: it fails or is busy/],
    [
      'a server that is asked too much',
      () => new Response('', { status: 429 }),
      /HTTP 429: it fails or is busy/,
    ],
    [
      'a server that is not there',
      () => Promise.reject(new TypeError('refused')),
      /cdp\.example\.com cannot be reached/,
    ],
    [
      'a server that never answers',
      (_, signal) =>
        new Promise((_resolve, reject) =>
          signal?.addEventListener('abort', () => reject(new Error('aborted'))),
        ),
      /cdp\.example\.com did not answer within 1 s. It is tried again; "timeout_seconds" gives it longer/,
    ],
  ];
  it.each(zoo)('%s', async (_, serve, words) => {
    const failure = await first(fakeWorld(serve)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InterruptedFeed);
    expect(String(failure)).toMatch(words);
  });
});
