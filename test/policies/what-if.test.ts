import { env } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { call, goodEvent, putCampaign, unique } from '../support.ts';

let welcome: { id: string; trigger: string };
let offers: { id: string; trigger: string };
let from: string;

/** Profile says no and form says yes (3), silence about consent (2), all good (4), a name missing (1). */
beforeAll(async () => {
  from = new Date(Date.now() - 1).toISOString();
  const trigger = unique('signup');
  welcome = await putCampaign({ trigger });
  offers = await putCampaign({ trigger, policy: 'event-first' });
  const customer_id = unique('c');
  await call('PUT', `/v1/profiles/${customer_id}`, { SMS_CONSENT: false });
  const events = [
    ...Array.from({ length: 3 }, () => goodEvent(trigger, { customer_id })),
    ...Array.from({ length: 2 }, () => goodEvent(trigger, { data: { SMS_CONSENT: null } })),
    ...Array.from({ length: 4 }, () => goodEvent(trigger)),
    goodEvent(trigger, { data: { first_name: '' } }),
  ];
  for (const event of events) expect((await call('POST', '/v1/events', event)).status).toBe(202);
});

const ask = async (name: string, body: Record<string, unknown>) =>
  (await call('POST', `/v1/policies/${name}/what-if`, { from, ...body })).body;

describe('what if', () => {
  it('nothing changed: a decision and its replay agree', async () => {
    const strict = await ask('strict', { campaign: welcome.id });
    expect(strict).toMatchObject({
      policy: 'strict',
      events: 10,
      messages: 10,
      totals: { newly_sent: 0, newly_suppressed: 0, other_reason: 0, unchanged: 10 },
      by_reason: {
        consent_denied: { before: 3, after: 3 },
        consent_missing: { before: 2, after: 2 },
        sent: { before: 5, after: 5 },
      },
      samples: { newly_sent: [], newly_suppressed: [], other_reason: [] },
      next_cursor: null,
    });
    expect((await ask('event-first', { campaign: offers.id })).totals).toMatchObject({ unchanged: 10 });
  });

  it('the form were believed: by reason and campaign, with samples', async () => {
    const page = await ask('strict', { draft: { consent_conflict: 'event' }, samples: 2 });
    expect(page).toMatchObject({
      draft: true,
      events: 10,
      messages: 20,
      totals: { newly_sent: 3, newly_suppressed: 0, unchanged: 17 },
      by_campaign: { [welcome.id]: { newly_sent: 3 }, [offers.id]: { newly_sent: 0 } },
      by_reason: { consent_denied: { before: 3, after: 0 } },
    });
    expect(page.samples.newly_sent).toHaveLength(2);
    expect(page.samples.newly_sent[0]).toEqual({
      event_id: expect.any(String),
      message_id: expect.stringMatching(/^msg_/),
      campaign: welcome.id,
      before: { outcome: 'suppress', reason: 'consent_denied' },
      after: { outcome: 'deliver', reason: null },
    });
  });

  it('the strict policy were used everywhere: what would newly be suppressed', async () => {
    const page = await ask('strict', { decided_under: 'event-first' });
    expect(page).toMatchObject({ messages: 10, totals: { newly_suppressed: 3, unchanged: 7 } });
  });

  it('goes on page by page to the same totals', async () => {
    let cursor: string | undefined;
    let pages = 0;
    const sum = { events: 0, newly_sent: 0, unchanged: 0 };
    do {
      const page = await ask('strict', {
        draft: { consent_conflict: 'event' },
        limit: 3,
        ...(cursor && { cursor }),
      });
      pages++;
      sum.events += page.events;
      sum.newly_sent += page.totals.newly_sent;
      sum.unchanged += page.totals.unchanged;
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
    expect(pages).toBe(4);
    expect(sum).toEqual({ events: 10, newly_sent: 3, unchanged: 17 });
  });

  it('looks at the inputs as they were, whatever was said later', async () => {
    const number = '+14155559876';
    const { trigger, id } = await putCampaign();
    await call('POST', '/v1/events', goodEvent(trigger, { data: { MOBILE_NUMBER: number } }));
    await call('PUT', `/v1/suppressions/${number}`, {});
    expect((await ask('strict', { campaign: id })).totals).toMatchObject({ unchanged: 1 });
    await call('POST', '/v1/events', goodEvent(trigger, { data: { MOBILE_NUMBER: number } }));
    await call('DELETE', `/v1/suppressions/${number}`);
    expect((await ask('strict', { campaign: id })).by_reason).toEqual({
      sent: { before: 1, after: 1 },
      opted_out: { before: 1, after: 1 },
    });
  });

  it('takes no body for “everything, under the policy of this name”', async () => {
    expect((await call('POST', '/v1/policies/strict/what-if')).body.events).toBeGreaterThanOrEqual(10);
    expect((await call('POST', '/v1/sync/runs')).status).toBe(200);
  });

  it('sends and changes nothing', async () => {
    const count = async () =>
      await env.DB.prepare(
        'SELECT (SELECT count(*) FROM messages) AS m, (SELECT count(*) FROM message_transitions) AS t, (SELECT count(*) FROM events) AS e',
      ).first();
    const before = await count();
    await ask('strict', { draft: { consent_absent: 'send', validity_absent: 'send' } });
    expect((await count())?.m).toBe(before?.m);
    expect((await count())?.e).toBe(before?.e);
  });

  it.each<[string, string, Record<string, unknown>, number]>([
    ['a policy that does not exist', 'nobody', {}, 404],
    ['a draft that is wrong', 'strict', { draft: { consent_conflict: 'maybe' } }, 422],
    ['a range that is none', 'strict', { to: '2000-01-01T00:00:00Z' }, 422],
    ['a cursor of somebody else', 'strict', { cursor: 'abc' }, 422],
    ['a page that is too large', 'strict', { limit: 50_001 }, 422],
  ])('refuses %s', async (_, name, body, status) => {
    expect((await call('POST', `/v1/policies/${name}/what-if`, { from, ...body })).status).toBe(status);
  });
});
