/**
 * Whatever is posted to a source, its kind has an answer: verify and map never throw, and what they make of it is fit for the
 * event parser. FUZZ_CASES and FUZZ_SEED change how many and which; `npm run fuzz:sources` makes a million.
 */
import { env } from 'cloudflare:test';
import { describe, expect, it, vi } from 'vitest';
import { readAttributes } from '../../src/domain/attributes.ts';
import { eventType, externalId, timestamp } from '../../src/platform/fields.ts';
import { isJsonObject, jsonComplaint } from '../../src/platform/json.ts';
import type { Delivery, Kind, KindSettings, Mapping } from '../../src/sources/kind.ts';
import { KINDS } from '../../src/sources/kinds/index.ts';
import { delivery, NOW, sample, settings } from './kinds/deliveries.ts';
import { damage, mutate, type Random, random } from './random.ts';

const CASES = Number(env.FUZZ_CASES);
const SEED = Number(env.FUZZ_SEED);
vi.setConfig({ testTimeout: 60_000 + CASES * 5 });

const BODIES: readonly unknown[] = [
  ...[
    'typeform.form_response',
    'shopify.customers_create',
    'stripe.customer_created',
    'segment.track',
    'segment.identify',
    'hubspot.contact_creation',
    'cloudevents.structured',
    'cloudevents.batch',
    'zapier.webhooks_post',
  ].map((name): unknown => JSON.parse(sample(name))),
  {
    eventId: 'e1',
    eventType: 'FORM_RESPONSE',
    createdAt: '2026-06-28T15:00:21.889Z',
    data: {
      responseId: 'r1',
      respondentId: 'p1',
      fields: [
        { key: 'q1', label: 'Phone', type: 'INPUT_PHONE_NUMBER', value: '+12025550123' },
        {
          key: 'q2',
          label: 'SMS consent',
          type: 'CHECKBOXES',
          value: ['o'],
          options: [{ id: 'o', text: 'Yes' }],
        },
        { key: 'h1', label: 'customer_id', type: 'HIDDEN_FIELDS', value: 'c1' },
      ],
    },
  },
  {
    triggerType: 'form_submission',
    payload: {
      id: 'w1',
      name: 'Form',
      submittedAt: '2026-06-28T15:00:21.889Z',
      data: { Phone: 15550000000, 'SMS consent': 'on' },
    },
  },
  {
    tenant: 't',
    event: 'ootb_registration',
    customer: 'c1',
    timestamp: 1_700_000_000,
    context: { ootb_mobile_number: '+12025550123', ootb_allow_sms: 'Yes', ootb_is_mobile_verified: 'No' },
  },
  {
    type: 'contact.created',
    timestamp: '2022-11-03T20:26:10.344522Z',
    data: { user_id: 'u', smsConsent: true },
  },
  { vid: 1, properties: { mobilephone: { value: '+12025550123' }, sms_consent: { value: 'true' } } },
];

const HEADERS: readonly string[] = [
  'authorization',
  'ce-specversion',
  'ce-type',
  'ce-id',
  'ce-source',
  'ce-time',
  'ce-subject',
  'stripe-signature',
  'tally-signature',
  'typeform-signature',
  'webhook-id',
  'webhook-request-origin',
  'webhook-signature',
  'webhook-timestamp',
  'x-api-key',
  'x-hubspot-request-timestamp',
  'x-hubspot-signature',
  'x-hubspot-signature-v3',
  'x-hubspot-signature-version',
  'x-shopify-hmac-sha256',
  'x-shopify-test',
  'x-shopify-topic',
  'x-shopify-webhook-id',
  'x-sign',
  'x-signature',
  'x-webflow-signature',
  'x-webflow-timestamp',
];

const VALUES: readonly string[] = [
  '',
  '1.0',
  '1700000000',
  '1700000000000',
  '99999999999999999999',
  '%',
  '%E0%A4%A',
  '%00',
  'customers/create',
  'true',
  'v1',
  'v2',
  'v3',
  'sha256=',
  'sha256=AAAA',
  't=1700000000,v1=00',
  `${'v1,AAAA '.repeat(40)}v1a,AAAA`,
  ',=,=,t=,v1',
  'Bearer token',
  'Bearer ',
  'Basic dG9rZW4=',
  'Basic OnRva2Vu',
  'Basic %%%',
  'x'.repeat(2000),
];

const TYPES: readonly string[] = [
  'application/json',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
  'application/cloudevents+xml',
  'application/x-www-form-urlencoded',
  'text/plain',
  ';;;',
  '',
];

const OPTIONS: readonly Record<string, unknown>[] = [
  {},
  { events: ['identify'] },
  { events: 7 },
  { verify: { scheme: 'bearer' } },
  { verify: { scheme: 'nothing' } },
  {
    verify: {
      scheme: 'hmac',
      header: 'x-sign',
      encoding: 'base64',
      timestamp_header: 'webhook-timestamp',
      signed: '{timestamp}{body}',
    },
  },
  { id_header: 'webhook-id' },
];

const SECRETS = [[], ['token'], ['whsec_dG9rZW4=', 'token'], ['whpk_AAAA', '']];

function caseOf(rng: Random): { kind: Kind; given: Delivery; set: KindSettings } {
  const body = rng.chance(20) ? rng.pick(BODIES) : mutate(mutate(rng.pick(BODIES), rng), rng);
  const clean = new TextEncoder().encode(JSON.stringify(body) ?? '');
  const headers = Array.from({ length: rng.below(8) }, () => [rng.pick(HEADERS), rng.pick(VALUES)] as const);
  return {
    kind: rng.pick([...KINDS.values()]),
    given: delivery(
      rng.chance(3) ? damage(clean, rng) : clean,
      { 'content-type': rng.pick(TYPES), ...Object.fromEntries(headers) },
      { method: rng.chance(20) ? 'OPTIONS' : 'POST', receivedAt: NOW },
    ),
    set: settings(rng.pick(SECRETS), rng.pick(OPTIONS)),
  };
}

/** What is wrong with a mapping, or `null`. */
function complaint(mapping: Mapping): string | null {
  if (mapping.kind === 'handshake' || mapping.kind === 'ignored')
    return mapping.note === '' ? 'no note' : null;
  if (mapping.kind === 'unreadable') return mapping.detail === '' ? 'no detail' : null;
  if (mapping.events.length === 0) return 'events without an event';
  for (const { id, type, customerId, occurredAt, data } of mapping.events) {
    if (id !== null && !externalId.safeParse(id).success) return 'an id that is none';
    if (customerId !== null && !externalId.safeParse(customerId).success) return 'a customer that is none';
    if (type !== null && !eventType.safeParse(type).success) return 'a type that is none';
    if (occurredAt !== null && !timestamp.safeParse(occurredAt).success) return 'a time that is none';
    if (!isJsonObject(data) || jsonComplaint(data) !== null) return 'data that is not fit';
    readAttributes(data, 'data');
    if (data.SMS_CONSENT === true && !/consent|opt|sms/i.test(JSON.stringify(mapping)))
      return 'consent from nothing';
  }
  return null;
}

describe('whatever is posted to a source', () => {
  it('has an answer, and never an exception', async () => {
    const seen = new Map<string, number>();
    for (let index = 0; index < CASES; index++) {
      const { kind, given, set } = caseOf(random(SEED + index));
      try {
        const verification = await kind.verify(given, set);
        const mapping = kind.map(given, set);
        const wrong = typeof verification.ok === 'boolean' ? complaint(mapping) : 'no verdict';
        if (wrong !== null) throw new Error(wrong);
        const outcome = `${kind.name} ${mapping.kind}`;
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      } catch (error) {
        throw new Error(`${kind.name}, FUZZ_SEED=${SEED + index} FUZZ_CASES=1: ${error}`, { cause: error });
      }
    }
    // A fuzz that reaches nothing but refusals would prove little.
    if (CASES < 5000) return;
    for (const name of KINDS.keys()) {
      expect([name, seen.get(`${name} events`) ?? 0]).not.toEqual([name, 0]);
      expect([name, seen.get(`${name} unreadable`) ?? 0]).not.toEqual([name, 0]);
    }
  });
});

describe.each([...KINDS.values()])('$name', (kind) => {
  const wide = 1_000_000;
  it.each([
    ['nothing', ''],
    ['a megabyte of brackets', '['.repeat(wide)],
    ['a megabyte of members', '{"a":'.repeat(wide / 5)],
    ['a megabyte of digits', '1'.repeat(wide)],
    ['a megabyte of white space', ' '.repeat(wide)],
    ['a megabyte of text', `{"event_type":"${'aA '.repeat(wide / 4)}"}`],
    ['a megabyte of names', `{"type":"track","event":"x","data":{"${'aA-'.repeat(wide / 4)}":1}}`],
    ['a megabyte of events', `[${'{"type":"x"},'.repeat(wide / 20)}{}]`],
    ['zeros', new Uint8Array(1000)],
    ['no UTF-8', new Uint8Array(1000).fill(0xff)],
  ])('takes %s for what it is', async (_, body) => {
    const headers = { 'x-signature': 'f00d', 'ce-specversion': '1.0', authorization: 'Bearer token' };
    const given = delivery(body, headers);
    expect(typeof (await kind.verify(given, settings(['token']))).ok).toBe('boolean');
    expect(complaint(kind.map(given, settings()))).toBeNull();
  });
});
