import { describe, expect, it } from 'vitest';
import { receive } from '../src/delivery/receipts.ts';
import { sweep } from '../src/delivery/sweeper.ts';
import {
  accepted,
  acceptedBy,
  bookOf,
  drain,
  fake,
  no,
  receipt,
  shortTimes,
  silence,
} from './delivery/world.ts';
import { call, putCampaign, storedMessage, testRuntime, uniqueNumber } from './support.ts';

const ROUTE = { providers: ['webhook'] };
const retry = (id: string, body?: object) => call('POST', `/v1/messages/${id}/retry`, body);

describe('a retry by hand', () => {
  it('sends after all what a provider refused; the second call says that nothing was changed', async () => {
    const runtime = shortTimes(testRuntime());
    const webhook = fake('webhook', no('rejected'));
    const id = await accepted(runtime, undefined, ROUTE);
    await drain(runtime, [id], bookOf(webhook));
    const before = await call('GET', `/v1/messages/${id}`);
    expect((await retry(id)).body).toMatchObject({ id, retried: true, state: 'queued' });
    expect((await retry(id)).body).toMatchObject({ id, retried: false });
    const { body } = await call('GET', `/v1/messages/${id}`);
    expect(body.expires_at > before.body.expires_at).toBe(true);
  });

  it('counts its attempts anew, and leaves those of the timeline', async () => {
    const runtime = shortTimes(testRuntime(), { maxAttempts: 1 });
    const webhook = fake('webhook', no('rejected'));
    const book = bookOf(webhook);
    const id = await accepted(runtime, undefined, ROUTE);
    await drain(runtime, [id], book);
    const { requeue } = await import('../src/ledger/retry.ts');
    await requeue(runtime.db, [id], runtime.now(), runtime.now() + 1);
    webhook.answers();
    await drain(runtime, [id], book);
    expect(await storedMessage(id)).toMatchObject({ state: 'sent', attempts: 2 });
  });

  it('of the same wish changes nothing once it has failed again', async () => {
    const runtime = shortTimes(testRuntime());
    const webhook = fake('webhook', no('rejected'));
    const id = await accepted(runtime, undefined, ROUTE);
    await drain(runtime, [id], bookOf(webhook));
    const wish = { before: new Date(Date.now() + 1).toISOString() };
    const { requeue } = await import('../src/ledger/retry.ts');
    expect(await requeue(runtime.db, [id], runtime.now(), Date.parse(wish.before))).toEqual([id]);
    runtime.advance(100);
    await drain(runtime, [id], bookOf(webhook));
    expect((await storedMessage(id)).state).toBe('failed');
    expect((await retry(id, wish)).body).toMatchObject({ retried: false, state: 'failed' });
  });

  it('looks at opt-outs again', async () => {
    const runtime = shortTimes(testRuntime());
    const number = uniqueNumber();
    const webhook = fake('webhook', no('rejected'));
    const id = await accepted(runtime, number, ROUTE);
    await drain(runtime, [id], bookOf(webhook));
    await call('PUT', `/v1/suppressions/${number}`, {});
    const { requeue } = await import('../src/ledger/retry.ts');
    await requeue(runtime.db, [id], runtime.now(), runtime.now() + 1);
    await drain(runtime, [id], bookOf(webhook));
    expect(await storedMessage(id)).toMatchObject({ state: 'suppressed', reason: 'opted_out' });
    expect(webhook.calls).toHaveLength(1);
  });

  it.each<[string, (runtime: ReturnType<typeof shortTimes>, id: string) => Promise<void>]>([
    ['sent', async (runtime, id) => await drain(runtime, [id], bookOf(fake('webhook')))],
    [
      'undelivered',
      async (runtime, id) => {
        await drain(runtime, [id], bookOf(fake('webhook')));
        await receive(runtime, [receipt('webhook', id, 'undelivered')]);
      },
    ],
    [
      'failed by a receipt',
      async (runtime, id) => {
        await drain(runtime, [id], bookOf(fake('webhook')));
        await receive(runtime, [receipt('webhook', id, 'failed')]);
      },
    ],
    ['unknown', async (runtime, id) => await drain(runtime, [id], bookOf(fake('webhook', silence())))],
    ['queued', async () => {}],
    [
      'refused after a call whose outcome nobody knows',
      async (runtime, id) => {
        const webhook = fake('webhook', silence(), no('rejected'));
        await drain(runtime, [id], bookOf(webhook));
        runtime.advance(61_000);
        await sweep(runtime, bookOf(webhook));
        runtime.advance(2000);
        await sweep(runtime, bookOf(webhook));
        await drain(runtime, [id], bookOf(webhook));
        expect(webhook.calls).toHaveLength(2);
        expect((await storedMessage(id)).state).toBe('failed');
      },
    ],
  ])('leaves alone what is %s', async (_, make) => {
    const runtime = shortTimes(testRuntime());
    const id = await accepted(runtime, undefined, { ...ROUTE, on_unknown: 'resend', unknown_after: '1m' });
    await make(runtime, id);
    const { state } = await storedMessage(id);
    const { status, body } = await retry(id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ retried: false, state });
    expect((await storedMessage(id)).state).toBe(state);
  });

  it('of what is not there is 404, with an unknown field 422', async () => {
    expect((await retry('msg_none')).status).toBe(404);
    expect((await retry('msg_none', { force: true })).status).toBe(422);
  });
});

describe('a replay', () => {
  it('takes what failed, by filter, oldest first, and no more than its limit; repeated it finds what is left', async () => {
    const runtime = shortTimes(testRuntime());
    const { id: campaign, trigger } = await putCampaign(ROUTE);
    const ids = await Promise.all([1, 2, 3].map(() => acceptedBy(runtime, trigger)));
    await drain(runtime, ids, bookOf(fake('webhook', no('rejected'))));
    const other = await accepted(runtime, undefined, ROUTE);
    await drain(runtime, [other], bookOf(fake('webhook', no('rejected'))));
    const filter = {
      campaign,
      reason: 'provider_rejected',
      limit: 2,
      before: new Date(Date.now() + 1).toISOString(),
    };
    const first = (await call('POST', '/v1/messages/replay', filter)).body;
    expect(first).toMatchObject({ retried: 2, more: true });
    const second = (await call('POST', '/v1/messages/replay', filter)).body;
    expect(second).toMatchObject({ retried: 1, more: false });
    expect([...first.messages, ...second.messages].sort()).toEqual(ids.sort());
    expect((await call('POST', '/v1/messages/replay', filter)).body).toMatchObject({
      retried: 0,
      messages: [],
    });
    expect((await storedMessage(other)).state).toBe('failed');
  });

  it('takes expired ones only where they are asked for by reason', async () => {
    const runtime = shortTimes(testRuntime());
    const { id: campaign, trigger } = await putCampaign({ ...ROUTE, ttl_seconds: 60 });
    const id = await acceptedBy(runtime, trigger);
    runtime.advance(61_000);
    await drain(runtime, [id], bookOf(fake('webhook')));
    expect((await storedMessage(id)).state).toBe('expired');
    const before = new Date(runtime.now() + 1).toISOString();
    expect((await call('POST', '/v1/messages/replay', { campaign, before })).body.retried).toBe(0);
    expect(
      (await call('POST', '/v1/messages/replay', { campaign, before, reason: 'expired' })).body.retried,
    ).toBe(1);
  });

  it.each([[{ reason: 'because' }], [{ limit: 0 }], [{ from: 'yesterday' }], [{ state: 'sent' }]])(
    'refuses %j',
    async (body) => {
      expect((await call('POST', '/v1/messages/replay', body)).status).toBe(422);
    },
  );
});
