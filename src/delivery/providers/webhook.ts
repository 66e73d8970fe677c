/** `webhook`: any gateway that somebody writes. The contract is ours and stands in docs/provider-webhook.md. */
import { z } from 'zod';
import { hmac, secretsOf, toHex } from '../../platform/signature.ts';
import { SEND_ERRORS, type SendError, type SendErrorCode } from '../errors.ts';
import type {
  LookupOutcome,
  LookupQuery,
  OutboundMessage,
  Provider,
  ProviderDefinition,
  ProviderWorld,
  SendOutcome,
} from '../provider.ts';
import { withoutNumbers } from './callback-items.ts';
import { byStatus, type HttpAnswer, request, retryAfterMs, unknown } from './http.ts';
import { callbackUrl, unsendable } from './settings.ts';
import { webhookInbound, webhookStatus } from './webhook-callbacks.ts';

const taken = z.object({
  id: z.string().min(1).max(200),
  // What is wrong with an extra does not make a taken text unknown.
  parts: z.number().int().positive().max(255).optional().catch(undefined),
});

const refusal = z.object({
  error: z.object({
    code: z.string().min(1).max(100),
    provider_code: z.string().max(100).nullish(),
    detail: z.string().nullish(),
  }),
});

const notTaken = z.object({ taken: z.literal(false) });

export const webhook: ProviderDefinition = {
  name: 'webhook',
  required: ['WEBHOOK_URL', 'WEBHOOK_SECRET'],
  requiredForCallbacks: ['WEBHOOK_SECRET'],
  optional: ['PUBLIC_URL'],
  connect: (world): Provider => ({
    name: 'webhook',
    channels: ['sms', 'mms'],
    send: (message, signal) => send(world, message, signal),
    lookup: (query, signal) => lookup(world, query, signal),
    readStatus: (callback) => webhookStatus(world, callback),
    readInbound: (callback) => webhookInbound(world, callback),
  }),
};

async function send(
  world: ProviderWorld,
  message: OutboundMessage,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const url = world.variable('WEBHOOK_URL') ?? '';
  const hindrance = unsendable(world, webhook.required, url);
  if (hindrance) return hindrance;
  const body = JSON.stringify({
    id: message.id,
    channel: message.channel,
    from: message.sender,
    to: message.number,
    text: message.body,
    media_urls: message.mediaUrls,
    validity_seconds: message.validitySeconds,
    sent_at: new Date(world.now()).toISOString(),
    status_url: callbackUrl(world.variable('PUBLIC_URL'), 'webhook/status'),
  });
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json',
    'idempotency-key': message.id,
    'x-hub-signature-256': await hubSignature(world, body),
  };
  const result = await request(world, url, { method: 'POST', headers, body }, signal);
  return 'outcome' in result ? result.outcome : classify(result.answer, world.now());
}

function classify(answer: HttpAnswer, now: number): SendOutcome {
  const said = refusal.safeParse(answer.json).data?.error;
  const providerCode = said?.provider_code ?? said?.code ?? null;
  const byHttp = byStatus(answer, now, providerCode);
  if (byHttp) return byHttp;
  if (said) {
    const error: SendError = {
      code: isErrorCode(said.code) ? said.code : 'rejected',
      providerCode,
      detail: said.detail ? withoutNumbers(said.detail) : null,
    };
    return error.code === 'throttled' || error.code === 'provider_down'
      ? { kind: 'retry_later', afterMs: retryAfterMs(answer.headers.get('retry-after'), now), error }
      : { kind: 'rejected', error };
  }
  // Neither says that nothing was taken.
  if (answer.status === 408 || answer.status === 409) return unknown(`HTTP ${answer.status}`, null);
  if (answer.status >= 400) {
    const code = answer.status === 401 || answer.status === 403 ? 'account_problem' : 'request_invalid';
    const error = { code, providerCode: String(answer.status), detail: `HTTP ${answer.status}` } as const;
    return { kind: 'rejected', error };
  }
  const parsed = taken.safeParse(answer.json);
  if (!parsed.success) return unknown(`HTTP ${answer.status} without an id`, null);
  const { id, parts } = parsed.data;
  return { kind: 'accepted', providerMessageId: id, ...(parts !== undefined && { parts }) };
}

function isErrorCode(code: string): code is SendErrorCode {
  return Object.hasOwn(SEND_ERRORS, code);
}

/**
 * `GET WEBHOOK_URL/{id}`, signed over the id, as there is no body. Only a 404 that says `{"taken": false}` is believed: any
 * web server answers 404 to an address that it does not know.
 */
async function lookup(world: ProviderWorld, query: LookupQuery, signal: AbortSignal): Promise<LookupOutcome> {
  const url = URL.parse(world.variable('WEBHOOK_URL') ?? '');
  if (url === null) return { kind: 'cannot_tell' };
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${encodeURIComponent(query.id)}`;
  const headers = {
    accept: 'application/json',
    'x-hub-signature-256': await hubSignature(world, query.id),
  };
  const result = await request(world, url.href, { headers }, signal);
  if ('outcome' in result) return { kind: 'cannot_tell' };
  const { status, json } = result.answer;
  if (status === 404)
    return notTaken.safeParse(json).success ? { kind: 'not_taken' } : { kind: 'cannot_tell' };
  const found = taken.safeParse(json);
  return status === 200 && found.success
    ? { kind: 'taken', providerMessageId: found.data.id }
    : { kind: 'cannot_tell' };
}

/** Signs with the first of the secrets; callbacks may be signed with any. */
async function hubSignature(world: ProviderWorld, data: string): Promise<string> {
  const [secret = ''] = secretsOf(world.variable('WEBHOOK_SECRET'));
  return `sha256=${toHex(await hmac('SHA-256', secret, data))}`;
}
