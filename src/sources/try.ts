/** `POST /v1/sources/{id}/test`: what a given body would become, stage by stage. Nothing is stored, counted or sent. */
import { z } from 'zod';
import { optOutUrl } from '../consent/link.ts';
import { destinationOf } from '../domain/phone.ts';
import { readContext } from '../ingress/context.ts';
import { decideEvent } from '../ingress/decide.ts';
import type { TriggerEvent } from '../ingress/event.ts';
import { calledUrl } from '../platform/http.ts';
import { isJsonObject } from '../platform/json.ts';
import type { Runtime } from '../platform/runtime.ts';
import { shardFor } from '../platform/shard.ts';
import { asJson } from './browser.ts';
import { readForm } from './form-fields.ts';
import { judge, verifyDelivery } from './judge.ts';
import type { Delivery } from './kind.ts';
import { formOptions } from './kinds/form.ts';
import { problemOf, type Refusal } from './refusal.ts';
import { destinationsOf, type Source } from './source.ts';

export const tryFields = z.strictObject({
  headers: z
    .record(
      z.string().regex(/^[A-Za-z0-9-]{1,100}$/, 'must be the name of a header'),
      z
        .string()
        .max(8000)
        .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII'),
    )
    .default({}),
  /** As the tool sends it: a text is taken byte by byte, a JSON value is written compactly. */
  body: z.unknown(),
  content_type: z
    .string()
    .max(200)
    .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII')
    .default('application/json'),
  skip_verification: z.boolean().default(false),
});

export async function trySource(
  runtime: Runtime,
  source: Source,
  fields: z.output<typeof tryFields>,
  requestUrl: string,
): Promise<Record<string, unknown>> {
  const given = deliveryOf(runtime, source, fields, requestUrl);
  const doubt = fields.skip_verification ? null : await verifyDelivery(source, given);
  const verified = fields.skip_verification ? 'skipped' : doubt === null;
  const delivery = source.kind === 'form' ? await formDelivery(source, given) : given;
  const judged = await judge(source, delivery);
  // What an unproven body would become is shown too: a wrong secret and a wrong path are mended in one go.
  const base = { verified, verification: doubt && told(doubt) };
  switch (judged.kind) {
    case 'refused':
      return {
        ...base,
        outcome: 'refused',
        refusal: told(judged.refusal),
        events: judged.events.map(({ applied }) => ({ ...applied.raw, notes: applied.notes })),
      };
    case 'handshake':
      return { ...base, outcome: 'handshake', note: judged.mapping.note };
    case 'ignored':
      return { ...base, outcome: 'ignored', note: judged.note, hint: judged.hint };
    case 'events': {
      const decisions = await decide(runtime, source, judged.accepted);
      const events = judged.events.map(({ applied }, index) => ({
        ...applied.raw,
        notes: applied.notes,
        ...decisions[index],
      }));
      return { ...base, outcome: doubt ? 'refused' : 'accepted', events };
    }
  }
}

async function decide(
  runtime: Runtime,
  source: Source,
  events: readonly TriggerEvent[],
): Promise<Record<string, unknown>[]> {
  const results: Record<string, unknown>[] = [];
  for (const event of events) {
    const { db } = shardFor(runtime, event.customer_id);
    const number = event.attributes.MOBILE_NUMBER?.e164 ?? null;
    const context = await readContext(db, runtime.config.profileReads, {
      eventIds: [event.id],
      customerIds: [event.customer_id],
      types: [event.type],
      numbers: number === null ? [] : [number],
    });
    const decided = await decideEvent(event, context, source.id, runtime.now(), (id) =>
      optOutUrl(runtime, id),
    );
    const allowed = destinationsOf(source);
    const country = number === null ? null : destinationOf(number).country;
    results.push({
      duplicate: context.stored.has(event.id),
      country_allowed: number === null || allowed === null || (country !== null && allowed.includes(country)),
      decisions: decided.answer.map(({ campaign, state, reason, decision }, index) => ({
        campaign,
        state,
        reason,
        decision,
        body: decided.messages[index]?.body ?? null,
      })),
      ...(decided.answer.length === 0 && {
        note: `No live campaign listens to events of type "${event.type}", so nothing would be sent.`,
      }),
    });
  }
  return results;
}

function deliveryOf(
  runtime: Runtime,
  source: Source,
  fields: z.output<typeof tryFields>,
  requestUrl: string,
): Delivery {
  const headers = new Headers(fields.headers);
  if (!headers.has('content-type')) headers.set('content-type', fields.content_type);
  const text = typeof fields.body === 'string' ? fields.body : JSON.stringify(fields.body ?? {});
  return {
    method: 'POST',
    url: calledUrl(new URL(`/in/${source.id}`, requestUrl).href, runtime.variable('PUBLIC_URL')),
    headers,
    body: Uint8Array.from(new TextEncoder().encode(text)),
    receivedAt: runtime.now(),
  };
}

async function formDelivery(source: Source, given: Delivery): Promise<Delivery> {
  const { honeypot } = formOptions.parse(source.options);
  const form = await readForm(given.body, given.headers.get('content-type') ?? '', honeypot);
  return form === null || !isJsonObject(form.fields) ? given : asJson(given, form.fields);
}

/** A refusal as `/in` would tell it. */
function told(refusal: Refusal): Record<string, unknown> {
  const { reason } = refusal;
  if (reason === 'honeypot') return { stage: refusal.stage, reason };
  const { status, detail, errors, hint } = problemOf({ ...refusal, reason }).body();
  return {
    stage: refusal.stage,
    reason,
    status,
    detail,
    ...(hint !== undefined && { hint }),
    ...(errors !== undefined && { errors }),
  };
}
