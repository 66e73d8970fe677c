import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { pushedDocument } from '../../src/profiles/feeds/r2.ts';
import { readProfile } from '../../src/profiles/store.ts';
import { importDesk } from '../../src/profiles/sync/desk.ts';
import { testRuntime, unique } from '../support.ts';
import { ndjson, shownRun } from './feed-support.ts';

async function pushed(content: string, name = unique('document')) {
  const prefix = await importDesk.prefixOf(testRuntime(), 'push');
  const object = await env.FEEDS.put(`${prefix}${name}`, content);
  if (!object) throw new Error('R2 stored nothing');
  return { feedId: 'push', document: pushedDocument(object), again: false, dryRun: false };
}

describe('a pushed document', () => {
  it('is imported at once and removed when its run has ended', async () => {
    const customer_id = unique('c');
    const runtime = testRuntime();
    const document = await pushed(ndjson({ customer_id, SMS_CONSENT: true }));
    const { id, run, duplicate } = await importDesk.startImport(runtime, document);
    expect({ run, duplicate }).toMatchObject({ run: { id, state: 'running' }, duplicate: false });
    await runtime.settled();
    expect(await shownRun(id)).toMatchObject({ state: 'done', rows_written: 1 });
    expect(await readProfile(env.DB, customer_id)).toMatchObject({ sms_consent: 1 });
    expect((await env.FEEDS.list({ prefix: '.optitext/' })).objects).toEqual([]);
  });

  it('that was pushed before is its first run again', async () => {
    const content = ndjson({ customer_id: unique('c') });
    const name = unique('document');
    const runtime = testRuntime();
    const first = await importDesk.startImport(runtime, await pushed(content, name));
    await runtime.settled();
    const second = await importDesk.startImport(runtime, await pushed(content, name));
    expect(second).toMatchObject({ id: first.id, duplicate: true, run: { state: 'done' } });
  });

  it('waits where another run of its feed is under way', async () => {
    const runtime = testRuntime({ background: () => undefined });
    await importDesk.startImport(runtime, await pushed(ndjson({ customer_id: unique('c') })));
    const second = await importDesk.startImport(runtime, await pushed(ndjson({ customer_id: unique('c') })));
    expect(second).toMatchObject({ run: null, duplicate: false });
  });

  it('has no place in a feed of another kind, or none', async () => {
    expect(await importDesk.prefixOf(testRuntime(), 'profiles')).toBeNull();
    expect(await importDesk.prefixOf(testRuntime(), 'nobody')).toBeNull();
  });
});
