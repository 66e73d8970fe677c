import { env } from 'cloudflare:test';
import { describe, expect, it, vi } from 'vitest';
import { readFeed } from '../../src/profiles/feeds/store.ts';
import { readProfile } from '../../src/profiles/store.ts';
import { syncFeed } from '../../src/profiles/sync/engine.ts';
import { Budget } from '../../src/profiles/sync/work.ts';
import { call, testRuntime, unique } from '../support.ts';
import { gzip, makeFeed, ndjson, shownRun } from './feed-support.ts';

describe('CSV', () => {
  it('becomes profiles: reserved columns in any case, the rest as attributes', async () => {
    const id = unique('c');
    const feed = await makeFeed();
    const run = await feed.import(
      `\ufeffcustomer_id,mobile_number,SMS_CONSENT,sms_valid,first_name,city\n${id},"+1 (415) 555-0123",yes,,"Ada ""A.""",Paris\n`,
    );
    expect(run).toMatchObject({ state: 'done', rows_read: 1, rows_written: 1, rows_rejected: 0, errors: [] });
    expect((await call('GET', `/v1/profiles/${id}`)).body).toEqual({
      customer_id: id,
      MOBILE_NUMBER: '+14155550123',
      SMS_CONSENT: true,
      SMS_VALID: null,
      attributes: { first_name: 'Ada "A."', city: 'Paris' },
      updated_at: expect.any(String),
    });
  });

  it('records a number that cannot be read, for the rules to decide', async () => {
    const id = unique('c');
    await (await makeFeed()).import(`customer_id,MOBILE_NUMBER\n${id},call me\n`);
    expect(await readProfile(env.DB, id)).toMatchObject({ mobile_number: 'call me', e164: null });
  });

  it.each([
    ['semicolons and CRLF', 'customer_id;phone;Allow_SMS\r\nID;+14155550123;Y\r\n'],
    ['tabs', 'customer_id\tphone\tAllow_SMS\nID\t+14155550123\tY\n'],
    ['pipes and old Mac line ends', 'customer_id|phone|Allow_SMS\rID|+14155550123|Y\r'],
    ['mixed line ends, no last one', 'customer_id,phone,Allow_SMS\n\r\nID,+14155550123,Y'],
    ['newlines in quotes', 'customer_id,note,phone,Allow_SMS\nID,"a\r\nb, ""c""",+14155550123,Y\n'],
  ])('is read with %s', async (_, text) => {
    const id = unique('c');
    const run = await (await makeFeed()).import(text.replace('ID', id));
    expect(run).toMatchObject({ state: 'done', rows_written: 1 });
    expect(await readProfile(env.DB, id)).toMatchObject({ e164: '+14155550123', sms_consent: 1 });
  });
});

describe('gzip', () => {
  it('is known by its content, whatever the name says', async () => {
    const id = unique('c');
    const feed = await makeFeed();
    const run = await feed.import(await gzip(`customer_id,SMS_CONSENT\n${id},true\n`), 'plain.csv');
    expect(run).toMatchObject({ state: 'done', rows_written: 1 });
    const other = await feed.import(ndjson({ customer_id: unique('c') }), 'packed.gz');
    expect(other).toMatchObject({ state: 'done', rows_written: 1 });
  });
});

describe('NDJSON', () => {
  it('becomes profiles, with nested attributes and times of its own', async () => {
    const id = unique('c');
    const run = await (await makeFeed()).import(
      `${ndjson({
        customer_id: id,
        MOBILE_NUMBER: '+14155550123',
        SMS_CONSENT: 0,
        attributes: { tier: { level: 2 } },
        updated_at: '2026-01-02T03:04:05Z',
      })}\n`,
    );
    expect(run).toMatchObject({ state: 'done', rows_read: 1, rows_written: 1 });
    expect((await call('GET', `/v1/profiles/${id}`)).body).toMatchObject({
      SMS_CONSENT: false,
      attributes: { tier: { level: 2 } },
      updated_at: '2026-01-02T03:04:05.000Z',
    });
  });
});

describe('blanks', () => {
  const given = { MOBILE_NUMBER: '+14155550123', SMS_CONSENT: true, first_name: 'Ada', city: 'Paris' };
  const blank = { MOBILE_NUMBER: '', SMS_CONSENT: null, first_name: '' };

  it.each([
    [
      'of a delta keep what is stored',
      {},
      { e164: '+14155550123', sms_consent: 1, attributes: '{"first_name":"Ada","city":"Paris"}' },
    ],
    [
      'of a delta clear it where the feed says so',
      { blank: 'clear' },
      { e164: null, mobile_number: null, sms_consent: null, attributes: '{"city":"Paris"}' },
    ],
    [
      'of a full feed clear it',
      { mode: 'full' },
      { e164: null, mobile_number: null, sms_consent: null, attributes: '{"city":"Paris"}' },
    ],
    [
      'of a full feed keep it where the feed says so',
      { mode: 'full', blank: 'keep' },
      { e164: '+14155550123', sms_consent: 1 },
    ],
  ])('%s', async (_, settings, expected) => {
    const customer_id = unique('c');
    const feed = await makeFeed(settings);
    await feed.import(ndjson({ customer_id, ...given }));
    await feed.import(ndjson({ customer_id, ...blank }));
    expect(await readProfile(env.DB, customer_id)).toMatchObject(expected);
  });

  it('are not columns that are absent: those keep what is stored', async () => {
    const id = unique('c');
    const feed = await makeFeed({ blank: 'clear' });
    await feed.import(`customer_id,MOBILE_NUMBER,SMS_CONSENT,SMS_VALID\n${id},+14155550123,true,true\n`);
    await feed.import(`customer_id,SMS_VALID\n${id},\n`);
    expect(await readProfile(env.DB, id)).toMatchObject({
      e164: '+14155550123',
      sms_consent: 1,
      sms_valid: null,
    });
  });
});

describe('rows', () => {
  it('that are wrong are named by line and column and left out; the others count', async () => {
    const feed = await makeFeed({ guards: { max_bad_share: 0.5 } });
    const run = await feed.import(
      [
        JSON.stringify({ customer_id: unique('c'), SMS_CONSENT: true }),
        JSON.stringify({ customer_id: unique('c'), Allow_SMS: 'perhaps' }),
        '',
        '{broken',
        JSON.stringify({ customer_id: unique('c'), updated_at: 'yesterday' }),
        JSON.stringify({ customer_id: unique('c') }),
        JSON.stringify({ customer_id: unique('c') }),
        JSON.stringify({ customer_id: unique('c') }),
      ].join('\n'),
    );
    expect(run).toMatchObject({ state: 'done', rows_read: 7, rows_written: 4, rows_rejected: 3 });
    expect(run.errors).toMatchObject([
      { page: 1, line: 2, field: 'Allow_SMS' },
      { line: 4, field: '(row)' },
      { line: 5, field: 'updated_at' },
    ]);
    expect(JSON.stringify(run.errors)).not.toMatch(/perhaps|yesterday/);
  });

  it('with too many or too few fields are named by their line', async () => {
    const ids = [unique('c'), unique('c'), unique('c'), unique('c')];
    const feed = await makeFeed({ guards: { max_bad_share: 0.5 } });
    const run = await feed.import(
      `customer_id,SMS_CONSENT\n${ids[0]},true\n${ids[1]},true,extra\n${ids[2]},false\n${ids[3]}\n`,
    );
    expect(run).toMatchObject({ state: 'done', rows_read: 4, rows_written: 2, rows_rejected: 2 });
    expect(run.errors.map((error: { line: number }) => error.line)).toEqual([3, 5]);
  });

  it('that are unchanged write nothing', async () => {
    const rows = Array.from({ length: 50 }, () => `${unique('c')},+14155550123,true`).join('\n');
    const feed = await makeFeed();
    await feed.import(`customer_id,MOBILE_NUMBER,SMS_CONSENT\n${rows}\n`);
    const written = () => env.DB.prepare('SELECT max(written_at) AS at FROM profiles').first();
    const before = await written();
    const run = await feed.import(`customer_id,MOBILE_NUMBER,SMS_CONSENT\n${rows}\n`);
    expect(run).toMatchObject({ rows_read: 50, rows_written: 0, rows_unchanged: 50 });
    expect(await written()).toEqual(before);
  });

  it('that are older than what is stored change nothing', async () => {
    const customer_id = unique('c');
    const feed = await makeFeed();
    await feed.import(ndjson({ customer_id, SMS_CONSENT: false, updated_at: '2026-02-01T00:00:00Z' }));
    const run = await feed.import(
      ndjson({ customer_id, SMS_CONSENT: true, updated_at: '2026-01-01T00:00:00Z' }),
    );
    expect(run).toMatchObject({ rows_written: 0, rows_stale: 1 });
    expect((await readProfile(env.DB, customer_id))?.sms_consent).toBe(0);
  });

  it('that confirm what is stored with a newer time of their own are written, so that nothing in between wins', async () => {
    const customer_id = unique('c');
    const feed = await makeFeed();
    const row = (SMS_CONSENT: boolean, day: string) =>
      ndjson({ customer_id, SMS_CONSENT, updated_at: `2026-0${day}T00:00:00Z` });
    await feed.import(row(false, '1-01'));
    expect(await feed.import(row(false, '3-01'))).toMatchObject({ rows_written: 1 });
    expect(await feed.import(row(true, '2-01'))).toMatchObject({ rows_stale: 1 });
    expect((await readProfile(env.DB, customer_id))?.sms_consent).toBe(0);
  });

  it('that are older than what somebody confirmed by hand change nothing', async () => {
    const id = unique('c');
    const confirm = (updated_at: string) =>
      call('PUT', `/v1/profiles/${id}`, { SMS_CONSENT: false, updated_at });
    await confirm('2026-01-01T00:00:00Z');
    await confirm('2026-03-01T00:00:00Z');
    await (await makeFeed()).import(
      ndjson({ customer_id: id, SMS_CONSENT: true, updated_at: '2026-02-01T00:00:00Z' }),
    );
    expect((await readProfile(env.DB, id))?.sms_consent).toBe(0);
  });

  it('from the future are refused: nothing newer could ever be stored', async () => {
    const rows = [
      { customer_id: unique('c'), updated_at: '9999-12-31T23:59:59Z' },
      ...Array.from({ length: 5 }, () => ({ customer_id: unique('c') })),
    ];
    const run = await (await makeFeed()).import(ndjson(...rows));
    expect(run).toMatchObject({ rows_rejected: 1, errors: [{ line: 1, field: 'updated_at' }] });
  });

  it.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02 03:04:05.678 UTC', '2026-01-02T03:04:05.678Z'],
    ['2026-01-02 03:04:05 +0100', '2026-01-02T02:04:05.000Z'],
  ])('may write their time as warehouses do: %s', async (updated_at, expected) => {
    const customer_id = unique('c');
    await (await makeFeed()).import(ndjson({ customer_id, updated_at }));
    expect((await call('GET', `/v1/profiles/${customer_id}`)).body.updated_at).toBe(expected);
  });

  it('that hold half characters or a text as attributes are refused', async () => {
    const feed = await makeFeed({ guards: { max_bad_share: 0.5 } });
    const run = await feed.import(
      [
        '{"customer_id": "x1", "MOBILE_NUMBER": "\\ud800"}',
        '{"customer_id": "x2", "attributes": "Ada"}',
        ...[3, 4, 5].map((n) => JSON.stringify({ customer_id: unique(`x${n}`) })),
      ].join('\n'),
    );
    expect(run).toMatchObject({ rows_rejected: 2, rows_written: 3 });
  });

  it('are quoted nowhere in the errors', async () => {
    const rows = Array.from({ length: 6 }, () => `${unique('c')},+14155550123`);
    const run = await (await makeFeed()).import(
      `customer_id,MOBILE_NUMBER\n${rows.join('\n')}\n${unique('c')},+1415 "555" 0199\n`,
    );
    expect(run).toMatchObject({ state: 'done', rows_read: 7, rows_rejected: 1, rows_written: 6 });
    expect(JSON.stringify(run.errors)).not.toMatch(/555|4155/);
    expect(run.errors[0].reason).toContain('quote');
  });

  it('may be thousands', async () => {
    const rows = Array.from({ length: 12_300 }, () => `${unique('c')},+14155550123,true,Ada`).join('\n');
    const run = await (await makeFeed()).import(
      `customer_id,MOBILE_NUMBER,SMS_CONSENT,first_name\n${rows}\n`,
    );
    expect(run).toMatchObject({ state: 'done', rows_read: 12_300, rows_written: 12_300 });
  });
});

describe('a customer several times in one document', () => {
  it('is reported, and the last of the newest counts', async () => {
    const id = unique('c');
    const run = await (await makeFeed()).import(`customer_id,SMS_CONSENT\n${id},true\n${id},false\n`);
    expect(run).toMatchObject({ rows_read: 2, rows_written: 1, rows_duplicate: 1 });
    expect((await readProfile(env.DB, id))?.sms_consent).toBe(0);
  });

  it('keeps what the later row does not speak of', async () => {
    const customer_id = unique('c');
    await (await makeFeed()).import(
      ndjson({ customer_id, SMS_CONSENT: false }, { customer_id, first_name: 'Ada' }),
    );
    expect(await readProfile(env.DB, customer_id)).toMatchObject({
      sms_consent: 0,
      attributes: '{"first_name":"Ada"}',
    });
  });

  it('with the older row last: the newer word counts', async () => {
    const customer_id = unique('c');
    const row = (SMS_CONSENT: boolean, updated_at: string) => ({ customer_id, SMS_CONSENT, updated_at });
    await (await makeFeed()).import(
      ndjson(row(false, '2026-03-01T00:00:00Z'), row(true, '2026-02-01T00:00:00Z')),
    );
    expect((await readProfile(env.DB, customer_id))?.sms_consent).toBe(0);
  });

  it('is one row after another, also where something stored lies between them', async () => {
    const customer_id = unique('c');
    await call('PUT', `/v1/profiles/${customer_id}`, {
      SMS_CONSENT: false,
      updated_at: '2026-02-01T00:00:00Z',
    });
    const run = await (await makeFeed()).import(
      ndjson(
        { customer_id, SMS_CONSENT: true, updated_at: '2026-01-01T00:00:00Z' },
        { customer_id, SMS_VALID: true, updated_at: '2026-03-01T00:00:00Z' },
      ),
    );
    expect(run).toMatchObject({ rows_stale: 1, rows_written: 1 });
    expect(await readProfile(env.DB, customer_id)).toMatchObject({ sms_consent: 0, sms_valid: 1 });
  });

  it('is told across chunks, too', async () => {
    const id = unique('c');
    const others = Array.from({ length: 6_000 }, () => `${unique('c')},true\n`).join('');
    const run = await (await makeFeed()).import(
      `customer_id,SMS_CONSENT\n${id},true\n${others}${id},false\n`,
    );
    expect(run).toMatchObject({ rows_read: 6_002, rows_duplicate: 1 });
    expect((await readProfile(env.DB, id))?.sms_consent).toBe(0);
  });
});

describe('runs', () => {
  it('import each version of an object once', async () => {
    const feed = await makeFeed();
    await feed.put('a.csv', `customer_id,SMS_CONSENT\n${unique('c')},true\n`);
    expect(await feed.tick()).toHaveLength(1);
    expect(await feed.tick()).toHaveLength(0);
    await feed.put('a.csv', `customer_id,SMS_CONSENT\n${unique('c')},true\n${unique('c')},true\n`);
    expect(await feed.tick()).toHaveLength(1);
  });

  it('import yesterday’s bytes again when they replace today’s', async () => {
    const id = unique('c');
    const feed = await makeFeed();
    for (const consent of ['false', 'true', 'false']) {
      await feed.put('customers.csv', `customer_id,SMS_CONSENT\n${id},${consent}\n`);
      expect(await feed.tick()).toMatchObject([{ state: 'done', rows_written: 1 }]);
    }
    expect((await readProfile(env.DB, id))?.sms_consent).toBe(0);
  });

  vi.setConfig({ testTimeout: 60_000 });

  it('two at once: one imports, the other leaves it alone', async () => {
    const feed = await makeFeed();
    await feed.put(
      'a.csv',
      `customer_id,SMS_CONSENT\n${Array.from({ length: 600 }, () => `${unique('c')},true`).join('\n')}\n`,
    );
    const runs = (await Promise.all([feed.tick(), feed.tick()])).flat();
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({ rows_written: 600, attempts: expect.any(Number) });
  });

  const broken = (): R2Bucket =>
    ({
      list: env.FEEDS.list.bind(env.FEEDS),
      get: () => Promise.reject(new Error('gone')),
    }) as unknown as R2Bucket;

  it('that were interrupted go on after a pause, not before', async () => {
    const feed = await makeFeed();
    await feed.put('a.csv', `customer_id,SMS_CONSENT\n${unique('c')},true\n`);
    const [first] = await feed.tick(testRuntime({ feeds: broken() }));
    expect(first).toMatchObject({ state: 'running' });
    expect(await feed.tick()).toEqual([]);
    const later = testRuntime();
    later.advance(10_001);
    const [run] = await feed.tick({ ...later });
    expect(run).toMatchObject({ id: first.id, state: 'done', rows_written: 1 });
  });

  it('that are interrupted again and again at one place are given up, so that newer documents get their turn', async () => {
    const feed = await makeFeed();
    await feed.put('a.csv', `customer_id,SMS_CONSENT\n${unique('c')},true\n`);
    for (let attempt = 1; attempt <= 5; attempt++) {
      const runtime = testRuntime({ feeds: broken() });
      runtime.advance(attempt * 20_000);
      expect(await feed.tick(runtime)).toMatchObject([{ state: 'running' }]);
    }
    const runtime = testRuntime();
    runtime.advance(6 * 20_000);
    expect(await feed.tick(runtime)).toMatchObject([
      { state: 'failed', detail: expect.stringContaining('5 times') },
    ]);
    expect(await feed.tick(runtime)).toEqual([]);
  });

  it('can be started and read by hand', async () => {
    const feed = await makeFeed();
    const key = await feed.put('by-hand.csv', `customer_id,SMS_CONSENT\n${unique('c')},true\n`);
    const start = { feed: feed.id, object_key: key };
    const first = await call('POST', '/v1/sync/runs', start);
    expect(first.status).toBe(200);
    expect(first.body.runs).toMatchObject([
      {
        feed: feed.id,
        document: key,
        state: 'done',
        rows_written: 1,
        progress: 1,
        bytes_total: expect.any(Number),
      },
    ]);
    expect((await call('POST', '/v1/sync/runs', start)).body.runs).toMatchObject([]);
    const forced = await call('POST', '/v1/sync/runs', { ...start, again: true });
    expect(forced.body.runs).toMatchObject([{ rows_unchanged: 1, state: 'done' }]);
    const { id } = first.body.runs[0];
    expect((await call('GET', `/v1/sync/runs/${id}`)).body).toMatchObject({ id, errors: [] });
    const listed = await call('GET', `/v1/sync/runs?feed=${feed.id}`);
    expect(listed.body.runs.map((run: { id: string }) => run.id).sort()).toEqual(
      [id, forced.body.runs[0].id].sort(),
    );
  });

  it('of the built-in feed need no configuration', async () => {
    const id = unique('c');
    await env.FEEDS.put(`profiles/${unique('demo')}.csv`, `customer_id,SMS_CONSENT\n${id},true\n`);
    const runtime = testRuntime();
    const stored = await readFeed(runtime, 'profiles');
    if (!stored) throw new Error('no built-in feed');
    const [run] = await syncFeed(runtime, stored, new Budget(runtime));
    expect(await shownRun(run ?? '')).toMatchObject({ feed: 'profiles', state: 'done', rows_written: 1 });
  });

  it('leave nothing staged behind', async () => {
    const feed = await makeFeed();
    await feed.import(`customer_id,SMS_CONSENT\n${unique('c')},true\n`);
    expect((await env.FEEDS.list({ prefix: '.optitext/' })).objects).toEqual([]);
    expect(await env.DB.prepare('SELECT count(*) AS n FROM sync_chunks').first()).toEqual({ n: 0 });
  });
});
