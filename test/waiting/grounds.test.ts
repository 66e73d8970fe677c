/** What rests on the event's word alone is taken back while it can be, and reported when it cannot. */
import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import {
  call,
  goodEvent,
  putCampaign,
  storedMessage,
  takenBySandbox,
  testRuntime,
  unique,
  uniqueNumber,
} from '../support.ts';
import { drain, postOne, row, tick } from './support.ts';

async function queued(fields: Record<string, unknown> = {}, profile?: Record<string, unknown>) {
  const campaign = await putCampaign(fields);
  const runtime = testRuntime();
  const customer = unique('customer');
  if (profile) await row(runtime, customer, profile);
  const id = await postOne(runtime, goodEvent(campaign.trigger, { customer_id: customer }));
  return { campaign, runtime, customer, id };
}

describe('not sent yet', () => {
  it.each([
    ['consent', { SMS_CONSENT: false }],
    ['validity', { SMS_VALID: false }],
    ['the number', { MOBILE_NUMBER: '+14155550199' }],
  ])('a batch that contradicts %s cancels the message before any claim', async (_, says) => {
    const { runtime, customer, id } = await queued();
    await row(runtime, customer, says);
    expect(await storedMessage(id)).toMatchObject({
      state: 'canceled',
      reason: 'grounds_contradicted',
      due_at: null,
    });
    await drain(runtime);
    await tick(runtime);
    expect(await takenBySandbox(id)).toBe(0);
  });

  it('one that a pause holds is canceled, too', async () => {
    const { campaign, runtime, customer, id } = await queued();
    await putCampaign({ ...campaign, state: 'paused' });
    await drain(runtime);
    expect(await storedMessage(id)).toMatchObject({ state: 'held', reason: 'campaign_paused' });
    await row(runtime, customer, { SMS_CONSENT: false });
    expect(await storedMessage(id)).toMatchObject({ state: 'canceled', reason: 'grounds_contradicted' });
  });

  it.each([
    ['a batch that says yes', {}, { SMS_CONSENT: true, SMS_VALID: true }, undefined],
    ['a batch that is silent', {}, { first_name: 'Ada' }, undefined],
    [
      'a no under a policy that believes the event',
      { policy: 'event-first' },
      { SMS_CONSENT: false },
      undefined,
    ],
    [
      'a no where the profile itself had said yes',
      {},
      { SMS_CONSENT: false },
      { SMS_CONSENT: true, SMS_VALID: true },
    ],
  ])('%s cancels nothing', async (_, campaign, says, before) => {
    const { runtime, customer, id } = await queued(campaign, before);
    runtime.advance(1000);
    await row(runtime, customer, says);
    expect((await storedMessage(id)).state).toBe('queued');
  });

  it('a row that is older than what is stored cancels nothing', async () => {
    const { runtime, customer, id } = await queued({}, { first_name: 'Ada' });
    await row(runtime, customer, { SMS_CONSENT: false, updated_at: '2020-01-01T00:00:00Z' });
    expect((await storedMessage(id)).state).toBe('queued');
  });

  it('messages of another customer with the same number stay', async () => {
    const { runtime, id } = await queued();
    await row(runtime, unique('customer'), { SMS_CONSENT: false });
    expect((await storedMessage(id)).state).toBe('queued');
  });
});

describe('GET /v1/reports/reconciliation', () => {
  const report = async (query: string) => (await call('GET', `/v1/reports/reconciliation?${query}`)).body;

  async function sent(
    says: Record<string, unknown> | null,
    campaign: { id: string; trigger: string },
    profile = {},
  ) {
    const runtime = testRuntime();
    const customer = unique('customer');
    if (Object.keys(profile).length > 0) await row(runtime, customer, profile);
    const number = uniqueNumber();
    const id = await postOne(
      runtime,
      goodEvent(campaign.trigger, { customer_id: customer, data: { MOBILE_NUMBER: number } }),
    );
    await drain(runtime);
    runtime.advance(1000);
    if (says)
      await row(runtime, customer, says.MOBILE_NUMBER === 'same' ? { ...says, MOBILE_NUMBER: number } : says);
    return id;
  }

  it('says confirmed, contradicted, open, and unconfirmed once the days are over', async () => {
    const campaign = await putCampaign();
    const good = { SMS_CONSENT: true, SMS_VALID: true };
    const confirmed = await sent({ ...good, MOBILE_NUMBER: 'same' }, campaign);
    const denied = await sent({ ...good, SMS_CONSENT: false, MOBILE_NUMBER: 'same' }, campaign);
    const invalid = await sent({ SMS_VALID: false }, campaign);
    const elsewhere = await sent({ ...good, MOBILE_NUMBER: '+14155550198' }, campaign);
    const open = await sent({ SMS_CONSENT: true }, campaign);
    const late = await sent(null, campaign);
    await env.DB.prepare('UPDATE messages SET created_at = created_at - 86400000 * 3 WHERE id = ?1')
      .bind(late)
      .run();
    // Decided by the profile: not the event's word.
    await sent(null, campaign, { ...good, MOBILE_NUMBER: '+14155550197' });

    const page = await report(`campaign=${campaign.id}&days=3`);
    const counts = { confirmed: 1, contradicted: 3, unconfirmed: 1, open: 1 };
    expect(page).toMatchObject({
      days: 3,
      totals: counts,
      by_campaign: { [campaign.id]: counts },
      by_source: { test: counts },
      next_cursor: null,
    });
    expect(
      new Map(page.messages.map((message: { id: string; status: string }) => [message.id, message.status])),
    ).toEqual(
      new Map([
        [late, 'unconfirmed'],
        [open, 'open'],
        [elsewhere, 'contradicted'],
        [invalid, 'contradicted'],
        [denied, 'contradicted'],
        [confirmed, 'confirmed'],
      ]),
    );
    const ofDenied = page.messages.find((message: { id: string }) => message.id === denied);
    expect(ofDenied.grounds).toContainEqual({
      attribute: 'SMS_CONSENT',
      status: 'contradicted',
      text: 'Sent on a consent that the profile denies.',
    });
    expect(JSON.stringify(page)).not.toMatch(/\+1\d{10}/);

    const contradicted = await report(`campaign=${campaign.id}&days=3&status=contradicted`);
    expect(contradicted.totals).toEqual(counts);
    expect(contradicted.messages).toHaveLength(3);
    expect((await report(`campaign=${campaign.id}&source=nobody`)).messages).toEqual([]);
    expect((await report(`campaign=${campaign.id}`)).totals).toEqual({ ...counts, unconfirmed: 0, open: 2 });
  });

  it('pages meet every message once', async () => {
    const campaign = await putCampaign();
    const ids = [];
    for (let i = 0; i < 5; i++) ids.push(await sent(null, campaign));
    const seen: string[] = [];
    let cursor = '';
    for (let page = 0; page < 50; page++) {
      const body = await report(`campaign=${campaign.id}&limit=2${cursor}`);
      seen.push(...body.messages.map((message: { id: string }) => message.id));
      if (body.next_cursor === null) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(seen.sort()).toEqual(ids.sort());
  });

  it('a range holds only its own events', async () => {
    const campaign = await putCampaign();
    await sent(null, campaign);
    expect((await report(`campaign=${campaign.id}&to=2026-01-01T00:00:00Z`)).messages).toEqual([]);
  });

  it.each([
    ['status=maybe', 'status'],
    ['days=0', 'days'],
    ['limit=many', 'limit'],
    ['cursor=x', 'cursor'],
    ['from=yesterday', 'from'],
    ['from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z', 'from'],
    ['campain=welcome', 'campain'],
  ])('%s is refused by name', async (query, path) => {
    const { status, body } = await call('GET', `/v1/reports/reconciliation?${query}`);
    expect(status).toBe(422);
    expect(body.errors[0].path).toBe(path);
  });

  it('needs a key', async () => {
    expect((await call('GET', '/v1/reports/reconciliation', undefined, { authorization: '' })).status).toBe(
      401,
    );
  });
});
