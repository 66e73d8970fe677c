/**
 * `generic`: any tool. How it proves itself and where its delivery's id stands are options; what its body means is the
 * source's own mapping. Only the reserved names count without one.
 */
import { z } from 'zod';
import { isJsonObject } from '../../platform/json.ts';
import type { Delivery, Kind, KindSettings, MappedEvent, Mapping } from '../kind.ts';
import { proofOptions } from './generic-options.ts';
import { batch, idOf, jsonOrFormBody, unreadable } from './payload.ts';
import { headerOf } from './proof.ts';
import { verifyAsStated } from './stated-proof.ts';

export const genericOptions = z.strictObject({
  verify: proofOptions.optional(),
  /** The header with the id of the delivery: a repetition under the same id is answered, not sent again. */
  id_header: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,100}$/, 'must be the name of a header: letters, digits and "-"')
    .optional(),
});

export const generic: Kind = {
  name: 'generic',
  needsSecret: true,
  options: genericOptions,
  verify: verifyAsStated,
  map,
};

function map(delivery: Delivery, settings: KindSettings): Mapping {
  const body = jsonOrFormBody(delivery);
  if (!body.ok) return body.mapping;
  const header = genericOptions.safeParse(settings.options).data?.id_header;
  const id = header === undefined ? null : idOf(headerOf(delivery, header));
  if (!Array.isArray(body.value)) return eventOf(body.value, id);
  // One id for a whole list tells its events apart by their place.
  return batch(body.value, (value, index) => eventOf(value, id === null ? null : idOf(`${id}:${index}`)));
}

function eventOf(value: unknown, id: string | null): Mapping {
  if (!isJsonObject(value)) return unreadable('The body is not a JSON object.');
  const event: MappedEvent = {
    id,
    type: null,
    customerId: null,
    occurredAt: null,
    data: value,
    payload: value,
  };
  return { kind: 'events', events: [event] };
}
