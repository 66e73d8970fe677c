/** From what a kind found to an event of ours: the source's mapping, its defaults, what it vouches for, and stable ids. */
import { RESERVED, type ReservedName, readNumber, reservedName } from '../domain/attributes.ts';
import { externalId } from '../platform/fields.ts';
import { sha256Hex } from '../platform/ids.ts';
import type { MappedEvent } from './kind.ts';
import { apply, type Found } from './mapping.ts';
import type { Source } from './source.ts';

export interface AppliedEvent {
  /** As `POST /v1/events` takes it; `parseEvent` is still to judge it. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** Where the consent came from, for its record. */
  readonly evidence: Readonly<Record<string, unknown>>;
  /** What the person who sets up the source should know. */
  readonly notes: readonly string[];
}

/**
 * Ids begin with the source's, so that two sources never meet: `{source}:{the tool's id}`, or the hash of the body where the
 * tool has none. A customer is who the mapping or the tool names; else `{source}:` and the hash of the number, or of the
 * e-mail address where the number cannot be read; else the event's own id, which no later event shares.
 *
 * @param bodyHash SHA-256 of the body, hex.
 * @param index of how many events of this body.
 */
export async function applySource(
  source: Source,
  event: MappedEvent,
  bodyHash: string,
  index: number,
  count: number,
): Promise<AppliedEvent> {
  const { mapping } = source;
  const notes: string[] = [];
  const find = (field: string, rule: Parameters<typeof apply>[0] | undefined): Found['value'] => {
    if (rule === undefined) return undefined;
    const found = apply(rule, event.payload);
    if (found.unmapped)
      notes.push(`mapping.${field}: its value map does not know the value, so it counts as missing`);
    else if (found.value === undefined) notes.push(`mapping.${field}: nothing stands at its path`);
    return found.value;
  };

  const data: Record<string, unknown> = { ...event.data };
  for (const [name, rule] of Object.entries(mapping.data ?? {})) {
    const value = find(`data.${name}`, rule);
    if (value !== undefined) data[name] = value;
  }
  for (const name of RESERVED) {
    if (mapping[name] === undefined) continue;
    remove(data, name);
    const value = find(name, mapping[name]);
    data[name] = typeof value === 'number' && name === 'MOBILE_NUMBER' ? String(value) : (value ?? null);
  }
  const evidence = vouch(source, event, data);

  const ownId = textOf(find('id', mapping.id)) ?? event.id;
  const id = await eventIdOf(source.id, ownId, count > 1 ? `${bodyHash}:${index}` : bodyHash);
  const customer = textOf(find('customer_id', mapping.customer_id)) ?? event.customerId;
  const type = source.eventType ?? textOf(find('type', mapping.type)) ?? event.type;
  const occurredAt = textOf(find('occurred_at', mapping.occurred_at)) ?? event.occurredAt;
  return {
    raw: {
      id,
      type: type ?? 'source.received',
      customer_id: customer ?? (await unnamedCustomer(source, data, id)),
      ...(occurredAt !== null && { occurred_at: occurredAt }),
      data,
    },
    evidence,
    notes,
  };
}

/** Fills in what the source vouches for, and says for the record on what grounds a yes stands. */
function vouch(source: Source, event: MappedEvent, data: Record<string, unknown>): Record<string, unknown> {
  const { vouches, mapping } = source;
  const explicit = Object.entries(data).some(
    ([key, value]) => reservedName(key) === 'SMS_CONSENT' && value !== null && value !== '',
  );
  const vouched = !explicit && vouches?.consent === true;
  if (vouched) {
    remove(data, 'SMS_CONSENT');
    data.SMS_CONSENT = true;
  }
  const rule = mapping.SMS_CONSENT;
  const field = rule === undefined ? "the tool's own field" : (rule.path ?? 'a constant of the mapping');
  return {
    field: vouched ? 'vouched for by the source' : field,
    ...(vouches?.disclosure !== undefined && { disclosure: vouches.disclosure }),
    ...(vouches?.disclosure_url !== undefined && { disclosure_url: vouches.disclosure_url }),
    ...(event.evidence && { tool: event.evidence }),
  };
}

async function eventIdOf(sourceId: string, ownId: string | null, hash: string): Promise<string> {
  const id = `${sourceId}:${ownId ?? hash}`;
  return externalId.safeParse(id).success ? id : `${sourceId}:${await sha256Hex(ownId ?? hash)}`;
}

async function unnamedCustomer(
  source: Source,
  data: Readonly<Record<string, unknown>>,
  eventId: string,
): Promise<string> {
  const valueAt = (matches: (key: string) => boolean): unknown =>
    Object.entries(data).find(([key, value]) => matches(key) && value !== null)?.[1];
  const number = readNumber(
    valueAt((key) => reservedName(key) === 'MOBILE_NUMBER'),
    source.defaultCountry ?? undefined,
  )?.e164;
  const mail = valueAt((key) => /^e-?mail$/i.test(key));
  const known = number ?? (typeof mail === 'string' && mail.includes('@') ? mail.trim().toLowerCase() : null);
  return known === null ? eventId : `${source.id}:${(await sha256Hex(`${source.id}:${known}`)).slice(0, 32)}`;
}

function remove(data: Record<string, unknown>, name: ReservedName): void {
  for (const key of Object.keys(data)) if (reservedName(key) === name) delete data[key];
}

function textOf(value: unknown): string | null {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}
