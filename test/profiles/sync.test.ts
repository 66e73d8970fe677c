import { env } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { readProfile } from '../../src/profiles/store.ts';
import { syncFeeds } from '../../src/profiles/sync.ts';
import { listRuns, readRun } from '../../src/profiles/sync-runs.ts';
import { call, testRuntime, unique } from '../support.ts';

let prefix: string;

beforeEach(() => {
  prefix = `${unique('feed')}/`;
});

const runtime = (leaseMs = 60_000) => {
  const base = testRuntime();
  return { ...base, config: { ...base.config, feedPrefix: prefix, leaseMs } };
};

async function put(name: string, content: string | Uint8Array): Promise<void> {
  await env.FEEDS.put(`${prefix}${name}`, content);
}

async function sync(leaseMs?: number) {
  const ids = await syncFeeds(runtime(leaseMs));
  const runs = await Promise.all(ids.map((id) => readRun(env.DB, id)));
  return runs.filter((run) => run !== null);
}

describe('CSV', () => {
  it('becomes profiles: reserved columns in any case, the rest as attributes, blanks as missing', async () => {
    const id = unique('c');
    await put(
      'a.csv',
      `\ufeffcustomer_id,mobile_number,SMS_CONSENT,sms_valid,first_name,city\n${id},"+1 (415) 555-0123",yes,,"Ada ""A.""",Paris\n`,
    );
    const [run] = await sync();
    expect(run).toMatchObject({ state: 'done', rows_read: 1, rows_changed: 1, rows_failed: 0, errors: [] });
    expect((await call('GET', `/v1/profiles/${id}`)).body).toEqual({
      customer_id: id,
      MOBILE_NUMBER: '+14155550123',
      SMS_CONSENT: true,
      SMS_VALID: null,
      attributes: { first_name: 'Ada "A."', city: 'Paris' },
      updated_at: expect.any(String),
    });
  });

  it('keeps what it does not speak of, and clears what it leaves blank', async () => {
    const id = unique('c');
    await put('1.csv', `customer_id,MOBILE_NUMBER,SMS_CONSENT,SMS_VALID\n${id},+14155550123,true,true\n`);
    await sync();
    await put('2.csv', `customer_id,SMS_VALID\n${id},\n`);
    await sync();
    expect(await readProfile(env.DB, id)).toMatchObject({
      e164: '+14155550123',
      sms_consent: 1,
      sms_valid: null,
    });
  });

  it('records a number that cannot be read, for the rules to decide', async () => {
    const id = unique('c');
    await put('a.csv', `customer_id,MOBILE_NUMBER\n${id},call me\n`);
    await sync();
    expect(await readProfile(env.DB, id)).toMatchObject({ mobile_number: 'call me', e164: null });
  });
});

describe('NDJSON', () => {
  it('becomes profiles, with nested attributes and times of its own', async () => {
    const id = unique('c');
    const row = {
      customer_id: id,
      MOBILE_NUMBER: '+14155550123',
      SMS_CONSENT: 0,
      attributes: { tier: { level: 2 } },
      updated_at: '2026-01-02T03:04:05Z',
    };
    await put('a.ndjson', `${JSON.stringify(row)}\n\n`);
    const [run] = await sync();
    expect(run).toMatchObject({ state: 'done', rows_read: 1, rows_changed: 1 });
    expect((await call('GET', `/v1/profiles/${id}`)).body).toMatchObject({
      SMS_CONSENT: false,
      attributes: { tier: { level: 2 } },
      updated_at: '2026-01-02T03:04:05.000Z',
    });
  });
});

describe('rows', () => {
  it('that are wrong are named and left out; the others count', async () => {
    const good = unique('c');
    await put(
      'a.ndjson',
      [
        JSON.stringify({ customer_id: good, SMS_CONSENT: true }),
        JSON.stringify({ customer_id: unique('c'), SMS_CONSENT: 'perhaps' }),
        JSON.stringify({ customer_id: unique('c') }),
        '{broken',
        JSON.stringify({ customer_id: unique('c'), updated_at: 'yesterday' }),
        JSON.stringify({ customer_id: unique('c') }),
        JSON.stringify({ customer_id: unique('c') }),
      ].join('\n'),
    );
    const [run] = await sync();
    expect(run).toMatchObject({ state: 'done', rows_read: 7, rows_changed: 4, rows_failed: 3 });
    expect(run?.errors.map(({ row, path }) => [row, path])).toEqual([
      [2, 'SMS_CONSENT'],
      [4, '(row)'],
      [5, 'updated_at'],
    ]);
    expect(JSON.stringify(run?.errors)).not.toContain('perhaps');
  });

  it('with too many fields are named by their place', async () => {
    const ids = [unique('c'), unique('c'), unique('c')];
    await put('a.csv', `customer_id,SMS_CONSENT\n${ids[0]},true\n${ids[1]},true,extra\n${ids[2]},false\n`);
    const [run] = await sync();
    expect(run).toMatchObject({ state: 'done', rows_read: 3, rows_changed: 2, rows_failed: 1 });
  });

  it('that are unchanged write nothing', async () => {
    const rows = Array.from({ length: 50 }, () => `${unique('c')},+14155550123,true`).join('\n');
    await put('1.csv', `customer_id,MOBILE_NUMBER,SMS_CONSENT\n${rows}\n`);
    await sync();
    const before = await env.DB.prepare('SELECT max(written_at) AS at FROM profiles').first<{ at: number }>();
    await put('2.csv', `customer_id,MOBILE_NUMBER,SMS_CONSENT\n${rows}\n`);
    const [run] = await sync();
    expect(run).toMatchObject({ rows_read: 50, rows_changed: 0, rows_unchanged: 50 });
    const after = await env.DB.prepare('SELECT max(written_at) AS at FROM profiles').first<{ at: number }>();
    expect(after).toEqual(before);
  });

  it('that are older than what is stored change nothing', async () => {
    const id = unique('c');
    const row = (SMS_CONSENT: boolean, updated_at: string) =>
      JSON.stringify({ customer_id: id, SMS_CONSENT, updated_at });
    await put('1.ndjson', row(false, '2026-02-01T00:00:00Z'));
    await sync();
    await put('2.ndjson', row(true, '2026-01-01T00:00:00Z'));
    const [run] = await sync();
    expect(run).toMatchObject({ rows_changed: 0, rows_stale: 1 });
    expect((await readProfile(env.DB, id))?.sms_consent).toBe(0);
  });

  it('for one customer in one feed are merged: what the later does not speak of stays', async () => {
    const id = unique('c');
    await call('PUT', `/v1/profiles/${id}`, { SMS_CONSENT: true, updated_at: '2026-01-01T00:00:00Z' });
    await put(
      'a.ndjson',
      [
        { customer_id: id, SMS_CONSENT: false },
        { customer_id: id, first_name: 'Ada' },
      ]
        .map((row) => JSON.stringify(row))
        .join('\n'),
    );
    await sync();
    expect(await readProfile(env.DB, id)).toMatchObject({
      sms_consent: 0,
      attributes: '{"first_name":"Ada"}',
    });
  });

  it('for one customer, the older one last: the newer word counts', async () => {
    const id = unique('c');
    const row = (SMS_CONSENT: boolean, updated_at: string) =>
      JSON.stringify({ customer_id: id, SMS_CONSENT, updated_at });
    await put('a.ndjson', `${row(false, '2026-03-01T00:00:00Z')}\n${row(true, '2026-02-01T00:00:00Z')}`);
    await sync();
    expect((await readProfile(env.DB, id))?.sms_consent).toBe(0);
  });

  it('that are older than what somebody confirmed by hand change nothing', async () => {
    const id = unique('c');
    const confirm = (updated_at: string) =>
      call('PUT', `/v1/profiles/${id}`, { SMS_CONSENT: false, updated_at });
    await confirm('2026-01-01T00:00:00Z');
    await confirm('2026-03-01T00:00:00Z');
    await put(
      'a.ndjson',
      JSON.stringify({ customer_id: id, SMS_CONSENT: true, updated_at: '2026-02-01T00:00:00Z' }),
    );
    await sync();
    expect((await readProfile(env.DB, id))?.sms_consent).toBe(0);
  });

  it('from the future are refused: nothing newer could ever be stored', async () => {
    const id = unique('c');
    const rows = [
      { customer_id: id, updated_at: '9999-12-31T23:59:59Z' },
      { customer_id: unique('c') },
      { customer_id: unique('c') },
    ];
    await put('a.ndjson', rows.map((row) => JSON.stringify(row)).join('\n'));
    const [run] = await sync();
    expect(run).toMatchObject({ rows_failed: 1, errors: [{ row: 1, path: 'updated_at' }] });
  });

  it('that hold half characters or a text as attributes are refused', async () => {
    const rows = [
      '{"customer_id": "x1", "MOBILE_NUMBER": "\\ud800"}',
      '{"customer_id": "x2", "attributes": "Ada"}',
      ...[3, 4, 5].map((n) => JSON.stringify({ customer_id: unique(`x${n}`) })),
    ];
    await put('a.ndjson', rows.join('\n'));
    const [run] = await sync();
    expect(run).toMatchObject({ rows_failed: 2, rows_changed: 3 });
  });

  it('are quoted nowhere in the errors', async () => {
    const rows = Array.from({ length: 6 }, () => `${unique('c')},+14155550123`);
    await put('a.csv', `customer_id,MOBILE_NUMBER\n${rows.join('\n')}\n${unique('c')},+1415 "555" 0199\n`);
    const [run] = await sync();
    expect(run).toMatchObject({ state: 'done', rows_read: 7, rows_failed: 1, rows_changed: 6 });
    expect(JSON.stringify(run)).not.toMatch(/555|4155/);
    expect(run?.errors[0]?.message).toContain('quote');
  });

  it('for one customer in one feed: the last of the newest counts', async () => {
    const id = unique('c');
    await put('a.csv', `customer_id,SMS_CONSENT\n${id},true\n${id},false\n`);
    const [run] = await sync();
    expect(run).toMatchObject({ rows_read: 2, rows_changed: 1, rows_stale: 1 });
    expect((await readProfile(env.DB, id))?.sms_consent).toBe(0);
  });

  it('may be thousands', async () => {
    const rows = Array.from({ length: 2300 }, () => `${unique('c')},+14155550123,true,Ada`).join('\n');
    await put('a.csv', `customer_id,MOBILE_NUMBER,SMS_CONSENT,first_name\n${rows}\n`);
    const [run] = await sync();
    expect(run).toMatchObject({ state: 'done', rows_read: 2300, rows_changed: 2300 });
  });
});

describe('a broken feed changes nothing', () => {
  const id = unique('c');
  it.each<[string, string, string | Uint8Array, RegExp]>([
    ['without a customer_id column', 'a.csv', `id,SMS_CONSENT\n${id},true\n`, /customer_id/],
    ['with a column twice', 'a.csv', `customer_id,x,x\n${id},1,2\n`, /twice/],
    ['with a column __proto__', 'a.csv', `customer_id,__proto__\n${id},1\n`, /rename/],
    ['with a header only', 'a.csv', 'customer_id,SMS_CONSENT\n', /no rows/],
    ['that is empty', 'a.ndjson', '', /no rows/],
    [
      'that is not UTF-8',
      'a.csv',
      new Uint8Array([...new TextEncoder().encode(`customer_id,n\n${id},`), 0xff, 0xfe]),
      /UTF-8/,
    ],
    ['that is not UTF-8 either', 'a.ndjson', new Uint8Array([0x7b, 0xff, 0x7d]), /UTF-8/],
    [
      'with an open quote',
      'a.csv',
      `customer_id,n\nx-1,1\nx-2,2\n${id},"open\n${'x-3,3\n'.repeat(50)}`,
      /quote is opened and never closed/,
    ],
    [
      'of which most rows are wrong',
      'a.ndjson',
      `${JSON.stringify({ customer_id: id, SMS_CONSENT: true })}\n{\n{\n`,
      /2 of 3 rows are wrong/,
    ],
    ['of an unknown kind', 'a.xlsx', 'x', /must end in/],
  ])('%s', async (_, name, content, detail) => {
    await put(name, content);
    const [run] = await sync();
    expect(run).toMatchObject({ state: 'failed', rows_changed: 0, detail: expect.stringMatching(detail) });
    expect(await readProfile(env.DB, id)).toBeNull();
  });
});

describe('runs', () => {
  it('import each version of an object once', async () => {
    await put('a.csv', `customer_id,SMS_CONSENT\n${unique('c')},true\n`);
    expect(await sync()).toHaveLength(1);
    expect(await sync()).toHaveLength(0);
    await put('a.csv', `customer_id,SMS_CONSENT\n${unique('c')},true\n${unique('c')},true\n`);
    expect(await sync()).toHaveLength(1);
  });

  it('two at once: one imports, the other leaves it alone', async () => {
    await put(
      'a.csv',
      `customer_id,SMS_CONSENT\n${Array.from({ length: 600 }, () => `${unique('c')},true`).join('\n')}\n`,
    );
    const [a, b] = await Promise.all([sync(), sync()]);
    expect([...(a ?? []), ...(b ?? [])]).toHaveLength(1);
  });

  it('that died are begun again when their lease is over, not before', async () => {
    const id = unique('c');
    await put('a.csv', `customer_id,SMS_CONSENT\n${id},true\n`);
    const dying = {
      ...runtime(),
      feeds: {
        list: env.FEEDS.list.bind(env.FEEDS),
        get: () => Promise.reject(new Error('gone')),
      } as unknown as R2Bucket,
    };
    expect(await syncFeeds(dying)).toEqual([]);
    expect(await sync()).toEqual([]);
    const later = runtime();
    later.advance(60_001);
    const late = { ...later, now: () => Date.now() + 60_001 };
    const [runId] = await syncFeeds(late);
    expect(await readRun(env.DB, runId ?? '')).toMatchObject({ state: 'done', attempts: 2, rows_changed: 1 });
  });

  it('that die again and again are given up, so that newer feeds get their turn', async () => {
    await put('a.csv', `customer_id,SMS_CONSENT\n${unique('c')},true\n`);
    const gone = { list: env.FEEDS.list.bind(env.FEEDS), get: () => Promise.reject(new Error('gone')) };
    for (let attempt = 1; attempt <= 5; attempt++) {
      const now = () => Date.now() + attempt * 60_001;
      expect(await syncFeeds({ ...runtime(), feeds: gone as unknown as R2Bucket, now })).toEqual([]);
    }
    const [runId] = await syncFeeds({ ...runtime(), now: () => Date.now() + 6 * 60_001 });
    expect(await readRun(env.DB, runId ?? '')).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('5 times'),
    });
    expect(await sync()).toEqual([]);
  });

  it('can be started and read by hand', async () => {
    const key = `${prefix}by-hand.csv`;
    await env.FEEDS.put(key, `customer_id,SMS_CONSENT\n${unique('c')},true\n`);
    const first = await call('POST', '/v1/sync/runs', { object_key: key });
    expect(first.body.runs).toMatchObject([{ object_key: key, state: 'done', rows_changed: 1 }]);
    const again = await call('POST', '/v1/sync/runs', { object_key: key });
    expect(again.body.runs).toEqual([]);
    const forced = await call('POST', '/v1/sync/runs', { object_key: key, again: true });
    expect(forced.body.runs).toMatchObject([{ rows_unchanged: 1, attempts: 1 }]);
    const { id } = first.body.runs[0];
    expect((await call('GET', `/v1/sync/runs/${id}`)).body.id).toBe(id);
    expect((await listRuns(env.DB, 10)).map((run) => run.id)).toContain(id);
  });
});
