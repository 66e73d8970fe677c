/**
 * CloudEvents 1.0 over HTTP: binary (`ce-` headers), structured and batched, with the handshake of its web hooks. Every mode
 * becomes the same payload, the structured one, so that one mapping fits all. CloudEvents signs nothing: the secret travels
 * as a bearer token or as `options.verify` says.
 */
import { z } from 'zod';
import { isJsonObject, isPrototypeName, jsonComplaint } from '../../platform/json.ts';
import { fromBase64 } from '../../platform/signature.ts';
import type { Delivery, Kind, KindSettings, Mapping } from '../kind.ts';
import { eventsMember, notTaken } from './events-option.ts';
import { proofOptions } from './generic-options.ts';
import {
  batch,
  bodyText,
  idOf,
  jsonBody,
  type Payload,
  parsed,
  textOf,
  timeOf,
  typeOf,
  unreadable,
} from './payload.ts';
import { headerOf, VERIFIED } from './proof.ts';
import { customerIn, dataOf, fieldsOf, recognise } from './recognised.ts';
import { verifyAsStated } from './stated-proof.ts';

export const cloudevents: Kind = {
  name: 'cloudevents',
  needsSecret: true,
  options: z.strictObject({ verify: proofOptions.optional(), events: eventsMember }),
  // The handshake carries no secret, and its answer tells nothing but that this address takes events.
  verify: async (delivery, settings) =>
    isHandshake(delivery) ? VERIFIED : await verifyAsStated(delivery, settings),
  map,
};

function isHandshake(delivery: Delivery): boolean {
  return delivery.method === 'OPTIONS' && headerOf(delivery, 'webhook-request-origin') !== null;
}

function map(delivery: Delivery, settings: KindSettings): Mapping {
  if (isHandshake(delivery)) return handshake(delivery);
  const type = contentType(headerOf(delivery, 'content-type'));
  if (type === 'application/cloudevents-batch+json') {
    const body = jsonBody(delivery);
    if (!body.ok) return body.mapping;
    if (!Array.isArray(body.value)) return unreadable('The body of a batch is not a JSON array.');
    return batch(body.value, (event) => mapOne(event, settings));
  }
  if (headerOf(delivery, 'ce-specversion') !== null) {
    const event = binaryEvent(delivery, type);
    return event.ok ? mapOne(event.value, settings) : event.mapping;
  }
  if (type.startsWith('application/cloudevents') && type !== 'application/cloudevents+json')
    return unreadable(
      'The event is in another format than JSON.',
      'Send application/cloudevents+json, application/cloudevents-batch+json or ce- headers.',
    );
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  // Some senders of batches and of structured events say application/json.
  return Array.isArray(body.value)
    ? batch(body.value, (event) => mapOne(event, settings))
    : mapOne(body.value, settings);
}

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#42-validation-response */
function handshake(delivery: Delivery): Mapping {
  const origin = headerOf(delivery, 'webhook-request-origin') ?? '';
  return {
    kind: 'handshake',
    note: 'The sender asked whether it may deliver here.',
    status: 200,
    headers: {
      'webhook-allowed-origin': /^[\x21-\x7e]{1,255}$/.test(origin) ? origin : '*',
      'webhook-allowed-rate': '*',
      allow: 'POST, OPTIONS',
    },
  };
}

/** The media type without its parameters, in lower case. */
function contentType(header: string | null): string {
  return header?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function binaryEvent(delivery: Delivery, type: string): Payload {
  const attributes = [...delivery.headers]
    .filter(([name]) => /^ce-[a-z0-9]{1,100}$/.test(name))
    .map(([name, value]) => [name.slice('ce-'.length), percentDecoded(value.trim())] as const)
    .filter(([name]) => !isPrototypeName(name));
  const event = { ...Object.fromEntries(attributes), ...(type !== '' && { datacontenttype: type }) };
  if (delivery.body.length === 0) return { ok: true, value: event };
  if (type === '' || isJsonType(type)) {
    const body = jsonBody(delivery);
    return body.ok ? { ok: true, value: { ...event, data: body.value } } : body;
  }
  const text = bodyText(delivery.body)?.toWellFormed().replaceAll('\u0000', '');
  return { ok: true, value: { ...event, ...(text !== undefined && { data: text }) } };
}

function isJsonType(type: string): boolean {
  return type.endsWith('/json') || type.endsWith('+json');
}

/** Headers hold characters outside ASCII, spaces, quotes and percent signs percent-encoded; what is not stays as it is. */
function percentDecoded(value: string): string {
  try {
    return decodeURIComponent(value).replaceAll('\u0000', '');
  } catch {
    return value;
  }
}

function mapOne(event: unknown, settings: KindSettings): Mapping {
  if (!isJsonObject(event)) return unreadable('It is not a CloudEvent: not a JSON object.');
  if (event.specversion !== '1.0')
    return unreadable('It is not a CloudEvent of version 1.0: specversion must be "1.0".');
  const [id, source, type] = [textOf(event.id), textOf(event.source), textOf(event.type)];
  if (id === null || source === null || type === null)
    return unreadable('A CloudEvent must have an id, a source and a type.');
  const other = notTaken(type, settings, null);
  if (other) return other;

  const content = contentOf(event);
  const data = isJsonObject(content) ? content : { ...(content !== undefined && { content }) };
  const fields = fieldsOf(data);
  return {
    kind: 'events',
    events: [
      {
        // An id is unique within its source alone.
        id: idOf(`${source}#${id}`),
        type: typeOf(type),
        customerId: customerIn(fields) ?? idOf(event.subject),
        occurredAt: timeOf(event.time),
        data: dataOf(data, recognise(fields)),
        payload: event,
      },
    ],
  };
}

/** `data`, or what `data_base64` holds, read as JSON where it is declared as that. */
function contentOf(event: Readonly<Record<string, unknown>>): unknown {
  if (event.data !== undefined || typeof event.data_base64 !== 'string') return event.data;
  const bytes = fromBase64(event.data_base64);
  const type = contentType(textOf(event.datacontenttype));
  if (bytes === null || !(type === '' || isJsonType(type))) return undefined;
  const inner = parsed(bodyText(bytes) ?? '');
  return jsonComplaint(inner) === null ? inner : undefined;
}
