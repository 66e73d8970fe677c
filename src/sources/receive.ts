/**
 * `POST /in/{source}`: read up to a limit → guards → verify → map → event → limits → ingest → answer. Two round trips to D1,
 * one read and one write, where the source is in memory; a source with limits costs one more.
 */
import { type Answer, ingest } from '../ingress/ingest.ts';
import { calledUrl } from '../platform/http.ts';
import { MAX_BODY_BYTES, readBytes } from '../platform/json.ts';
import { Problem } from '../platform/problem.ts';
import type { Runtime } from '../platform/runtime.ts';
import { corsHeaders, guardForm } from './browser.ts';
import { cachedSource } from './cache.ts';
import { consentOfEvents } from './consent-given.ts';
import { type DeliveryRecord, recordDelivery } from './deliveries.ts';
import { judge, kindOf, verifyDelivery } from './judge.ts';
import type { Delivery } from './kind.ts';
import { checkLimits } from './limits.ts';
import { problemOf, type Refusal, refuse } from './refusal.ts';
import type { Source } from './source.ts';

/** What became of a delivery, and where a plain form's page goes on. */
interface Received {
  readonly record: Omit<DeliveryRecord, 'status'>;
  readonly response?: {
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };
  readonly redirect?: string | null;
}

/** @param keyInPath the publishable key, where the address carries one. @throws Problem 404 for an unknown source. */
export async function receive(
  runtime: Runtime,
  sourceId: string,
  keyInPath: string | null,
  request: Request,
  requestId: string,
): Promise<Response> {
  const source = await cachedSource(runtime, sourceId);
  if (!source) throw new Problem(404, 'There is no source of this name.');
  const read = source.state === 'off' ? refuse('guards', 'source_off') : await readDelivery(runtime, request);
  const received = 'ok' in read ? refusedAs(read) : await handle(runtime, source, read, keyInPath);
  const response = answer(source, received, requestId);
  const seen =
    'ok' in read ? { ...headOf(runtime, request), bytes: null } : { ...read, bytes: read.body.byteLength };
  recordDelivery(runtime, source.id, seen, { ...received.record, status: response.status });
  for (const [name, value] of Object.entries(
    source.kind === 'form' ? corsHeaders(source, request.headers) : {},
  ))
    response.headers.set(name, value);
  return response;
}

async function handle(
  runtime: Runtime,
  source: Source,
  delivery: Delivery,
  keyInPath: string | null,
): Promise<Received> {
  if (source.kind !== 'form') return await decide(runtime, source, delivery);
  const { verdict, redirect } = await guardForm(runtime, source, delivery, keyInPath);
  const received = verdict.ok ? await decide(runtime, source, verdict.delivery) : refusedAs(verdict);
  return { ...received, redirect };
}

async function decide(runtime: Runtime, source: Source, delivery: Delivery): Promise<Received> {
  const doubt = await verifyDelivery(source, delivery);
  if (doubt) return refusedAs(doubt);
  const judged = await judge(source, delivery);
  switch (judged.kind) {
    case 'refused':
      return { record: { outcome: 'refused', refusal: judged.refusal, events: judged.events } };
    case 'ignored':
      return { record: { outcome: 'ignored', note: judged.note, hint: judged.hint } };
    case 'handshake': {
      const { status, headers, body, note } = judged.mapping;
      return {
        record: { outcome: 'handshake', note },
        response: {
          ...(status && { status }),
          ...(headers && { headers }),
          ...(body !== undefined && { body }),
        },
      };
    }
    case 'events':
      break;
  }
  const { events, accepted } = judged;
  const limited = await checkLimits(runtime, source, accepted);
  if (limited) return { record: { outcome: 'refused', refusal: limited, events } };
  const answers = await ingest(runtime, source.id, accepted, await consentOfEvents(source.id, events));
  const repeated = answers.every((answer) => answer.kind === 'conflict' || answer.duplicate);
  return { record: { outcome: repeated ? 'duplicate' : 'accepted', events, answers } };
}

function answer(source: Source, received: Received, requestId: string): Response {
  const { record, response, redirect } = received;
  const { refusal } = record;
  if (refusal && isTold(refusal)) return problemOf(refusal).toResponse(requestId);
  if (redirect != null) return new Response(null, { status: 303, headers: { location: redirect } });
  const status = response?.status ?? kindOf(source).goodStatus ?? 200;
  if (response?.body !== undefined || status === 204)
    return new Response(response?.body ?? null, { status, headers: { ...response?.headers } });
  return Response.json(source.kind === 'form' ? { received: true } : summary(record), {
    status,
    headers: { ...response?.headers },
  });
}

/** A page learns nothing of what was decided; a tool that proved itself does. */
function summary(record: Received['record']): Record<string, unknown> {
  return {
    outcome: record.outcome,
    ...(record.note !== undefined && { note: record.note }),
    ...(record.hint != null && { hint: record.hint }),
    ...(record.answers && { results: record.answers.map(resultOf) }),
  };
}

function resultOf(answer: Answer): Record<string, unknown> {
  if (answer.kind === 'conflict') return { id: answer.id, duplicate: true };
  const messages = answer.messages.map(({ id, campaign, state, reason }) => ({
    id,
    campaign,
    state,
    reason,
  }));
  return { id: answer.id, duplicate: answer.duplicate, messages };
}

type ToldRefusal = Parameters<typeof problemOf>[0];
const isTold = (refusal: Refusal): refusal is ToldRefusal => refusal.reason !== 'honeypot';

function refusedAs(refusal: Refusal): Received {
  return { record: { outcome: 'refused', refusal } };
}

function headOf(runtime: Runtime, request: Request): Omit<Delivery, 'body'> {
  const { method, headers } = request;
  return {
    method,
    url: calledUrl(request.url, runtime.variable('PUBLIC_URL')),
    headers,
    receivedAt: runtime.now(),
  };
}

async function readDelivery(runtime: Runtime, request: Request): Promise<Delivery | Refusal> {
  try {
    return { ...headOf(runtime, request), body: await readBytes(request, MAX_BODY_BYTES) };
  } catch (error) {
    if (error instanceof Problem && error.status === 413) return refuse('guards', 'body_too_large');
    throw error;
  }
}
