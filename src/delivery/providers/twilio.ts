/**
 * Twilio: Programmable Messaging, one POST for each text. Twilio takes no reference of ours, so our id travels in the
 * address of the status callback. Documented at https://www.twilio.com/docs/messaging/api/message-resource.
 */
import { z } from 'zod';
import { secretsOf } from '../../platform/signature.ts';
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
import { entryOf, withoutNumbers } from './callback-items.ts';
import {
  ACCOUNT_STATUSES,
  basicAuth,
  byStatus,
  type HttpAnswer,
  request,
  throttled,
  unknown,
} from './http.ts';
import { baseUrl, callbackUrl, unsendable } from './settings.ts';
import { twilioInbound, twilioStatus } from './twilio-callbacks.ts';
import { ERROR_CODES } from './twilio-codes.ts';

const resource = z.object({
  sid: z.string().min(1).max(200),
  status: z.string().nullish(),
  error_code: z.union([z.number(), z.string()]).transform(String).nullish(),
  num_segments: z.coerce.number().int().positive().max(255).optional().catch(undefined),
});
const apiError = z.object({
  code: z.union([z.number(), z.string()]).transform(String),
  message: z.string().default(''),
});

/** The longest `ValidityPeriod` that Twilio takes. Unit: seconds. */
const MAX_VALIDITY = 36_000;
const MAX_MEDIA = 10;
/** Statuses in which a text that was just created has failed already. */
const FAILED = new Set(['failed', 'undelivered', 'canceled']);
/** An inbound text is answered by TwiML; an empty one says nothing to the sender. */
const EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>';

export const twilio: ProviderDefinition = {
  name: 'twilio',
  required: ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN'],
  requiredForCallbacks: ['TWILIO_AUTH_TOKEN'],
  optional: [
    'TWILIO_API_KEY',
    'TWILIO_API_KEY_SECRET',
    'TWILIO_MESSAGING_SERVICE_SID',
    'TWILIO_REGION',
    'TWILIO_EDGE',
    'TWILIO_BASE_URL',
    'TWILIO_KEYWORD_REPLIES',
    'PUBLIC_URL',
  ],
  connect: (world): Provider => ({
    name: 'twilio',
    channels: ['sms', 'mms'],
    send: (message, signal) => send(world, message, signal),
    lookup: (query, signal) => lookup(world, query, signal),
    readStatus: (callback) => twilioStatus(world, callback),
    readInbound: (callback) => twilioInbound(world, callback),
    acknowledge: () => new Response(EMPTY_TWIML, { headers: { 'content-type': 'text/xml; charset=utf-8' } }),
  }),
};

async function send(
  world: ProviderWorld,
  message: OutboundMessage,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const url = `${messagesUrl(world)}.json`;
  const hindrance = unsendable(world, twilio.required, url);
  if (hindrance) return hindrance;
  if (message.mediaUrls.length > MAX_MEDIA) return { kind: 'rejected', error: TOO_MANY_MEDIA };
  const form = new URLSearchParams({ To: message.number, From: message.sender });
  if (message.body !== '') form.set('Body', message.body);
  for (const media of message.mediaUrls) form.append('MediaUrl', media);
  const service = world.variable('TWILIO_MESSAGING_SERVICE_SID');
  if (service !== undefined) form.set('MessagingServiceSid', service);
  form.set('ValidityPeriod', String(Math.max(1, Math.min(message.validitySeconds, MAX_VALIDITY))));
  const report = callbackUrl(
    world.variable('PUBLIC_URL'),
    `twilio/status?ref=${encodeURIComponent(message.id)}`,
  );
  if (report !== null) form.set('StatusCallback', report);
  const headers = { ...authorized(world), 'content-type': 'application/x-www-form-urlencoded' };
  const result = await request(world, url, { method: 'POST', headers, body: form.toString() }, signal);
  return 'outcome' in result ? result.outcome : classify(result.answer, world.now());
}

const TOO_MANY_MEDIA: SendError = {
  code: 'content_invalid',
  providerCode: null,
  detail: `Twilio takes at most ${MAX_MEDIA} media`,
};

function classify(answer: HttpAnswer, now: number): SendOutcome {
  const refusal = apiError.safeParse(answer.json).data;
  const byHttp = byStatus(answer, now, refusal?.code ?? null);
  if (byHttp) return byHttp;
  if (answer.status >= 400) {
    const error = refusalOf(answer.status, refusal);
    // A full queue is no refusal for good, though it comes as a 400.
    return error.code === 'throttled'
      ? throttled(answer, now, error.providerCode)
      : { kind: 'rejected', error };
  }
  const created = resource.safeParse(answer.json).data;
  if (!created) return unknown(`HTTP ${answer.status} without a message`, null);
  const { sid, status, error_code, num_segments } = created;
  if (FAILED.has(status ?? '')) {
    const code = (error_code != null && entryOf(ERROR_CODES, error_code)) || 'rejected';
    return {
      kind: 'rejected',
      error: { code, providerCode: error_code ?? null, detail: `status ${status}` },
    };
  }
  return {
    kind: 'accepted',
    providerMessageId: sid,
    ...(num_segments !== undefined && { parts: num_segments }),
  };
}

function refusalOf(httpStatus: number, refusal: z.output<typeof apiError> | undefined): SendError {
  const byHttp = entryOf(HTTP_ERRORS, String(httpStatus)) ?? 'request_invalid';
  const known = refusal && entryOf(ERROR_CODES, refusal.code);
  return {
    code: known ?? (refusal && httpStatus === 400 ? 'rejected' : byHttp),
    providerCode: refusal?.code ?? String(httpStatus),
    detail: refusal && refusal.message !== '' ? withoutNumbers(refusal.message) : `HTTP ${httpStatus}`,
  };
}

const HTTP_ERRORS = {
  ...ACCOUNT_STATUSES,
  404: 'account_problem',
} as const;

/** By Twilio's own id only: without it, no list tells our text from another one to the same number. */
async function lookup(world: ProviderWorld, query: LookupQuery, signal: AbortSignal): Promise<LookupOutcome> {
  if (query.providerMessageId === null) return { kind: 'cannot_tell' };
  const url = `${messagesUrl(world)}/${encodeURIComponent(query.providerMessageId)}.json`;
  const result = await request(world, url, { headers: authorized(world) }, signal);
  if ('outcome' in result || result.answer.status !== 200) return { kind: 'cannot_tell' };
  const found = resource.safeParse(result.answer.json).data;
  return found ? { kind: 'taken', providerMessageId: found.sid } : { kind: 'cannot_tell' };
}

function messagesUrl(world: ProviderWorld): string {
  const [edge, region] = [world.variable('TWILIO_EDGE'), world.variable('TWILIO_REGION')];
  const host = ['api', edge, region ?? (edge === undefined ? undefined : 'us1'), 'twilio.com'];
  const own = `https://${host.filter((part) => part !== undefined).join('.')}`;
  const base = baseUrl(world.variable('TWILIO_BASE_URL') ?? own);
  return `${base}/2010-04-01/Accounts/${encodeURIComponent(world.variable('TWILIO_ACCOUNT_SID') ?? '')}/Messages`;
}

/** An API key where one is set, else the account's auth token; of several tokens the first. */
function authorized(world: ProviderWorld): Record<string, string> {
  const [key, secret] = [world.variable('TWILIO_API_KEY'), world.variable('TWILIO_API_KEY_SECRET')];
  const [token = ''] = secretsOf(world.variable('TWILIO_AUTH_TOKEN'));
  const login =
    key !== undefined && secret !== undefined
      ? basicAuth(key, secret)
      : basicAuth(world.variable('TWILIO_ACCOUNT_SID') ?? '', token);
  return { authorization: login, accept: 'application/json' };
}
