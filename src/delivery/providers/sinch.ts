/**
 * Sinch: SMS REST API, one batch for each message. Our message id is the batch's client reference; it comes back in every
 * report and finds the batch again. Documented at https://developers.sinch.com/docs/sms/api-reference.
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
import { entryOf } from './callback-items.ts';
import { ACCOUNT_STATUSES, byStatus, type HttpAnswer, request, unknown } from './http.ts';
import { baseUrl, callbackUrl, unsendable } from './settings.ts';
import { sinchInbound, sinchStatus } from './sinch-callbacks.ts';
import { API_ERRORS } from './sinch-codes.ts';

const batch = z.object({ id: z.string().min(1).max(200), client_reference: z.string().nullish() });
const batches = z.object({ batches: z.array(batch) });
const apiError = z.object({ code: z.string().max(100) });

/** The longest validity that Sinch takes. Unit: seconds. */
const MAX_VALIDITY = 3 * 24 * 3600;
const LOOKUP_BEFORE_MS = 10 * 60_000;

export const sinch: ProviderDefinition = {
  name: 'sinch',
  required: ['SINCH_SERVICE_PLAN_ID', 'SINCH_API_TOKEN'],
  requiredForCallbacks: ['SINCH_WEBHOOK_SECRET'],
  optional: ['SINCH_REGION', 'SINCH_BASE_URL', 'PUBLIC_URL'],
  connect: (world): Provider => ({
    name: 'sinch',
    channels: ['sms', 'mms'],
    send: (message, signal) => send(world, message, signal),
    lookup: (query, signal) => lookup(world, query, signal),
    readStatus: (callback) => sinchStatus(world, callback),
    readInbound: (callback) => sinchInbound(world, callback),
  }),
};

async function send(
  world: ProviderWorld,
  message: OutboundMessage,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const [mediaUrl, ...more] = message.mediaUrls;
  if (more.length > 0) return { kind: 'rejected', error: ONE_MEDIUM };
  const hindrance = unsendable(world, sinch.required, api(world));
  if (hindrance) return hindrance;
  const report = callbackUrl(world.variable('PUBLIC_URL'), 'sinch/status');
  const validity = Math.max(1, Math.min(message.validitySeconds, MAX_VALIDITY));
  const body = {
    ...(mediaUrl === undefined
      ? { type: 'mt_text', body: message.body }
      : {
          type: 'mt_media',
          body: { url: mediaUrl, ...(message.body !== '' && { message: message.body }) },
        }),
    from: message.sender,
    to: [message.number],
    client_reference: message.id,
    delivery_report: 'per_recipient',
    expire_at: new Date(world.now() + validity * 1000).toISOString(),
    ...(report !== null && { callback_url: report }),
  };
  const init = { ...authorized(world), method: 'POST', body: JSON.stringify(body) };
  const result = await request(world, api(world), init, signal);
  return 'outcome' in result ? result.outcome : classify(result.answer, world.now());
}

const ONE_MEDIUM: SendError = {
  code: 'content_invalid',
  providerCode: null,
  detail: 'Sinch takes one medium for each message',
};

function classify(answer: HttpAnswer, now: number): SendOutcome {
  const code = apiError.safeParse(answer.json).data?.code ?? null;
  const byHttp = byStatus(answer, now, code);
  if (byHttp) return byHttp;
  if (answer.status >= 400) return { kind: 'rejected', error: httpError(answer.status, code) };
  const taken = batch.safeParse(answer.json);
  return taken.success
    ? { kind: 'accepted', providerMessageId: taken.data.id }
    : unknown(`HTTP ${answer.status} without a batch id`, code);
}

/** 404 is the service plan's: the address holds nothing else. 403 may also be about the content, which its code says. */
function httpError(status: number, apiCode: string | null): SendError {
  const known = apiCode === null ? undefined : entryOf(API_ERRORS, apiCode);
  const byHttp = entryOf(HTTP_ERRORS, String(status)) ?? 'request_invalid';
  return { code: known ?? byHttp, providerCode: apiCode ?? String(status), detail: `HTTP ${status}` };
}

const HTTP_ERRORS = {
  ...ACCOUNT_STATUSES,
  404: 'account_problem',
} as const;

/** Lists the batches with our reference. Sinch does not promise that a list is complete at once, so absence proves nothing. */
async function lookup(world: ProviderWorld, query: LookupQuery, signal: AbortSignal): Promise<LookupOutcome> {
  const parameters = new URLSearchParams({
    client_reference: query.id,
    start_date: new Date(query.calledAt - LOOKUP_BEFORE_MS).toISOString(),
    page_size: '100',
  });
  const result = await request(world, `${api(world)}?${parameters}`, authorized(world), signal);
  if ('outcome' in result || result.answer.status !== 200) return { kind: 'cannot_tell' };
  const found = batches
    .safeParse(result.answer.json)
    .data?.batches.find(({ client_reference }) => client_reference === query.id);
  return found ? { kind: 'taken', providerMessageId: found.id } : { kind: 'cannot_tell' };
}

function api(world: ProviderWorld): string {
  const region = world.variable('SINCH_REGION') ?? 'us';
  const base = world.variable('SINCH_BASE_URL') ?? `https://${region}.sms.api.sinch.com`;
  const plan = encodeURIComponent(world.variable('SINCH_SERVICE_PLAN_ID') ?? '');
  return `${baseUrl(base)}/xms/v1/${plan}/batches`;
}

function authorized(world: ProviderWorld): { headers: Record<string, string> } {
  return {
    headers: {
      authorization: `Bearer ${world.variable('SINCH_API_TOKEN') ?? ''}`,
      accept: 'application/json',
      'content-type': 'application/json',
    },
  };
}
