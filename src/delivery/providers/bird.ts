/**
 * Bird: the SMS API of platform.bird.com. Our message id is the idempotency key, so that the same call made again within
 * three hours is answered as before, and travels as metadata, which every event brings back.
 * Documented at https://bird.com/docs/api/reference/create-sms-message.
 */
import { z } from 'zod';
import type { SendError } from '../errors.ts';
import type {
  LookupOutcome,
  LookupQuery,
  OutboundMessage,
  Provider,
  ProviderDefinition,
  ProviderWorld,
  SendOutcome,
} from '../provider.ts';
import { birdInbound, birdStatus, METADATA_KEY } from './bird-callbacks.ts';
import { API_ERRORS, FAILURES } from './bird-codes.ts';
import { entryOf } from './callback-items.ts';
import { ACCOUNT_STATUSES, byStatus, type HttpAnswer, request, unknown } from './http.ts';
import { baseUrl, unsendable } from './settings.ts';

const sent = z.object({
  id: z.string().min(1).max(200),
  status: z.string().nullish(),
  segments: z.object({ count: z.number().int().positive() }).nullish().catch(null),
  last_error: z
    .object({ code: z.string().max(100) })
    .nullish()
    .catch(null),
});

const errorBody = z.object({
  type: z.string().max(100).nullish(),
  code: z.string().max(100).nullish(),
  name: z.string().max(100).nullish(),
});
/** Errors come wrapped, and from some layers bare. */
const errorAnswer = z.union([z.object({ error: errorBody }).transform(({ error }) => error), errorBody]);

const listed = z.object({
  data: z.array(
    z.object({
      id: z.string().min(1).max(200),
      metadata: z.record(z.string(), z.unknown()).nullish(),
      created_at: z.string().nullish(),
    }),
  ),
  next_cursor: z.string().nullish(),
});

/** How far back a look-up reads, newest first, and how long before the call it stops. */
const LOOKUP_PAGES = 5;
const LOOKUP_BEFORE_MS = 60_000;

export const bird: ProviderDefinition = {
  name: 'bird',
  required: ['BIRD_ACCESS_KEY'],
  requiredForCallbacks: ['BIRD_WEBHOOK_SECRET'],
  optional: ['BIRD_REGION', 'BIRD_BASE_URL', 'BIRD_CATEGORY'],
  connect: (world): Provider => ({
    name: 'bird',
    channels: ['sms'],
    send: (message, signal) => send(world, message, signal),
    lookup: (query, signal) => lookup(world, query, signal),
    readStatus: (callback) => birdStatus(world, callback),
    readInbound: (callback) => birdInbound(world, callback),
  }),
};

async function send(
  world: ProviderWorld,
  message: OutboundMessage,
  signal: AbortSignal,
): Promise<SendOutcome> {
  if (message.channel === 'mms') return { kind: 'rejected', error: NO_MMS };
  const hindrance = unsendable(world, bird.required, api(world));
  if (hindrance) return hindrance;
  const body = {
    from: message.sender,
    to: message.number,
    text: message.body,
    category: world.variable('BIRD_CATEGORY') ?? 'transactional',
    metadata: { [METADATA_KEY]: message.id },
  };
  const result = await request(
    world,
    api(world),
    {
      method: 'POST',
      headers: { ...authorized(world), 'content-type': 'application/json', 'idempotency-key': message.id },
      body: JSON.stringify(body),
    },
    signal,
  );
  return 'outcome' in result ? result.outcome : classify(result.answer, world.now());
}

const NO_MMS: SendError = { code: 'request_invalid', providerCode: null, detail: 'Bird sends no MMS yet' };

function classify(answer: HttpAnswer, now: number): SendOutcome {
  const named = errorAnswer.safeParse(answer.json).data ?? {};
  const code = answer.status >= 400 ? (named.name ?? named.code ?? named.type ?? null) : null;
  const byHttp = byStatus(answer, now, code);
  if (byHttp) return byHttp;
  // 408 and 409 are about an earlier or a running call with our key: that one may have been taken.
  if (answer.status === 408 || answer.status === 409) return unknown(`HTTP ${answer.status}`, code);
  if (answer.status >= 400) return { kind: 'rejected', error: httpError(answer.status, code, named) };
  const parsed = sent.safeParse(answer.json);
  if (!parsed.success) return unknown(`HTTP ${answer.status} without a message id`, null);
  const { id, status, segments, last_error } = parsed.data;
  if (status === 'rejected' || status === 'failed') {
    const failure = last_error?.code ?? status;
    const error = { code: entryOf(FAILURES, failure) ?? 'rejected', providerCode: failure, detail: null };
    return { kind: 'rejected', error };
  }
  return { kind: 'accepted', providerMessageId: id, ...(segments && { parts: segments.count }) };
}

function httpError(
  status: number,
  providerCode: string | null,
  named: z.output<typeof errorBody>,
): SendError {
  const known = [named.name, named.code, named.type].flatMap(
    (key) => (key ? entryOf(API_ERRORS, key) : undefined) ?? [],
  );
  const code = known[0] ?? entryOf(HTTP_ERRORS, String(status)) ?? 'request_invalid';
  return { code, providerCode: providerCode ?? String(status), detail: `HTTP ${status}` };
}

const HTTP_ERRORS = {
  ...ACCOUNT_STATUSES,
  413: 'content_invalid',
} as const;

/** Reads the newest outbound messages for our id in their metadata; the API has no filter for it. Absence proves nothing. */
async function lookup(world: ProviderWorld, query: LookupQuery, signal: AbortSignal): Promise<LookupOutcome> {
  let cursor: string | null = null;
  for (let page = 0; page < LOOKUP_PAGES; page++) {
    const parameters = new URLSearchParams({ direction: 'outbound', limit: '100' });
    if (cursor !== null) parameters.set('starting_after', cursor);
    const result = await request(
      world,
      `${api(world)}?${parameters}`,
      { headers: authorized(world) },
      signal,
    );
    if ('outcome' in result || result.answer.status !== 200) return { kind: 'cannot_tell' };
    const parsed = listed.safeParse(result.answer.json);
    if (!parsed.success) return { kind: 'cannot_tell' };
    const found = parsed.data.data.find(({ metadata }) => metadata?.[METADATA_KEY] === query.id);
    if (found) return { kind: 'taken', providerMessageId: found.id };
    const oldest = Date.parse(parsed.data.data.at(-1)?.created_at ?? '');
    cursor = parsed.data.next_cursor ?? null;
    if (cursor === null || oldest < query.calledAt - LOOKUP_BEFORE_MS) break;
  }
  return { kind: 'cannot_tell' };
}

/** Keys read `bk_{region}_…`; the region is the first part of the host. */
function api(world: ProviderWorld): string {
  const key = world.variable('BIRD_ACCESS_KEY') ?? '';
  const region = world.variable('BIRD_REGION') ?? /^b[km]_([a-z]{2}\d+)_/.exec(key)?.[1] ?? 'us1';
  return `${baseUrl(world.variable('BIRD_BASE_URL') ?? `https://${region}.platform.bird.com`)}/v1/sms/messages`;
}

/** Bird answers 403 to requests without a user agent, and a Worker has none of its own. */
function authorized(world: ProviderWorld): Record<string, string> {
  return {
    authorization: `Bearer ${world.variable('BIRD_ACCESS_KEY') ?? ''}`,
    accept: 'application/json',
    'user-agent': 'optitext',
  };
}
