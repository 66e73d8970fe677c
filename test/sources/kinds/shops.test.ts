import { describe, expect, it } from 'vitest';
import { delivery, kindOf, mapOne, sample, settings } from './deliveries.ts';

const HEADERS = {
  'x-shopify-topic': 'customers/create',
  'x-shopify-webhook-id': 'b54557e4-bdd9-4b37-8a5f-bf7d70bcd043',
  'x-shopify-triggered-at': '2024-04-02T14:24:10.000Z',
};
const customer = JSON.parse(sample('shopify.customers_create'));
const consented = (sms_marketing_consent: unknown) => ({ ...customer, sms_marketing_consent });

describe('Shopify', () => {
  it('maps the documented sample', () => {
    expect(mapOne('shopify', sample('shopify.customers_create'), HEADERS)).toMatchObject({
      id: 'customers/create:1073339482',
      type: 'customers/create',
      customerId: '1073339482',
      occurredAt: '2024-04-02T14:24:09.000Z',
      data: { MOBILE_NUMBER: '+15142546011', SMS_CONSENT: false, first_name: 'Steve' },
      evidence: {
        state: 'not_subscribed',
        opt_in_level: 'single_opt_in',
        consent_updated_at: null,
        consent_collected_from: 'OTHER',
      },
    });
  });

  it.each([
    ['subscribed', true],
    ['SUBSCRIBED', true],
    ['unsubscribed', false],
    ['not_subscribed', false],
    ['pending', false],
    ['redacted', false],
    ['something_new', undefined],
    ['constructor', undefined],
    [null, undefined],
    [{}, undefined],
  ])('reads the state %j as consent %j', (state, consent) => {
    const body = consented({
      state,
      opt_in_level: 'confirmed_opt_in',
      consent_updated_at: '2024-04-02T09:00:00-05:00',
    });
    const event = mapOne('shopify', body, HEADERS);
    expect(event.data.SMS_CONSENT).toBe(consent);
    expect(event.evidence).toMatchObject({ state, consent_updated_at: '2024-04-02T09:00:00-05:00' });
  });

  it.each([null, undefined, 'subscribed', []])('infers no consent from %j or from a number', (consent) => {
    const event = mapOne('shopify', consented(consent), HEADERS);
    expect(event.data).not.toHaveProperty('SMS_CONSENT');
    expect(event.data.MOBILE_NUMBER).toBe('+15142546011');
    expect(event.evidence).toBeUndefined();
  });

  it('takes no address’s phone for the customer’s', () => {
    const event = mapOne('shopify', { ...customer, phone: null }, HEADERS);
    expect(event.data).not.toHaveProperty('MOBILE_NUMBER');
  });

  it('answers its test notification, whose ids no double holds', () => {
    const body = '{"id":706405506930370084,"phone":"+16135551111"}';
    const test = delivery(body, { ...HEADERS, 'x-shopify-test': 'true' });
    expect(kindOf('shopify').map(test, settings())).toMatchObject({ kind: 'handshake' });
    expect(mapOne('shopify', body, HEADERS).customerId).toBe('706405506930370084');
  });

  it('ignores other topics unless the source takes them', () => {
    const headers = { ...HEADERS, 'x-shopify-topic': 'customers/update' };
    expect(kindOf('shopify').map(delivery('{}', headers), settings())).toMatchObject({
      kind: 'ignored',
      hint: expect.stringContaining('options.events'),
    });
    const event = mapOne('shopify', customer, headers, { events: ['customers/update'] });
    expect(event).toMatchObject({ type: 'customers/update', occurredAt: '2024-04-02T14:24:09.000Z' });
  });
});

describe('Stripe', () => {
  it('maps the documented sample: a phone is no consent', () => {
    const event = mapOne('stripe', sample('stripe.customer_created'));
    expect(event).toMatchObject({
      id: 'evt_1NG8Du2eZvKYlo2CUI79vXWy',
      type: 'customer.created',
      customerId: 'cus_QXg1o8vcGmoR32',
      occurredAt: '2023-06-06T22:19:30.000Z',
      data: { MOBILE_NUMBER: '+12025550123', livemode: false },
    });
    expect(event.data).not.toHaveProperty('SMS_CONSENT');
  });

  it.each([
    [{ sms_consent: 'true' }, true],
    [{ sms_consent: 'no' }, false],
    [{ sms_consent: 'perhaps' }, undefined],
    [{ sms_opt_in: 'yes', sms_consent: 'no' }, false],
    [null, undefined],
    [[], undefined],
  ])('reads consent from metadata %j as %j', (metadata, consent) => {
    const event = mapOne('stripe', {
      type: 'customer.created',
      data: { object: { object: 'customer', metadata } },
    });
    expect(event.data.SMS_CONSENT).toBe(consent);
  });

  it('takes other events where the source names them, and finds their customer', () => {
    const body = {
      id: 'evt_1',
      type: 'checkout.session.completed',
      created: 1700000000,
      data: {
        object: {
          object: 'checkout.session',
          id: 'cs_1',
          customer: 'cus_1',
          customer_details: { phone: '+12025550123' },
        },
      },
    };
    expect(kindOf('stripe').map(delivery(JSON.stringify(body)), settings())).toMatchObject({
      kind: 'ignored',
    });
    const options = { events: ['checkout.session.completed'] };
    expect(mapOne('stripe', body, {}, options)).toMatchObject({
      customerId: 'cus_1',
      data: { MOBILE_NUMBER: '+12025550123' },
    });
    const expanded = { ...body, data: { object: { ...body.data.object, customer: { id: 'cus_2' } } } };
    expect(mapOne('stripe', expanded, {}, options).customerId).toBe('cus_2');
  });
});
