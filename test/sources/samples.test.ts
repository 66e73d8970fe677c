/** The tools' own samples, posted as they were signed: from the raw bytes to the decision, through the front door. */
import { SELF } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { sample } from './kinds/deliveries.ts';
import vectors from './samples/signatures.json';
import { deliveries, NOTHING, post, setUp, stored } from './support.ts';

const vectorOf = (source: string) => {
  const vector = vectors.vectors.find((other) => other.source === source);
  if (!vector) throw new Error(`no vector of ${source}`);
  return vector;
};

describe.each([
  ['Typeform', 'typeform', sample('typeform.form_response'), 'typeform-signature', {}],
  [
    'Shopify',
    'shopify',
    sample('shopify.customers_create'),
    'x-shopify-hmac-sha256',
    { 'x-shopify-topic': 'customers/create' },
  ],
] as const)('%s', (name, kind, body, header, more) => {
  const { secret, signature } = vectorOf(name);
  const headers = { 'content-type': 'application/json', ...more };

  it('becomes an event and a decision', async () => {
    const source = await setUp({ kind, secrets: [secret] });
    const answer = await post(source.id, body, { ...headers, [header]: signature });
    expect(answer.status).toBe(200);
    expect(answer.body.results[0].messages).toEqual([expect.objectContaining({ campaign: source.campaign })]);
    expect(await stored(source.id)).toMatchObject({ events: 1, messages: 1 });
  });

  it('becomes nothing with a changed byte, without its signature, or at another source', async () => {
    const source = await setUp({ kind, secrets: [secret] });
    const other = await setUp({ kind, secrets: ['another secret'] });
    const statuses = [
      (await post(source.id, `${body} `, { ...headers, [header]: signature })).status,
      (await post(source.id, body, headers)).status,
      (await post(other.id, body, { ...headers, [header]: signature })).status,
    ];
    expect(statuses).toEqual([401, 401, 401]);
    expect([await stored(source.id), await stored(other.id)]).toEqual([NOTHING, NOTHING]);
  });
});

describe('Stripe', () => {
  it('signed long ago is refused as stale', async () => {
    const { secret, signature } = vectorOf('Stripe');
    const source = await setUp({ kind: 'stripe', secrets: [secret] });
    const answer = await post(source.id, sample('stripe.customer_created'), {
      'stripe-signature': signature,
    });
    expect([answer.status, answer.body.reason]).toEqual([401, 'timestamp_out_of_range']);
    expect(await stored(source.id)).toEqual(NOTHING);
    expect((await deliveries(source.id))[0]).toMatchObject({
      stage: 'verify',
      reason: 'timestamp_out_of_range',
    });
  });
});

describe('CloudEvents', () => {
  it('are shaken hands with before the first delivery', async () => {
    const source = await setUp({ kind: 'cloudevents', secrets: ['token'] });
    const answer = await fetchOptions(source.id);
    expect([answer.status, answer.headers.get('webhook-allowed-origin')]).toEqual([
      200,
      'events.example.com',
    ]);
  });
});

async function fetchOptions(id: string): Promise<Response> {
  return await SELF.fetch(`https://optitext.test/in/${id}`, {
    method: 'OPTIONS',
    headers: { 'webhook-request-origin': 'events.example.com' },
  });
}
