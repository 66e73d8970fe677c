/** Webflow: `form_submission`, in the shapes of its API v2 and v1. */

import { isJsonObject } from '../../platform/json.ts';
import { withinWindow } from '../../platform/signature.ts';
import { concat } from '../../platform/standard-webhooks.ts';
import type { Delivery, Kind, KindSettings, Mapping, Verification } from '../kind.ts';
import { at, idOf, jsonBody, members, textOf, timeOf, typeOf, unreadable } from './payload.ts';
import { headerOf, isHmac, refused, VERIFIED } from './proof.ts';
import { customerIn, dataOf, fieldsOf, recognise } from './recognised.ts';

const encoder = new TextEncoder();
const TRIGGER = 'form_submission';

export const webflow: Kind = { name: 'webflow', needsSecret: true, verify, map };

/** `x-webflow-signature`: hex HMAC-SHA256 over `timestamp:body`, the timestamp in milliseconds. */
async function verify(delivery: Delivery, settings: KindSettings): Promise<Verification> {
  if (settings.secrets.length === 0) return refused('secret_not_set');
  const [signature, timestamp] = [
    headerOf(delivery, 'x-webflow-signature'),
    headerOf(delivery, 'x-webflow-timestamp'),
  ];
  if (signature === null || timestamp === null) return refused('signature_missing');
  const signed = concat(encoder.encode(`${timestamp}:`), delivery.body);
  if (!/^\d{1,15}$/.test(timestamp) || !(await isHmac(signature, settings.secrets, signed, 'SHA-256', 'hex')))
    return refused('signature_mismatch');
  return withinWindow(Number(timestamp), delivery.receivedAt, settings.toleranceMs)
    ? VERIFIED
    : refused('timestamp_out_of_range');
}

function map(delivery: Delivery): Mapping {
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  const trigger = textOf(at(body.value, 'triggerType'));
  if (trigger !== null && trigger !== TRIGGER)
    return {
      kind: 'ignored',
      note: 'Another trigger than a form.',
      hint: `Create the webhook with the trigger type ${TRIGGER}.`,
    };
  // Version 1 sends the submission bare, with its time as `d` and its id as `_id`.
  const submission = members(at(body.value, 'payload') ?? body.value);
  if (!isJsonObject(submission.data)) return unreadable('The body holds no form data.');
  const fields = fieldsOf(submission.data);
  return {
    kind: 'events',
    events: [
      {
        id: idOf(submission.id, submission._id),
        type: typeOf(trigger ?? TRIGGER),
        customerId: customerIn(fields),
        occurredAt: timeOf(submission.submittedAt, submission.d),
        data: dataOf({ ...submission.data, form_name: submission.name }, recognise(fields)),
        payload: body.value,
      },
    ],
  };
}
