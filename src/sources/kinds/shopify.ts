/**
 * Shopify: `customers/create`. Its `sms_marketing_consent` is consent with provenance; the number is the customer's own
 * `phone`, never an address's.
 */
import type { Flag } from '../../domain/attributes.ts';
import { isJsonObject } from '../../platform/json.ts';
import type { Delivery, Kind, KindSettings, Mapping } from '../kind.ts';
import { eventsOptions, notTaken } from './events-option.ts';
import { at, idOf, jsonBody, textOf, timeOf, typeOf, unreadable } from './payload.ts';
import { headerOf, verifyBodyHmac } from './proof.ts';
import { dataOf } from './recognised.ts';

const TOPIC = 'customers/create';

/**
 * Shopify's states. All but `subscribed` are a no: `not_subscribed` is what Shopify keeps where the box was shown and left
 * alone, `pending` awaits the confirmation of a double opt-in. As “missing” a policy that sends where consent is absent
 * would text people whom the shop itself may not text.
 */
const CONSENT: Readonly<Record<string, Flag>> = {
  subscribed: true,
  unsubscribed: false,
  not_subscribed: false,
  pending: false,
  redacted: false,
};

export const shopify: Kind = {
  name: 'shopify',
  needsSecret: true,
  options: eventsOptions,
  verify: (delivery, settings) =>
    verifyBodyHmac(delivery, settings, {
      header: 'x-shopify-hmac-sha256',
      hash: 'SHA-256',
      encoding: 'base64',
    }),
  map,
};

function map(delivery: Delivery, settings: KindSettings): Mapping {
  const topic = headerOf(delivery, 'x-shopify-topic') ?? TOPIC;
  const other = notTaken(topic, settings, [TOPIC]);
  if (other) return other;
  if (headerOf(delivery, 'x-shopify-test') === 'true')
    return { kind: 'handshake', note: 'Shopify’s test notification: its customer does not exist.' };
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  const customer = body.value;
  if (!isJsonObject(customer)) return unreadable('The body is not a Shopify customer.');

  const consent = at(customer, 'sms_marketing_consent');
  const state = textOf(at(consent, 'state'))?.toLowerCase() ?? '';
  return {
    kind: 'events',
    events: [
      {
        id: deliveryId(topic, customer),
        type: typeOf(topic),
        customerId: idOf(customer.id, customer.customer_id),
        occurredAt: timeOf(
          topic === TOPIC ? customer.created_at : customer.updated_at,
          headerOf(delivery, 'x-shopify-triggered-at'),
        ),
        data: dataOf(customer, {
          MOBILE_NUMBER: textOf(customer.phone),
          SMS_CONSENT: Object.hasOwn(CONSENT, state) ? CONSENT[state] : null,
        }),
        ...(isJsonObject(consent) && {
          evidence: {
            from: 'shopify sms_marketing_consent',
            state: consent.state,
            opt_in_level: consent.opt_in_level,
            consent_updated_at: consent.consent_updated_at,
            consent_collected_from: consent.consent_collected_from,
          },
        }),
        payload: customer,
      },
    ],
  };
}

/**
 * From the body alone: its signature does not cover the header `X-Shopify-Webhook-Id`, under which a captured body could be sent
 * again as another event. A customer is created once, and each update has a time of its own.
 */
function deliveryId(topic: string, customer: Readonly<Record<string, unknown>>): string | null {
  const id = idOf(customer.id, customer.customer_id);
  if (id === null) return null;
  return topic === TOPIC ? `${topic}:${id}` : `${topic}:${id}:${textOf(customer.updated_at) ?? ''}`;
}
