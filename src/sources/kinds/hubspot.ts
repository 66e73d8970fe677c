/** HubSpot: webhooks of workflows, which bring the contact. Subscriptions of apps bring ids only, which text nobody. */
import { isJsonObject } from '../../platform/json.ts';
import type { Delivery, Kind, Mapping } from '../kind.ts';
import { verifyHubspot } from './hubspot-signature.ts';
import { at, batch, idOf, jsonBody, members, timeOf, typeOf, unreadable } from './payload.ts';
import { customerIn, dataOf, fieldsOf, recognise } from './recognised.ts';

export const hubspot: Kind = { name: 'hubspot', needsSecret: true, verify: verifyHubspot, map };

const HINT =
  'Send from a workflow instead: action "Send a webhook", method POST, with the contact’s properties mobilephone (or phone), ' +
  'the property that holds its SMS consent named sms_consent, and hs_object_id in the body.';

function map(delivery: Delivery): Mapping {
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  return Array.isArray(body.value) ? batch(body.value, mapOne) : mapOne(body.value);
}

function mapOne(entry: unknown): Mapping {
  if (!isJsonObject(entry)) return unreadable('It is not a JSON object.');
  const isCrmEvent = entry.objectId !== undefined && entry.subscriptionType !== undefined;
  const properties = propertiesOf(entry.properties ?? entry);
  if (isCrmEvent && entry.properties === undefined)
    return { kind: 'ignored', note: 'A CRM event: it carries ids only.', hint: HINT };
  const fields = fieldsOf(properties);
  return {
    kind: 'events',
    events: [
      {
        id: idOf(entry.eventId, entry.event_id),
        type: typeOf(entry.subscriptionType ?? entry.event_type),
        customerId:
          idOf(properties.hs_object_id, entry.objectId, entry.vid, entry['canonical-vid'], entry.id) ??
          customerIn(fields),
        occurredAt: timeOf(entry.occurredAt, entry.occurred_at, properties.createdate),
        data: dataOf(properties, recognise(fields)),
        payload: entry,
      },
    ],
  };
}

/** Properties plain, or as contacts of HubSpot's older API hold them: `{"phone": {"value": "…"}}`. */
function propertiesOf(value: unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members(value)).map(([name, inner]) => [name, at(inner, 'value') ?? inner]),
  );
}
