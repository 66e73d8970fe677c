/**
 * Telnyx: Messaging API v2. Our message id travels as a tag and in the address of the webhook. Documented at
 * https://developers.telnyx.com/api/messaging/send-message.
 */
import { z } from 'zod';
import type { SendErrorCode } from '../errors.ts';
import type {
  LookupOutcome,
  LookupQuery,
  OutboundMessage,
  Provider,
  ProviderDefinition,
  ProviderWorld,
  SendOutcome,
} from '../provider.ts';
import { entryOf } from './callback-items.ts';
import { ACCOUNT_STATUSES, byStatus, type HttpAnswer, request, throttled, unknown } from './http.ts';
import { baseUrl, callbackUrl, unsendable } from './settings.ts';
import { telnyxInbound, telnyxStatus } from './telnyx-callbacks.ts';
import { LATER, TELNYX_CODES } from './telnyx-codes.ts';

const failure = z.object({ code: z.coerce.string().max(20) });
const created = z.object({
  data: z.object({
    id: z.string().min(1).max(200),
    parts: z.number().int().positive().nullish().catch(null),
    to: z
      .array(z.object({ status: z.string() }))
      .nullish()
      .catch(null),
    errors: z.array(failure).nullish().catch(null),
  }),
});
const refusal = z.object({ errors: z.array(failure).min(1) });

export const telnyx: ProviderDefinition = {
  name: 'telnyx',
  required: ['TELNYX_API_KEY'],
  requiredForCallbacks: ['TELNYX_PUBLIC_KEY'],
  optional: ['TELNYX_MESSAGING_PROFILE_ID', 'TELNYX_BASE_URL', 'TELNYX_KEYWORD_REPLIES', 'PUBLIC_URL'],
  connect: (world): Provider => ({
    name: 'telnyx',
    channels: ['sms', 'mms'],
    mixesCallbacks: true,
    send: (message, signal) => send(world, message, signal),
    lookup: (query, signal) => lookup(world, query, signal),
    readStatus: (callback) => telnyxStatus(world, callback),
    readInbound: (callback) => telnyxInbound(world, callback),
  }),
};

async function send(
  world: ProviderWorld,
  message: OutboundMessage,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const hindrance = unsendable(world, telnyx.required, api(world));
  if (hindrance) return hindrance;
  const status = callbackUrl(world.variable('PUBLIC_URL'), 'telnyx/status');
  const profile = world.variable('TELNYX_MESSAGING_PROFILE_ID');
  const body = {
    from: message.sender,
    to: message.number,
    type: message.channel === 'mms' ? 'MMS' : 'SMS',
    ...(message.body !== '' && { text: message.body }),
    ...(message.mediaUrls.length > 0 && { media_urls: message.mediaUrls }),
    ...(profile !== undefined && { messaging_profile_id: profile }),
    ...(status !== null && { webhook_url: `${status}?ref=${encodeURIComponent(message.id)}` }),
    tags: [message.id],
  };
  const init = { ...authorized(world), method: 'POST', body: JSON.stringify(body) };
  const result = await request(world, api(world), init, signal);
  return 'outcome' in result ? result.outcome : classify(result.answer, world.now());
}

function classify(answer: HttpAnswer, now: number): SendOutcome {
  const code = refusal.safeParse(answer.json).data?.errors[0]?.code ?? null;
  const byHttp = byStatus(answer, now, code);
  if (byHttp) return byHttp;
  if (answer.status >= 400) {
    if (code !== null && LATER.has(code)) return throttled(answer, now, code);
    const known = entryOf(TELNYX_CODES, code ?? '') ?? entryOf(ACCOUNT_STATUSES, String(answer.status));
    return rejected(known ?? 'request_invalid', code ?? String(answer.status), `HTTP ${answer.status}`);
  }
  const message = created.safeParse(answer.json).data?.data;
  if (!message) return unknown(`HTTP ${answer.status} without a message id`, code);
  if (message.to?.[0]?.status === 'sending_failed') {
    const reported = message.errors?.[0]?.code ?? null;
    return rejected(entryOf(TELNYX_CODES, reported ?? '') ?? 'rejected', reported, 'refused at once');
  }
  const parts = message.parts ?? null;
  return { kind: 'accepted', providerMessageId: message.id, ...(parts !== null && { parts }) };
}

function rejected(code: SendErrorCode, providerCode: string | null, detail: string): SendOutcome {
  return { kind: 'rejected', error: { code, providerCode, detail } };
}

/** Telnyx finds a message by its own id alone; without one nothing can be told. */
async function lookup(world: ProviderWorld, query: LookupQuery, signal: AbortSignal): Promise<LookupOutcome> {
  if (query.providerMessageId === null) return { kind: 'cannot_tell' };
  const url = `${api(world)}/${encodeURIComponent(query.providerMessageId)}`;
  const result = await request(world, url, authorized(world), signal);
  if ('outcome' in result || result.answer.status !== 200) return { kind: 'cannot_tell' };
  const found = created.safeParse(result.answer.json).data?.data;
  return found?.id === query.providerMessageId
    ? { kind: 'taken', providerMessageId: found.id }
    : { kind: 'cannot_tell' };
}

function api(world: ProviderWorld): string {
  return `${baseUrl(world.variable('TELNYX_BASE_URL') ?? 'https://api.telnyx.com')}/v2/messages`;
}

function authorized(world: ProviderWorld): { headers: Record<string, string> } {
  return {
    headers: {
      authorization: `Bearer ${world.variable('TELNYX_API_KEY') ?? ''}`,
      accept: 'application/json',
      'content-type': 'application/json',
    },
  };
}
