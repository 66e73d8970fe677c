/** Zapier's and Make's webhooks: whatever fields somebody named there, with a secret in a header. */
import { z } from 'zod';
import { isJsonObject } from '../../platform/json.ts';
import type { Delivery, Kind, Mapping } from '../kind.ts';
import { proofOptions } from './generic-options.ts';
import { batch, idOf, jsonOrFormBody, timeOf, unreadable } from './payload.ts';
import { customerIn, dataOf, fieldsOf, recognise, TIME_NAMES, valuesNamed } from './recognised.ts';
import { verifyAsStated } from './stated-proof.ts';

export const zapier: Kind = {
  name: 'zapier',
  needsSecret: true,
  options: z.strictObject({ verify: proofOptions.optional() }),
  verify: verifyAsStated,
  map,
};

function map(delivery: Delivery): Mapping {
  const body = jsonOrFormBody(delivery);
  if (!body.ok) return body.mapping;
  return Array.isArray(body.value) ? batch(body.value, mapOne) : mapOne(body.value);
}

function mapOne(value: unknown): Mapping {
  if (!isJsonObject(value)) return unreadable('The body is not a JSON object.');
  const fields = fieldsOf(value);
  return {
    kind: 'events',
    events: [
      {
        // A bare `id` is a row's or a record's, and comes again with each change of it.
        id: idOf(...valuesNamed(fields, ['event_id', 'delivery_id'])),
        type: null,
        customerId: customerIn(fields),
        occurredAt: timeOf(...valuesNamed(fields, TIME_NAMES)),
        data: dataOf(value, recognise(fields)),
        payload: value,
      },
    ],
  };
}
