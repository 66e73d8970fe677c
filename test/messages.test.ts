import { beforeAll, describe, expect, it } from 'vitest';
import { call, goodEvent, putCampaign, storedMessage, until } from './support.ts';

let campaign: { id: string; trigger: string };
let event: Record<string, unknown>;
let id: string;

beforeAll(async () => {
  campaign = await putCampaign();
  event = goodEvent(campaign.trigger);
  id = (await call('POST', '/v1/events', event)).body.messages[0].id;
  for (let i = 0; i < 4; i++) {
    await call(
      'POST',
      '/v1/events',
      goodEvent(campaign.trigger, { data: { SMS_CONSENT: i % 2 === 0 ? false : null } }),
    );
  }
  await until(async () => (await storedMessage(id)).state === 'delivered');
});

describe('the log', () => {
  it('shows one message with its decision and its timeline', async () => {
    const { body } = await call('GET', `/v1/messages/${id}`);
    expect(body).toMatchObject({
      id,
      event_id: event.id,
      campaign: campaign.id,
      customer_id: event.customer_id,
      body: 'Hi Ada, welcome!',
      state: 'delivered',
      decision: { outcome: 'deliver', number: { from: 'event' } },
    });
    expect(body.timeline.map((step: { state: string }) => step.state)).toEqual([
      'queued',
      'sending',
      'sent',
      'delivered',
    ]);
  });

  it.each([
    ['customer', () => `customer_id=${event.customer_id}`, 1],
    ['event', () => `event_id=${event.id}`, 1],
    ['campaign', () => `campaign=${campaign.id}`, 5],
    ['campaign and state', () => `campaign=${campaign.id}&state=suppressed`, 4],
    ['a customer nobody knows', () => 'customer_id=nobody', 0],
  ])('finds by %s', async (_, query, count) => {
    expect((await call('GET', `/v1/messages?${query()}`)).body.messages).toHaveLength(count);
  });

  it('comes page by page, newest first, without gaps or repetitions', async () => {
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await call('GET', `/v1/messages?campaign=${campaign.id}&limit=2${cursor}`);
      seen.push(...body.messages.map((message: { id: string }) => message.id));
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    } while (cursor);
    expect(new Set(seen).size).toBe(5);
    expect(seen.at(-1)).toBe(id);
  });
});

describe('flowcharts', () => {
  it.each([
    ['a message', () => `/v1/messages/${id}/flowchart.svg`],
    ['a message, wide', () => `/v1/messages/${id}/flowchart.svg?layout=wide`],
    ['a policy', () => '/v1/policies/event-first/flowchart.svg'],
  ])('of %s is an SVG with a title and a description', async (_, path) => {
    const answer = await call('GET', path());
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('image/svg+xml');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(answer.body).toMatch(/^<svg[\s\S]*<title[\s\S]*<desc[\s\S]*<\/svg>\s*$/);
  });

  it('masks the numbers', async () => {
    const { MOBILE_NUMBER } = event.data as { MOBILE_NUMBER: string };
    const { body } = await call('GET', `/v1/messages/${id}/flowchart.svg`);
    expect(body).not.toContain(MOBILE_NUMBER);
    expect(body).toContain(MOBILE_NUMBER.slice(-4));
  });

  it('of what is not there is 404, in an unknown layout 422', async () => {
    expect((await call('GET', '/v1/messages/msg_0/flowchart.svg')).status).toBe(404);
    expect((await call('GET', '/v1/policies/nobody/flowchart.svg')).status).toBe(404);
    expect((await call('GET', '/v1/policies/strict/flowchart.svg?layout=round')).status).toBe(422);
  });
});
