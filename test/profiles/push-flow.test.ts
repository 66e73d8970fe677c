/** A push through the front door: what is sent becomes profiles. */
import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { call, unique, until } from '../support.ts';

async function push(body: string | Uint8Array, query = '') {
  return await call('POST', `/v1/profiles/import${query}`, body, { 'content-type': 'text/csv' });
}

async function ended(id: string) {
  return await until(async () => {
    const { body } = await call('GET', `/v1/sync/runs/${id}`);
    return body.state !== 'running' && body;
  });
}

async function gzip(text: string): Promise<Uint8Array> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

describe('a push', () => {
  it('becomes profiles, once, and leaves no document behind', async () => {
    const id = unique('pushed');
    const file = await gzip(`customer_id,Mobile_Number,Allow_SMS\n${id},+14155550123,yes\nx,y,perhaps\n`);
    const answer = await push(file);
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).toBe(`/v1/sync/runs/${answer.body.id}`);
    const run = await ended(answer.body.id);
    expect(run).toMatchObject({ state: 'failed' });
    expect(run.detail).toMatch(/rows/);

    const good = `customer_id,Mobile_Number,Allow_SMS\n${id},+14155550123,yes\n`;
    const second = await push(good);
    expect(await ended(second.body.id)).toMatchObject({ feed: 'push', state: 'done', rows_written: 1 });
    const { body: profile } = await call('GET', `/v1/profiles/${id}`);
    expect(profile).toMatchObject({ MOBILE_NUMBER: '+14155550123', SMS_CONSENT: true });

    const repeated = await push(good);
    expect(repeated.body).toMatchObject({ id: second.body.id, duplicate: true, state: 'done' });
    const again = await push(good, '?again=true');
    expect(again.body.id).not.toBe(second.body.id);
    expect(await ended(again.body.id)).toMatchObject({ state: 'done', rows_written: 0, rows_unchanged: 1 });
    expect((await env.FEEDS.list({ prefix: '.optitext/' })).objects).toEqual([]);
  });

  it('that is dry counts and changes nothing', async () => {
    const id = unique('dry');
    const answer = await push(`customer_id\n${id}\n`, '?dry_run=true');
    expect(await ended(answer.body.id)).toMatchObject({ dry_run: true, state: 'done', rows_written: 1 });
    expect((await call('GET', `/v1/profiles/${id}`)).status).toBe(404);
  });

  it('is not for feeds of another kind', async () => {
    expect((await push('customer_id\n1\n', '?feed=profiles')).status).toBe(404);
  });
});

describe('feeds from outside', () => {
  const put = (fields: Record<string, unknown>) => call('PUT', `/v1/feeds/${unique('feed')}`, fields);

  it('are configured with a schedule, and look first when it comes', async () => {
    const { status, body } = await put({
      kind: 'https',
      url: 'https://cdp.example.com/c.csv',
      auth: { type: 'bearer', secret: 'FEED_CDP' },
      schedule: { cron: '30 4 * * *', time_zone: 'Europe/Berlin' },
    });
    expect(status).toBe(200);
    expect(Date.parse(body.next_due_at)).toBeGreaterThan(Date.now());
  });

  it.each([
    [{ kind: 'https', url: 'https://10.0.0.1/c.csv' }, 'url'],
    [{ kind: 'https', url: 'https://cdp.example.com/c.csv', schedule: { cron: '* * *' } }, 'schedule.cron'],
    [
      {
        kind: 's3',
        endpoint: 'https://169.254.169.254',
        region: 'auto',
        bucket: 'abc',
        access_key_id: 'FEED_A',
        secret_access_key: 'FEED_B',
      },
      'endpoint',
    ],
  ])('such as %j are refused at %s', async (fields, path) => {
    const { status, body } = await put(fields);
    expect(status).toBe(422);
    expect(body.errors).toMatchObject([{ path }]);
  });
});
