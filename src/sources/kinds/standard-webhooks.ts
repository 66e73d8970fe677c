/** Standard Webhooks, as Svix and many others send: signatures `v1` and `v1a`, also under `svix-` headers. */
import { isJsonObject } from '../../platform/json.ts';
import { verifyStandardWebhook } from '../../platform/standard-webhooks.ts';
import type { Delivery, Kind, KindSettings, Mapping, Verification } from '../kind.ts';
import { eventsOptions, notTaken } from './events-option.ts';
import { idOf, jsonBody, members, textOf, timeOf, typeOf, unreadable } from './payload.ts';
import { headerOf, refused, VERIFIED } from './proof.ts';
import { customerIn, dataOf, fieldsOf, recognise } from './recognised.ts';

export const standardWebhooks: Kind = {
  name: 'standard-webhooks',
  needsSecret: true,
  options: eventsOptions,
  verify,
  map,
};

async function verify(delivery: Delivery, settings: KindSettings): Promise<Verification> {
  if (settings.secrets.length === 0) return refused('secret_not_set');
  const { secrets, toleranceMs } = settings;
  const result = await verifyStandardWebhook(delivery, secrets, delivery.receivedAt, toleranceMs);
  return result === 'valid' ? VERIFIED : refused(result);
}

function map(delivery: Delivery, settings: KindSettings): Mapping {
  const header = (name: string): string | null =>
    headerOf(delivery, `webhook-${name}`) ?? headerOf(delivery, `svix-${name}`);
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  if (!isJsonObject(body.value)) return unreadable('The body is not a JSON object.');
  const word = textOf(body.value.type);
  const other = word === null ? null : notTaken(word, settings, null);
  if (other) return other;
  const data = isJsonObject(body.value.data) ? body.value.data : body.value;
  const fields = fieldsOf(data);
  return {
    kind: 'events',
    events: [
      {
        id: idOf(header('id')),
        type: typeOf(word),
        customerId: customerIn([...fields, ...fieldsOf(members(body.value))]),
        occurredAt: timeOf(body.value.timestamp, header('timestamp')),
        data: dataOf(data, recognise(fields)),
        payload: body.value,
      },
    ],
  };
}
