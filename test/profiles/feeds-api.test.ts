import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { call, unique } from '../support.ts';
import { makeFeed, ndjson } from './feed-support.ts';

const id = (): string => unique('feed').toLowerCase();

describe('/v1/feeds', () => {
  it('has the built-in feed until another one takes its place', async () => {
    const { body } = await call('GET', '/v1/feeds/profiles');
    expect(body).toMatchObject({
      id: 'profiles',
      kind: 'r2',
      prefix: 'profiles/',
      mode: 'delta',
      built_in: true,
    });
    await call('PUT', '/v1/feeds/profiles', { kind: 'r2', prefix: 'other/', enabled: false });
    expect((await call('GET', '/v1/feeds')).body.feeds).toMatchObject([
      { id: 'push', kind: 'push', built_in: true },
      { id: 'profiles', prefix: 'other/', enabled: false, built_in: false },
    ]);
    expect((await call('DELETE', '/v1/feeds/profiles')).status).toBe(204);
    expect((await call('GET', '/v1/feeds/profiles')).body).toMatchObject({ built_in: true, enabled: true });
  });

  it('fills in what is left out, and says it all', async () => {
    const { status, body } = await call('PUT', `/v1/feeds/${id()}`, { kind: 'push' });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      kind: 'push',
      enabled: true,
      mode: 'delta',
      format: 'auto',
      delimiter: 'auto',
      columns: {},
      other_columns: 'attributes',
      default_country: null,
      guards: { max_bad_share: 0.2, min_share: 0.8, max_clear_share: 0.5 },
      schedule: null,
    });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['without a kind', {}, 'kind'],
    ['of an unknown kind', { kind: 'ftp' }, 'kind'],
    ['with a field that is none', { kind: 'r2', prefix: 'a/', mod: 'full' }, 'mod'],
    ['with a mode that is none', { kind: 'r2', prefix: 'a/', mode: 'half' }, 'mode'],
    ['that would read what OptiText stages', { kind: 'r2', prefix: '.optitext/staged/' }, 'prefix'],
    ['with a share above 1', { kind: 'push', guards: { min_share: 80 } }, 'guards.min_share'],
    ['with a country that is none', { kind: 'push', default_country: 'XX' }, 'default_country'],
    ['with a delimiter of two characters', { kind: 'push', delimiter: '||' }, 'delimiter'],
    ['with a mapping to nothing', { kind: 'push', columns: { first_name: [] } }, 'columns.first_name'],
    [
      'with a mapping to a prototype’s name',
      { kind: 'push', columns: { first_name: ['__proto__'] } },
      'columns.first_name[0]',
    ],
  ])('refuses one %s, naming the field', async (_, body, path) => {
    const answer = await call('PUT', `/v1/feeds/${id()}`, body);
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toContain(path);
  });

  it('knows only names that fit a path, and says when there is none', async () => {
    expect((await call('PUT', '/v1/feeds/Not%20Fit', { kind: 'push' })).status).toBe(422);
    expect((await call('GET', '/v1/feeds/nobody')).status).toBe(404);
    expect((await call('DELETE', '/v1/feeds/nobody')).status).toBe(404);
  });

  it('ends the runs of a feed that is deleted, and removes what they staged', async () => {
    const feed = await makeFeed({ mode: 'full' });
    const rows = Array.from({ length: 10 }, (_, n) => ({ customer_id: `${feed.id}-${n}` }));
    await feed.import(ndjson(...rows));
    const run = await feed.import(ndjson(...rows.slice(0, 2)));
    expect(run.state).toBe('refused');
    expect((await call('DELETE', `/v1/feeds/${feed.id}`)).status).toBe(204);
    expect((await call('GET', `/v1/sync/runs/${run.id}`)).body).toMatchObject({ state: 'canceled' });
    expect((await env.FEEDS.list({ prefix: `.optitext/staged/${run.id}` })).objects).toEqual([]);
  });
});

describe('/v1/sync/runs', () => {
  it('gives the rejected rows as a file: page, line, field, reason, and nothing of the rows', async () => {
    const feed = await makeFeed({ guards: { max_bad_share: 1 } });
    const secret = '+14155550199';
    const run = await feed.import(
      `customer_id,phone,=Allow_SMS\n${unique('c')},${secret},true\n,${secret},true\n${unique('c')},${secret},true,"x"\n`,
    );
    const { status, headers, body } = await call('GET', `/v1/sync/runs/${run.id}/rejected.csv`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toContain('text/csv');
    expect(headers.get('content-disposition')).toContain(`rejected-${run.id}.csv`);
    expect(body.split('\r\n')).toEqual([
      'page,line,field,reason',
      '1,3,customer_id,must not be empty',
      '1,4,(row),has 4 fields where the header has 3',
      '',
    ]);
    expect(body).not.toContain('555');
  });

  it('keeps so many rejected rows and counts all', async () => {
    const feed = await makeFeed({ guards: { max_bad_share: 1 } });
    const bad = '{}\n'.repeat(12_000);
    const run = await feed.import(`${ndjson({ customer_id: unique('c') })}${bad}`);
    expect(run).toMatchObject({ state: 'done', rows_read: 12_001, rows_rejected: 12_000 });
    const { body } = await call('GET', `/v1/sync/runs/${run.id}/rejected.csv`);
    expect(body.split('\r\n')).toHaveLength(10_002);
    expect((await call('GET', `/v1/sync/runs/${run.id}`)).body.errors).toHaveLength(100);
  });

  it.each<[string, unknown, number]>([
    ['a feed that is not there', { feed: 'nobody' }, 422],
    ['a document that is not there', { object_key: 'profiles/nothing.csv' }, 404],
    ['a field that is none', { objectkey: 'x' }, 422],
    ['a key of 2,000 characters', { object_key: 'x'.repeat(2_000) }, 422],
  ])('refuses %s', async (_, body, status) => {
    expect((await call('POST', '/v1/sync/runs', body)).status).toBe(status);
  });

  it.each(['approve', 'cancel', 'rejected.csv'])('has no %s of a run that is not there', async (what) => {
    const method = what === 'rejected.csv' ? 'GET' : 'POST';
    expect((await call(method, `/v1/sync/runs/run_nothing/${what}`)).status).toBe(404);
  });
});
