/**
 * Infobip: SMS API v3, MMS API v2. Our message id is Infobip's message id, so a text that was taken twice is refused the
 * second time, and a log can be asked about it. Documented at https://www.infobip.com/docs/api/channels/sms.
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
import { byStatus, type HttpAnswer, request, unknown } from './http.ts';
import { infobipInbound, infobipStatus, reportToken } from './infobip-callbacks.ts';
import { DUPLICATE_MESSAGE_ID, gsmError, type NamedCode, namedCode, statusError } from './infobip-codes.ts';
import { baseUrl, callbackUrl, unsendable } from './settings.ts';

const messageStatus = namedCode.extend({ groupId: z.number().int().min(0).max(5) });

const sendAnswer = z.object({
  messages: z.tuple([
    z.object({
      messageId: z.string().min(1).max(200),
      status: messageStatus,
      details: z.object({ messageCount: z.number().int().positive().optional() }).nullish().catch(null),
    }),
  ]),
});

/** The API's two error bodies: that of v3, and the older one that some layers still answer with. */
const errorAnswer = z.union([
  z.object({ errorCode: z.string().max(100) }).transform(({ errorCode }) => errorCode),
  z
    .object({ requestError: z.object({ serviceException: z.object({ messageId: z.string().max(100) }) }) })
    .transform(({ requestError }) => requestError.serviceException.messageId),
]);

const logAnswer = z.object({
  results: z.array(z.object({ messageId: z.string(), status: messageStatus })),
});

/** Longer than 48 hours is not supported. Unit: seconds. */
const MAX_VALIDITY = 48 * 3600;

export const infobip: ProviderDefinition = {
  name: 'infobip',
  required: ['INFOBIP_BASE_URL', 'INFOBIP_API_KEY'],
  requiredForCallbacks: ['INFOBIP_CALLBACK_SECRET'],
  optional: ['PUBLIC_URL'],
  connect: (world): Provider => ({
    name: 'infobip',
    channels: ['sms', 'mms'],
    send: (message, signal) => send(world, message, signal),
    lookup: (query, signal) => lookup(world, query, signal),
    readStatus: (callback) => infobipStatus(world, callback),
    readInbound: (callback) => infobipInbound(world, callback),
    acknowledge: () => new Response(null, { status: 200 }), // the one status that its reference names
  }),
};

async function send(
  world: ProviderWorld,
  message: OutboundMessage,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const sms = message.channel === 'sms';
  const body = {
    messages: [
      {
        sender: message.sender.replace(/^\+/, ''),
        destinations: [{ to: message.number.replace(/^\+/, ''), messageId: message.id }],
        content: sms ? { text: message.body } : { messageSegments: segments(message) },
        options: {
          validityPeriod: {
            amount: Math.max(1, Math.min(message.validitySeconds, MAX_VALIDITY)),
            timeUnit: 'SECONDS',
          },
        },
        webhooks: await webhooks(world, message.id),
      },
    ],
    ...(sms && { options: { includeSmsCountInResponse: true } }),
  };
  const url = api(world, sms ? '/sms/3/messages' : '/mms/2/messages');
  const hindrance = unsendable(world, infobip.required, url);
  if (hindrance) return hindrance;
  const result = await request(world, url, { ...authorized(world), ...json(body) }, signal);
  return 'outcome' in result ? result.outcome : classify(result.answer, world.now());
}

/** The text as a segment of its own, then each medium as a link that Infobip fetches. */
function segments(message: OutboundMessage): readonly Record<string, string>[] {
  return [
    ...(message.body === '' ? [] : [{ type: 'TEXT', text: message.body }]),
    ...message.mediaUrls.map((contentUrl) => ({
      type: 'LINK',
      contentType: mediaType(contentUrl),
      contentUrl,
    })),
  ];
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  gif: 'image/gif',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  mp3: 'audio/mpeg',
  mp4: 'video/mp4',
  pdf: 'application/pdf',
  png: 'image/png',
  vcf: 'text/vcard',
  webp: 'image/webp',
};

/** Infobip wants to be told; what an address does not say is most often a picture. */
function mediaType(url: string): string {
  const extension = /\.([a-z0-9]+)(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase() ?? '';
  return entryOf(MEDIA_TYPES, extension) ?? 'image/jpeg';
}

/** Where the report goes. Reports to such an address are not signed, so the address itself carries a proof. */
async function webhooks(world: ProviderWorld, id: string): Promise<Record<string, unknown>> {
  const url = callbackUrl(world.variable('PUBLIC_URL'), 'infobip/status');
  const token = await reportToken(world, id);
  if (url === null || token === null) return { callbackData: id };
  return {
    callbackData: id,
    contentType: 'application/json',
    delivery: { url: `${url}?id=${encodeURIComponent(id)}&token=${token}`, intermediateReport: false },
  };
}

function classify(answer: HttpAnswer, now: number): SendOutcome {
  const apiCode = errorAnswer.safeParse(answer.json).data ?? null;
  const byHttp = byStatus(answer, now, apiCode);
  if (byHttp) return byHttp;
  if (answer.status >= 400) return { kind: 'rejected', error: httpError(answer.status, apiCode) };
  const parsed = sendAnswer.safeParse(answer.json);
  if (!parsed.success) return unknown(`HTTP ${answer.status} without a message status`, apiCode);
  const [{ messageId, status, details }] = parsed.data.messages;
  if (status.groupId <= 1 || status.groupId === 3) {
    const parts = details?.messageCount;
    return { kind: 'accepted', providerMessageId: messageId, ...(parts !== undefined && { parts }) };
  }
  return refusal(status);
}

/** HTTP 200, but refused. A duplicate id proves an earlier call, and says nothing of its fate. */
function refusal(status: NamedCode): SendOutcome {
  const providerCode = status.name ?? String(status.id ?? '');
  if (providerCode === DUPLICATE_MESSAGE_ID || status.id === 23) {
    return unknown('this message id was submitted before', DUPLICATE_MESSAGE_ID);
  }
  const code = statusError(status) ?? gsmError(status) ?? 'rejected';
  const error: SendError = { code, providerCode, detail: null };
  return code === 'throttled' || code === 'provider_down'
    ? { kind: 'retry_later', afterMs: null, error }
    : { kind: 'rejected', error };
}

function httpError(status: number, providerCode: string | null): SendError {
  const code = status === 401 || status === 403 ? 'account_problem' : 'request_invalid';
  return { code, providerCode: providerCode ?? String(status), detail: `HTTP ${status}` };
}

/**
 * Asks the message log, which keeps 48 hours and, unlike the report endpoint, consumes nothing. An absent entry proves
 * nothing: the log is written later than the answer. A rejected one proves that no text went out.
 */
async function lookup(world: ProviderWorld, query: LookupQuery, signal: AbortSignal): Promise<LookupOutcome> {
  const id = query.providerMessageId ?? query.id;
  const url = api(world, `/sms/3/logs?messageId=${encodeURIComponent(id)}`);
  const result = await request(world, url, authorized(world), signal);
  if ('outcome' in result || result.answer.status !== 200) return { kind: 'cannot_tell' };
  const entry = logAnswer.safeParse(result.answer.json).data?.results.find((row) => row.messageId === id);
  if (!entry) return { kind: 'cannot_tell' };
  return entry.status.groupId === 5 ? { kind: 'not_taken' } : { kind: 'taken', providerMessageId: id };
}

function api(world: ProviderWorld, path: string): string {
  return `${baseUrl(world.variable('INFOBIP_BASE_URL') ?? '')}${path}`;
}

function authorized(world: ProviderWorld): { headers: Record<string, string> } {
  return {
    headers: {
      authorization: `App ${world.variable('INFOBIP_API_KEY') ?? ''}`,
      accept: 'application/json',
      'content-type': 'application/json',
    },
  };
}

function json(body: unknown): RequestInit {
  return { method: 'POST', body: JSON.stringify(body) };
}
