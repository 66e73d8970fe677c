/** Twilio's status callbacks and inbound texts: forms, or JSON with its digest in the URL. */
import { z } from 'zod';
import type { ReceiptNote } from '../../platform/runtime.ts';
import { secretsOf } from '../../platform/signature.ts';
import type { Callback, CallbackRefusal, CallbackRequest, InboundText, ProviderWorld } from '../provider.ts';
import { bodyJson, cleanText, entryOf, itemsOf, providerId, refused } from './callback-items.ts';
import { repliesItself } from './keyword-replies.ts';
import { ERROR_CODES, STATUSES } from './twilio-codes.ts';
import { bodyMatchesUrl, type FormParameters, formParameters, signedByTwilio } from './twilio-signature.ts';

const status = z
  .object({
    MessageSid: providerId.optional(),
    SmsSid: providerId.optional(),
    MessageStatus: z.string().optional(),
    SmsStatus: z.string().optional(),
    ErrorCode: z.union([z.string(), z.number()]).transform(String).nullish(),
  })
  .transform(({ MessageSid, SmsSid, MessageStatus, SmsStatus, ErrorCode }) => ({
    sid: MessageSid ?? SmsSid,
    state: MessageStatus ?? SmsStatus,
    code: ErrorCode ? ErrorCode : null,
  }))
  .refine(({ sid, state }) => sid !== undefined && state !== undefined);

const inbound = z
  .object({
    MessageSid: providerId.optional(),
    SmsSid: providerId.optional(),
    From: z.string().min(1).max(64),
    To: z.string().max(64).nullish(),
    Body: cleanText.default(''),
    OptOutType: z.string().nullish(),
  })
  .refine(({ MessageSid, SmsSid }) => (MessageSid ?? SmsSid) !== undefined);

/** What Twilio's own handling of keywords took a text for. */
const OPT_OUT_TYPES = { STOP: 'opt_out', START: 'opt_in', HELP: 'help' } as const;

export async function twilioStatus(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<ReceiptNote>> {
  const fields = await verifiedFields(world, request);
  if (typeof fields === 'string') return refused(fields);
  const reference = new URL(request.url).searchParams.get('ref');
  return itemsOf([fields.value], status, ({ sid, state, code }) => {
    const known = entryOf(STATUSES, (state ?? '').toLowerCase());
    if (known === undefined || sid === undefined) return null;
    return {
      provider: 'twilio',
      provider_message_id: sid,
      reference: reference === '' ? null : reference,
      state: known,
      code,
      error: code === null ? null : (entryOf(ERROR_CODES, code) ?? 'rejected'),
      parts: null, // one callback stands for all segments
      part: null,
    };
  });
}

export async function twilioInbound(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<InboundText>> {
  const fields = await verifiedFields(world, request);
  if (typeof fields === 'string') return refused(fields);
  return itemsOf([fields.value], inbound, ({ MessageSid, SmsSid, From, To, Body, OptOutType }) => {
    const keyword = entryOf(OPT_OUT_TYPES, (OptOutType ?? '').toUpperCase()) ?? null;
    return {
      from: From,
      to: To ?? null,
      text: Body,
      at: world.now(), // Twilio does not say when a text was sent
      deliveryId: `twilio:${MessageSid ?? SmsSid}`,
      providerKeyword: keyword,
      providerReplies: repliesItself(world, 'TWILIO_KEYWORD_REPLIES', Body, keyword),
    };
  });
}

/** The parameters of a callback that Twilio has signed, or why they do not count. */
async function verifiedFields(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<{ readonly value: unknown } | CallbackRefusal> {
  const tokens = secretsOf(world.variable('TWILIO_AUTH_TOKEN'));
  if (tokens.length === 0) return 'not_configured';
  const signature = request.headers.get('x-twilio-signature');
  if (!signature) return 'signature_missing';
  const { url } = request;
  if (new URL(url).searchParams.has('bodySHA256')) {
    const signed = await signedByTwilio(tokens, url, {}, signature);
    if (!signed || !(await bodyMatchesUrl(url, request.body))) return 'signature_mismatch';
    const value = bodyJson(request.body);
    return value === undefined ? 'malformed' : { value };
  }
  const form = request.method === 'GET' ? {} : formOf(request.body);
  if (!(await signedByTwilio(tokens, url, form, signature))) return 'signature_mismatch';
  const fields = request.method === 'GET' ? formParameters(new URL(url).search.slice(1)) : form;
  return { value: firstValues(fields) };
}

function formOf(body: Uint8Array): FormParameters {
  return formParameters(new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(body));
}

function firstValues(fields: FormParameters): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : (value[0] ?? ''),
    ]),
  );
}
