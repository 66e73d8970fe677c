/**
 * Plivo: Message API. It takes no reference of ours, so our message id stands in the address of the status callback.
 * Documented at https://www.plivo.com/docs/messaging/api/message/send-a-message.
 */
import { z } from 'zod';
import { secretsOf } from '../../platform/signature.ts';
import type { SendErrorCode } from '../errors.ts';
import type {
  OutboundMessage,
  Provider,
  ProviderDefinition,
  ProviderWorld,
  SendOutcome,
} from '../provider.ts';
import { entryOf } from './callback-items.ts';
import { ACCOUNT_STATUSES, basicAuth, byStatus, type HttpAnswer, request, unknown } from './http.ts';
import { plivoInbound, plivoStatus } from './plivo-callbacks.ts';
import { PLIVO_CODES } from './plivo-codes.ts';
import { baseUrl, callbackUrl, unsendable } from './settings.ts';

const created = z.object({ message_uuid: z.array(z.string().min(1).max(200)).min(1) });
const refusal = z.object({ error_code: z.coerce.string().max(20) });
const withoutId = z.object({
  message_uuid: z.array(z.unknown()).length(0),
  invalid_number: z.array(z.unknown()).min(1),
});

/** Plivo's bounds for a message's expiry. Unit: seconds. */
const [MIN_EXPIRY, MAX_EXPIRY] = [5, 14_400];

export const plivo: ProviderDefinition = {
  name: 'plivo',
  required: ['PLIVO_AUTH_ID', 'PLIVO_AUTH_TOKEN'],
  requiredForCallbacks: ['PLIVO_AUTH_TOKEN'],
  optional: ['PLIVO_BASE_URL', 'PLIVO_SIGNATURE', 'PLIVO_KEYWORD_REPLIES', 'PUBLIC_URL'],
  connect: (world): Provider => ({
    name: 'plivo',
    channels: ['sms', 'mms'],
    send: (message, signal) => send(world, message, signal),
    // No look-up: a message of Plivo's shows no reference of ours.
    readStatus: (callback) => plivoStatus(world, callback),
    readInbound: (callback) => plivoInbound(world, callback),
  }),
};

async function send(
  world: ProviderWorld,
  message: OutboundMessage,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const hindrance = unsendable(world, plivo.required, api(world));
  if (hindrance) return hindrance;
  const status = callbackUrl(world.variable('PUBLIC_URL'), 'plivo/status');
  const body = {
    src: message.sender,
    dst: message.number,
    type: message.channel,
    ...(message.body !== '' && { text: message.body }),
    ...(message.mediaUrls.length > 0 && { media_urls: message.mediaUrls }),
    ...(status !== null && { url: `${status}?ref=${encodeURIComponent(message.id)}`, method: 'POST' }),
    message_expiry: Math.max(MIN_EXPIRY, Math.min(message.validitySeconds, MAX_EXPIRY)),
  };
  const [token = ''] = secretsOf(world.variable('PLIVO_AUTH_TOKEN'));
  const headers = {
    authorization: basicAuth(world.variable('PLIVO_AUTH_ID') ?? '', token),
    accept: 'application/json',
    'content-type': 'application/json',
  };
  const init = { method: 'POST', headers, body: JSON.stringify(body) };
  const result = await request(world, api(world), init, signal);
  return 'outcome' in result ? result.outcome : classify(result.answer, world.now());
}

function classify(answer: HttpAnswer, now: number): SendOutcome {
  const code = refusal.safeParse(answer.json).data?.error_code ?? null;
  const byHttp = byStatus(answer, now, code);
  if (byHttp) return byHttp;
  if (answer.status >= 400) {
    const known = entryOf(PLIVO_CODES, code ?? '') ?? entryOf(HTTP_ERRORS, String(answer.status));
    return rejected(known ?? 'request_invalid', code ?? String(answer.status), `HTTP ${answer.status}`);
  }
  if (withoutId.safeParse(answer.json).success) return rejected('number_invalid', code, 'invalid number');
  const [id] = created.safeParse(answer.json).data?.message_uuid ?? [];
  return id === undefined
    ? unknown(`HTTP ${answer.status} without a message UUID`, code)
    : { kind: 'accepted', providerMessageId: id };
}

const HTTP_ERRORS: Readonly<Record<string, SendErrorCode>> = {
  ...ACCOUNT_STATUSES,
  404: 'account_problem',
};

function rejected(code: SendErrorCode, providerCode: string | null, detail: string): SendOutcome {
  return { kind: 'rejected', error: { code, providerCode, detail } };
}

function api(world: ProviderWorld): string {
  const base = baseUrl(world.variable('PLIVO_BASE_URL') ?? 'https://api.plivo.com');
  return `${base}/v1/Account/${encodeURIComponent(world.variable('PLIVO_AUTH_ID') ?? '')}/Message/`;
}
