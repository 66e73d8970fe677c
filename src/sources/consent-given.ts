/** A yes that came through a source, for the consent record: who said it, when, and on what grounds it stands. */
import type { TriggerEvent } from '../ingress/event.ts';
import type { ConsentOf } from '../ingress/ingest.ts';
import type { NewConsent } from '../ledger/accept.ts';
import { derivedId } from '../platform/ids.ts';
import type { JudgedEvent } from './judge.ts';

/** Records of a delivery's events, ready for the transaction that accepts them. A repetition meets its own record. */
export async function consentOfEvents(sourceId: string, events: readonly JudgedEvent[]): Promise<ConsentOf> {
  const records = new Map<string, NewConsent>();
  for (const { applied, parsed } of events) {
    if (!parsed.ok) continue;
    const record = await consentOf(sourceId, parsed.event, applied.evidence);
    if (record) records.set(record.event_id, record);
  }
  return (event) => records.get(event.id) ?? null;
}

async function consentOf(
  sourceId: string,
  event: TriggerEvent,
  evidence: Readonly<Record<string, unknown>>,
): Promise<NewConsent | null> {
  const { MOBILE_NUMBER, SMS_CONSENT } = event.attributes;
  if (SMS_CONSENT !== true || MOBILE_NUMBER?.e164 == null) return null;
  return {
    id: await derivedId('con', 'event', event.id),
    event_id: event.id,
    number: MOBILE_NUMBER.e164,
    source_id: sourceId,
    evidence: JSON.stringify({ ...evidence, event_id: event.id }),
    at: event.occurredAt,
  };
}
