/**
 * What became of a source's last deliveries, so that whoever sets up a form sees why it does not work. Never the body: what
 * was understood of it, with numbers and addresses masked.
 */
import { maskNumber, maskRaw } from '../domain/phone.ts';
import type { Answer } from '../ingress/ingest.ts';
import { errorText, log } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import { iso } from '../platform/sql.ts';
import type { JudgedEvent } from './judge.ts';
import type { Delivery } from './kind.ts';
import type { Refusal } from './refusal.ts';

/** Of each source: the last good ones, and the last refused ones. */
const KEPT = 50;
/** Refused ones that are written in a minute, by each isolate and source: a flood must not cost a write each. */
const REFUSED_PER_MINUTE = 30;
const MAX_EVENTS_SHOWN = 10;
const MAX_FIELDS_SHOWN = 50;

export const SOURCE_DELIVERY_SQL = {
  add: 'INSERT INTO source_deliveries (source_id, good, at, document) VALUES (?1, ?2, ?3, ?4)',
  trim: `DELETE FROM source_deliveries WHERE source_id = ?1 AND good = ?2 AND seq <= (
    SELECT seq FROM source_deliveries WHERE source_id = ?1 AND good = ?2 ORDER BY seq DESC LIMIT 1 OFFSET ${KEPT})`,
  last: `SELECT at, document FROM source_deliveries WHERE source_id = ?1 AND good = ?2 ORDER BY seq DESC LIMIT ${KEPT}`,
} as const;

export type Outcome = 'accepted' | 'duplicate' | 'handshake' | 'ignored' | 'refused';

export interface DeliveryRecord {
  readonly outcome: Outcome;
  readonly status: number;
  readonly refusal?: Refusal;
  readonly note?: string;
  readonly hint?: string | null;
  readonly events?: readonly JudgedEvent[];
  readonly answers?: readonly Answer[];
}

/** Written in the background: neither its time nor its failure touches the answer. */
export function recordDelivery(
  runtime: Runtime,
  sourceId: string,
  delivery: Pick<Delivery, 'method' | 'headers' | 'receivedAt'> & { readonly bytes: number | null },
  record: DeliveryRecord,
): void {
  const good = record.outcome !== 'refused';
  if (!good && !mayRecord(sourceId, delivery.receivedAt)) return;
  const document = JSON.stringify({
    outcome: record.outcome,
    status: record.status,
    stage: record.refusal?.stage ?? null,
    reason: record.refusal?.reason ?? null,
    detail: record.refusal?.detail ?? record.note ?? null,
    hint: record.refusal?.hint ?? record.hint ?? null,
    errors:
      record.refusal?.errors
        ?.slice(0, MAX_EVENTS_SHOWN)
        .map(({ path, message }) => ({ path: maskText(path), message: maskText(message) })) ?? [],
    method: delivery.method,
    content_type: maskText(delivery.headers.get('content-type') ?? ''),
    bytes: delivery.bytes,
    events: (record.events ?? [])
      .slice(0, MAX_EVENTS_SHOWN)
      .map((event, index) => shown(event, record.answers?.[index])),
  });
  const { db } = runtime;
  const written = db.batch([
    db.prepare(SOURCE_DELIVERY_SQL.add).bind(sourceId, good ? 1 : 0, delivery.receivedAt, document),
    db.prepare(SOURCE_DELIVERY_SQL.trim).bind(sourceId, good ? 1 : 0),
  ]);
  runtime.background(
    written.catch((error: unknown) =>
      log('warn', 'source.delivery_not_recorded', { source: sourceId, error: errorText(error) }),
    ),
  );
}

/** The last good and the last refused ones, newest first. */
export async function lastDeliveries(db: D1Database, sourceId: string): Promise<Record<string, unknown>[]> {
  const results = await db.batch<{ at: number; document: string }>(
    [1, 0].map((good) => db.prepare(SOURCE_DELIVERY_SQL.last).bind(sourceId, good)),
  );
  return results
    .flatMap(({ results }) => results)
    .sort((a, b) => b.at - a.at)
    .map(({ at, document }) => ({ at: iso(at), ...(JSON.parse(document) as Record<string, unknown>) }));
}

/** An event as it may be shown: what decides is readable, whom it is about is masked. */
export function shown({ applied, parsed }: JudgedEvent, answer?: Answer): Record<string, unknown> {
  const { raw, notes } = applied;
  const data = parsed.ok ? parsed.event.data : {};
  const attributes = parsed.ok ? parsed.event.attributes : null;
  const number = attributes?.MOBILE_NUMBER;
  return {
    id: maskText(String(raw.id)),
    type: maskText(String(raw.type)),
    customer_id: maskText(String(raw.customer_id)),
    MOBILE_NUMBER: number
      ? number.e164 === null
        ? `${maskRaw(number.raw)}, ${number.why}`
        : maskNumber(number.e164)
      : null,
    SMS_CONSENT: attributes?.SMS_CONSENT ?? null,
    SMS_VALID: attributes?.SMS_VALID ?? null,
    fields: Object.keys(data).slice(0, MAX_FIELDS_SHOWN).map(maskText),
    notes,
    ...(answer?.kind === 'conflict' && { duplicate: true, note: 'another event stands under this id' }),
    ...(answer?.kind === 'accepted' && {
      duplicate: answer.duplicate,
      messages: answer.messages.map(({ id, campaign, state, reason }) => ({ id, campaign, state, reason })),
    }),
  };
}

/** Numbers and e-mail addresses out of a short text. Long runs of digits inside an id are no number: a number stands alone. */
function maskText(text: string): string {
  const short = text.slice(0, 200);
  if (/^\+?[\d\s().-]{7,}$/.test(short) && short.length <= 20) return maskNumber(short);
  return short
    .replace(/\+\d{7,15}/g, (number) => maskNumber(number))
    .replace(/[^\s:@]{1,64}@[^\s@]{1,190}/g, '•••@•••');
}

const refusedIn = new Map<string, number>();
let minute = 0;

function mayRecord(sourceId: string, now: number): boolean {
  const current = Math.floor(now / 60_000);
  if (current !== minute) {
    refusedIn.clear();
    minute = current;
  }
  const n = (refusedIn.get(sourceId) ?? 0) + 1;
  refusedIn.set(sourceId, n);
  return n <= REFUSED_PER_MINUTE;
}
