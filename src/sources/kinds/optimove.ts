/**
 * Optimove's real-time events: `tenant, event, customer, timestamp, context`. Its documentation names no signature, so the
 * secret travels in a header.
 */
import { z } from 'zod';
import { type Flag, readFlag } from '../../domain/attributes.ts';
import { isJsonObject } from '../../platform/json.ts';
import type { Delivery, Kind, KindSettings, Mapping } from '../kind.ts';
import { eventsMember, notTaken } from './events-option.ts';
import { proofOptions } from './generic-options.ts';
import { batch, idOf, jsonBody, members, textOf, timeOf, typeOf, unreadable } from './payload.ts';
import { dataOf, fieldsOf, recognise } from './recognised.ts';
import { verifyAsStated } from './stated-proof.ts';

export const optimove: Kind = {
  name: 'optimove',
  needsSecret: true,
  options: z.strictObject({ verify: proofOptions.optional(), events: eventsMember }),
  verify: verifyAsStated,
  map,
};

function map(delivery: Delivery, settings: KindSettings): Mapping {
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  return Array.isArray(body.value)
    ? batch(body.value, (event) => mapOne(event, settings))
    : mapOne(body.value, settings);
}

function mapOne(event: unknown, settings: KindSettings): Mapping {
  if (!isJsonObject(event)) return unreadable('It is not a JSON object.');
  const word = textOf(event.event);
  if (word === null) return unreadable('It is not an Optimove event: its member event is missing.');
  const other = notTaken(word, settings, null);
  if (other) return other;
  const context = members(event.context);
  return {
    kind: 'events',
    events: [
      {
        // Optimove gives its events no id of their own.
        id: idOf(event.event_id, event.id),
        type: typeOf(word),
        customerId: idOf(event.customer),
        occurredAt: timeOf(event.timestamp),
        data: dataOf(
          { ...context, tenant: event.tenant },
          {
            MOBILE_NUMBER: textOf(context.ootb_mobile_number),
            SMS_CONSENT: flagOf(context.ootb_allow_sms),
            SMS_VALID: flagOf(context.ootb_is_mobile_verified),
          },
          recognise(fieldsOf(context)),
        ),
        payload: event,
      },
    ],
  };
}

/** What is neither a yes nor a no says nothing. */
function flagOf(value: unknown): Flag {
  return readFlag(value) ?? null;
}
