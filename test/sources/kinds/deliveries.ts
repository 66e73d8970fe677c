/** Deliveries as tools make them, signed with code of the tests' own (node:crypto), so that both sides do not err alike. */
import { createHash, createHmac } from 'node:crypto';
import type { Delivery, Kind, KindSettings, MappedEvent, Mapping } from '../../../src/sources/kind.ts';
import { KINDS } from '../../../src/sources/kinds/index.ts';

const files = import.meta.glob<string>('../samples/*.json', {
  query: '?raw',
  import: 'default',
  eager: true,
});

/** A sample's exact text. */
export function sample(name: string): string {
  const text = files[`../samples/${name}.json`];
  if (text === undefined) throw new Error(`no sample ${name}`);
  return text;
}

export const NOW = 1_700_000_000_000;
export const URL_OF_SOURCE = 'https://texts.example/in/signup-form';

export function kindOf(name: string): Kind {
  const kind = KINDS.get(name);
  if (!kind) throw new Error(`no kind ${name}`);
  return kind;
}

export type HeaderTable = Readonly<Record<string, string>>;

export function delivery(
  body: string | Uint8Array,
  headers: HeaderTable = {},
  change: Partial<Delivery> = {},
): Delivery {
  return {
    method: 'POST',
    url: URL_OF_SOURCE,
    headers: new Headers({ 'content-type': 'application/json', ...headers }),
    body: new Uint8Array(typeof body === 'string' ? new TextEncoder().encode(body) : body),
    receivedAt: NOW,
    ...change,
  };
}

export function settings(
  secrets: readonly string[] = [],
  options: Record<string, unknown> = {},
): KindSettings {
  return { secrets, options, toleranceMs: 300_000 };
}

/** HMAC with node:crypto. */
export function sign(
  hash: 'sha1' | 'sha256' | 'sha512',
  secret: string | Uint8Array,
  text: string | Uint8Array,
  encoding: 'hex' | 'base64' = 'hex',
): string {
  return createHmac(hash, secret).update(text).digest(encoding);
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function eventsOf(mapping: Mapping): readonly MappedEvent[] {
  if (mapping.kind !== 'events') throw new Error(`no events but ${JSON.stringify(mapping)}`);
  return mapping.events;
}

/** The only event of a delivery of JSON. */
export function mapOne(
  kind: string,
  body: unknown,
  headers: HeaderTable = {},
  options: Record<string, unknown> = {},
): MappedEvent {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const [event, ...more] = eventsOf(kindOf(kind).map(delivery(text, headers), settings([], options)));
  if (!event || more.length > 0) throw new Error('not one event');
  return event;
}
