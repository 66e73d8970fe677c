/**
 * Ingest: from parsed events to answers, in two D1 round trips a shard: one reads all that deciding needs, one writes
 * all that was decided. Pointers for the queue follow after the commit; a lost one is found by the sweeper.
 */

import { optOutUrl } from '../consent/link.ts';
import { enqueue } from '../delivery/outbox.ts';
import type { Decision } from '../domain/decision.ts';
import { accept, type NewConsent } from '../ledger/accept.ts';
import type { AnswerMessage, StoredAnswer } from '../ledger/stored.ts';
import { newId } from '../platform/ids.ts';
import type { Runtime } from '../platform/runtime.ts';
import { groupByShard, type Shard } from '../platform/shard.ts';
import { readContext } from './context.ts';
import { type Decided, decideEvent } from './decide.ts';
import { decideWaitingSoon } from './decide-again.ts';
import type { TriggerEvent } from './event.ts';

export type Answer =
  | {
      readonly kind: 'accepted';
      readonly id: string;
      readonly duplicate: boolean;
      readonly messages: readonly (AnswerMessage & { readonly decision: Decision | null })[];
    }
  | { readonly kind: 'conflict'; readonly id: string };

/** The consent record of an event that carries a yes with provenance; `null` where it carries none. */
export type ConsentOf = (event: TriggerEvent) => NewConsent | null;

/**
 * Accepts events; the answers stand in the order of the events. Two of one id: the second is a repetition. Consent records
 * are written in the transaction that accepts their event.
 */
export async function ingest(
  runtime: Runtime,
  sourceId: string,
  events: readonly TriggerEvent[],
  consentOf: ConsentOf = () => null,
): Promise<Answer[]> {
  const first = new Map<string, TriggerEvent>();
  for (const event of events) if (!first.has(event.id)) first.set(event.id, event);

  const answers = new Map<string, Answer>();
  for (const group of groupByShard(runtime, [...first.values()], (event) => event.customer_id)) {
    for (const [id, answer] of await ingestShard(runtime, group.shard, sourceId, group.items, consentOf))
      answers.set(id, answer);
  }
  return events.map((event) => {
    const original = first.get(event.id);
    const answer = answers.get(event.id);
    if (!original || !answer) throw new Error(`no answer for event ${event.id}`);
    if (original === event || answer.kind === 'conflict') return answer;
    return original.bodyHash === event.bodyHash
      ? { ...answer, duplicate: true }
      : { kind: 'conflict', id: event.id };
  });
}

async function ingestShard(
  runtime: Runtime,
  shard: Shard,
  sourceId: string,
  events: readonly TriggerEvent[],
  consentOf: ConsentOf,
): Promise<Map<string, Answer>> {
  const context = await readContext(shard.db, runtime.config.profileReads, {
    eventIds: events.map((event) => event.id),
    customerIds: events.map((event) => event.customer_id),
    types: events.map((event) => event.type),
    numbers: events.flatMap((event) => event.attributes.MOBILE_NUMBER?.e164 ?? []),
  });
  const answers = new Map<string, Answer>();
  const fresh: { event: TriggerEvent; decided: Decided }[] = [];
  const now = runtime.now();
  const linkOf = (messageId: string): Promise<string | null> => optOutUrl(runtime, messageId);
  for (const event of events) {
    const stored = context.stored.get(event.id);
    if (stored) answers.set(event.id, repetition(event, stored));
    else fresh.push({ event, decided: await decideEvent(event, context, sourceId, now, linkOf) });
  }

  const won = await accept(
    shard.db,
    newId('acc'),
    fresh.map(({ decided }) => decided.event),
    fresh.flatMap(({ decided }) => decided.messages),
    fresh.flatMap(({ event }) => consentOf(event) ?? []),
  );
  const deliverable: string[] = [];
  let waits = false;
  for (const { event, decided } of fresh) {
    const stored = won.get(event.id);
    if (stored) {
      answers.set(event.id, repetition(event, stored));
      continue;
    }
    answers.set(event.id, { kind: 'accepted', id: event.id, duplicate: false, messages: decided.answer });
    for (const message of decided.messages) {
      if (message.state === 'queued') deliverable.push(message.id);
      waits ||= message.state === 'held';
    }
  }
  if (deliverable.length > 0) runtime.background(enqueue(runtime, shard, deliverable));
  if (waits) decideWaitingSoon(runtime);
  return answers;
}

/** The first answer again, or a conflict where another event came under the same id. */
function repetition(event: TriggerEvent, stored: StoredAnswer): Answer {
  if (stored.bodyHash !== event.bodyHash) return { kind: 'conflict', id: event.id };
  return { kind: 'accepted', id: event.id, duplicate: true, messages: stored.messages };
}
