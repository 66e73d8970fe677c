/**
 * `form`: a page's own form, sent by the browser. Nothing signs it: the page's key and origin were checked before, and the
 * fields were read into one JSON object. Who the customer is does not come from a stranger's browser, unless the source's
 * mapping says so.
 */
import { z } from 'zod';
import { isJsonObject } from '../../platform/json.ts';
import type { Delivery, Kind, Mapping } from '../kind.ts';
import { idOf, jsonBody, unreadable } from './payload.ts';
import { VERIFIED } from './proof.ts';

export const formOptions = z.strictObject({
  /** A field that people do not see: who fills it is a program. */
  honeypot: z.string().min(1).max(100).default('website'),
});

export const form: Kind = {
  name: 'form',
  needsSecret: false,
  options: formOptions,
  verify: async () => VERIFIED,
  map,
  goodStatus: 202,
};

function map(delivery: Delivery): Mapping {
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  if (!isJsonObject(body.value)) return unreadable('The body is no form: it has no named fields.');
  const { _id, ...fields } = body.value;
  return {
    kind: 'events',
    events: [
      {
        id: idOf(_id),
        type: 'form.submitted',
        customerId: null,
        occurredAt: null,
        data: fields,
        payload: body.value,
      },
    ],
  };
}
