/** Stripe: `customer.created`, with what the customer's metadata says explicitly. Other events by the option `events`. */
import { withinWindow } from '../../platform/signature.ts';
import { concat } from '../../platform/standard-webhooks.ts';
import type { Delivery, Kind, KindSettings, Mapping, Verification } from '../kind.ts';
import { eventsOptions, notTaken } from './events-option.ts';
import { at, idOf, jsonBody, members, textOf, timeOf, typeOf, unreadable } from './payload.ts';
import { headerOf, isHmac, refused, VERIFIED } from './proof.ts';
import { customerIn, dataOf, fieldsOf, recognise } from './recognised.ts';

const encoder = new TextEncoder();

export const stripe: Kind = {
  name: 'stripe',
  needsSecret: true,
  options: eventsOptions,
  verify,
  map,
};

/** `Stripe-Signature: t=…,v1=…,v1=…`: several while a secret is being rolled. Other schemes (`v0`) are of no worth. */
async function verify(delivery: Delivery, settings: KindSettings): Promise<Verification> {
  if (settings.secrets.length === 0) return refused('secret_not_set');
  const header = headerOf(delivery, 'stripe-signature');
  if (header === null) return refused('signature_missing');
  const parts = header.split(',').map((part) => part.trim());
  const values = (name: string): string[] =>
    parts.filter((part) => part.startsWith(`${name}=`)).map((part) => part.slice(name.length + 1));
  const [timestamp] = values('t');
  if (timestamp === undefined || !/^\d{1,12}$/.test(timestamp)) return refused('signature_mismatch');
  const signed = concat(encoder.encode(`${timestamp}.`), delivery.body);
  if (!(await isHmac(values('v1'), settings.secrets, signed, 'SHA-256', 'hex')))
    return refused('signature_mismatch');
  return withinWindow(Number(timestamp) * 1000, delivery.receivedAt, settings.toleranceMs)
    ? VERIFIED
    : refused('timestamp_out_of_range');
}

function map(delivery: Delivery, settings: KindSettings): Mapping {
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  const event = members(body.value);
  const type = textOf(event.type);
  if (type === null) return unreadable('The body is not a Stripe event: it has no type.');
  const other = notTaken(type, settings, ['customer.created']);
  if (other) return other;
  const object = members(at(event, 'data', 'object'));
  const metadata = members(object.metadata);
  const customer =
    object.object === 'customer' ? object.id : (at(object, 'customer', 'id') ?? object.customer);
  return {
    kind: 'events',
    events: [
      {
        id: idOf(event.id),
        type: typeOf(type),
        customerId: idOf(customer) ?? customerIn(fieldsOf(metadata)),
        occurredAt: timeOf(event.created),
        data: dataOf({ ...object, livemode: event.livemode }, recognise(fieldsOf(metadata)), {
          MOBILE_NUMBER: textOf(object.phone) ?? textOf(at(object, 'customer_details', 'phone')),
        }),
        payload: event,
      },
    ],
  };
}
