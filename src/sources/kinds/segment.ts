/**
 * Segment: `track` and `identify`, alone or in batches. Segment signs with HMAC-SHA1, and of a batch its first event alone,
 * so a batch must carry the secret as a bearer token too.
 */
import { isJsonObject } from '../../platform/json.ts';
import type { Delivery, Kind, KindSettings, Mapping, Verification } from '../kind.ts';
import { eventsOptions, notTaken } from './events-option.ts';
import {
  at,
  batch,
  bodyText,
  idOf,
  jsonBody,
  members,
  textOf,
  timeOf,
  typeOf,
  unreadable,
} from './payload.ts';
import { bearerOf, headerOf, isHmac, refused, VERIFIED, verifyToken } from './proof.ts';
import { customerIn, dataOf, fieldsOf, recognise } from './recognised.ts';

export const segment: Kind = { name: 'segment', needsSecret: true, options: eventsOptions, verify, map };

async function verify(delivery: Delivery, settings: KindSettings): Promise<Verification> {
  if (settings.secrets.length === 0) return refused('secret_not_set');
  const signature = headerOf(delivery, 'x-signature');
  if (signature !== null) {
    const body = jsonBody(delivery);
    const signed = [delivery.body, ...(body.ok ? rewritten(delivery.body) : [])];
    const matches = await Promise.all(
      signed.map((data) => isHmac(signature, settings.secrets, data, 'SHA-1', 'hex')),
    );
    if (!matches.some(Boolean)) return refused('signature_mismatch');
    if (!body.ok || entriesOf(body.value) === null) return VERIFIED;
  }
  return await verifyToken(bearerOf(delivery), settings);
}

/**
 * What Segment may have signed besides the raw body: it signs an event written anew as compact JSON. That counts for the
 * first event of a batch, and for one event that was indented on its way; nothing looser, so that every byte still counts.
 *
 * @param body was found to be JSON of bounded depth.
 */
function rewritten(body: Uint8Array): string[] {
  const text = bodyText(body)?.trimEnd() ?? '';
  const value = JSON.parse(text) as unknown;
  const entries = entriesOf(value);
  if (entries !== null) return entries.length > 0 ? [JSON.stringify(entries[0])] : [];
  const isIndented = text.startsWith('{\n  "') && JSON.stringify(value, null, 2) === text;
  return isIndented ? [JSON.stringify(value)] : [];
}

/** The events of a batch, which is a list or an object with `batch`; `null` where the body is one event. */
function entriesOf(value: unknown): readonly unknown[] | null {
  if (Array.isArray(value)) return value;
  const inner = at(value, 'batch');
  return Array.isArray(inner) ? inner : null;
}

function map(delivery: Delivery, settings: KindSettings): Mapping {
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  const entries = entriesOf(body.value);
  return entries === null ? mapOne(body.value, settings) : batch(entries, (entry) => mapOne(entry, settings));
}

function mapOne(message: unknown, settings: KindSettings): Mapping {
  const kind = at(message, 'type');
  if (!isJsonObject(message) || textOf(kind) === null)
    return unreadable('It is not a Segment event: it has no type.');
  if (kind !== 'track' && kind !== 'identify')
    return {
      kind: 'ignored',
      note: 'Neither track nor identify.',
      hint: 'Limit what the destination sends to track and identify.',
    };
  const word = kind === 'track' ? textOf(message.event) : 'identify';
  if (word === null) return unreadable('The track event has no name: its member event is missing.');
  const other = notTaken(word, settings, null);
  if (other) return other;

  const traits = { ...members(at(message, 'context', 'traits')), ...members(message.traits) };
  const properties = members(message.properties);
  return {
    kind: 'events',
    events: [
      {
        id: idOf(message.messageId),
        type: typeOf(word),
        customerId: idOf(message.userId, message.anonymousId) ?? customerIn(fieldsOf(traits)),
        occurredAt: timeOf(message.timestamp, message.originalTimestamp, message.sentAt),
        data: dataOf(
          { ...traits, ...properties },
          recognise(fieldsOf(properties)),
          recognise(fieldsOf(traits)),
        ),
        payload: message,
      },
    ],
  };
}
