/** Vonage's status and inbound webhooks, of the Messages API and of the older SMS API. */
import { z } from 'zod';
import { isJsonObject } from '../../platform/json.ts';
import type { ReceiptNote } from '../../platform/runtime.ts';
import { secretsOf, withinWindow } from '../../platform/signature.ts';
import { REPLAY_WINDOW_MS } from '../../platform/standard-webhooks.ts';
import type { Callback, CallbackRefusal, CallbackRequest, InboundText, ProviderWorld } from '../provider.ts';
import { bodyJson, cleanText, entryOf, itemsOf, providerId, refused, timeOf } from './callback-items.ts';
import { fieldsOf } from './form.ts';
import { repliesItself } from './keyword-replies.ts';
import { VONAGE_CODES, VONAGE_SMS_CODES } from './vonage-codes.ts';
import { jwtRefusal, smsSignatureMatches } from './vonage-signature.ts';

const text200 = z.string().max(200).nullish();
const status = z.union([
  z
    .object({
      message_uuid: providerId,
      status: z.string(),
      client_ref: text200,
      error: z
        .object({ title: z.coerce.string().max(100).nullish() })
        .nullish()
        .catch(null),
    })
    .transform((note) => ({
      id: note.message_uuid,
      status: note.status,
      reference: note.client_ref ?? null,
      code: note.error?.title ?? null,
      codes: VONAGE_CODES,
    })),
  z
    .object({
      messageId: providerId,
      status: z.string(),
      'client-ref': text200,
      'err-code': z.coerce.string().nullish(),
    })
    .transform((note) => ({
      id: note.messageId,
      status: note.status,
      reference: note['client-ref'] ?? null,
      code: note['err-code'] ?? null,
      codes: VONAGE_SMS_CODES,
    })),
]);

const number = z.coerce.string().pipe(cleanText).pipe(z.string().min(1).max(64));
const inbound = z.union([
  z
    .object({
      message_uuid: providerId,
      from: number,
      to: number.nullish(),
      text: cleanText.nullish(),
      timestamp: text200,
    })
    .transform((one) => ({ ...one, id: one.message_uuid, at: one.timestamp })),
  z
    .object({
      messageId: providerId,
      msisdn: number,
      to: number.nullish(),
      text: cleanText.nullish(),
      'message-timestamp': text200,
    })
    .transform((one) => ({
      ...one,
      id: one.messageId,
      from: one.msisdn,
      at: one['message-timestamp']?.replace(' ', 'T').concat('Z'),
    })),
]);

const STATES: Readonly<Record<string, ReceiptNote['state']>> = {
  submitted: 'sent',
  accepted: 'sent',
  buffered: 'sent',
  delivered: 'delivered',
  read: 'delivered',
  rejected: 'failed',
  failed: 'undelivered',
  undeliverable: 'undelivered',
  expired: 'undelivered',
};

export async function vonageStatus(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<ReceiptNote>> {
  const content = await verified(world, request);
  if (typeof content === 'string') return refused(content);
  return itemsOf([content], status, (note) => {
    const state = entryOf(STATES, note.status);
    if (state === undefined) return null;
    const bad = state === 'undelivered' || state === 'failed';
    const fallback = note.status === 'expired' ? 'expired_at_carrier' : 'rejected';
    return {
      provider: 'vonage',
      provider_message_id: note.id,
      reference: note.reference,
      state,
      code: bad ? note.code : null,
      error: bad ? (entryOf(note.codes, note.code ?? '') ?? fallback) : null,
      parts: null,
      part: null,
    };
  });
}

export async function vonageInbound(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<InboundText>> {
  const content = await verified(world, request);
  if (typeof content === 'string') return refused(content);
  return itemsOf([content], inbound, (one) => ({
    from: one.from,
    to: one.to ?? null,
    text: one.text ?? '',
    at: timeOf(one.at, world.now()),
    deliveryId: `vonage:${one.id}`,
    providerKeyword: null,
    providerReplies: repliesItself(world, 'VONAGE_KEYWORD_REPLIES', one.text ?? '', null),
  }));
}

async function verified(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Readonly<Record<string, unknown>> | CallbackRefusal> {
  const secrets = secretsOf(world.variable('VONAGE_SIGNATURE_SECRET'));
  if (secrets.length === 0) return 'not_configured';
  const token = /^Bearer\s+(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
  if (token !== undefined) {
    const refusal = await jwtRefusal(request, token, secrets, world.now());
    if (refusal) return refusal;
    const json = bodyJson(request.body);
    return isJsonObject(json) ? json : 'malformed';
  }
  const fields = smsFields(request);
  if (!fields.sig) return 'signature_missing';
  const method = (world.variable('VONAGE_SIGNATURE_METHOD') ?? 'sha256hmac').toLowerCase();
  if (!(await smsSignatureMatches(fields, secrets, method))) return 'signature_mismatch';
  const at = /^\d{1,12}$/.test(fields.timestamp ?? '') ? Number(fields.timestamp) * 1000 : Number.NaN;
  return withinWindow(at, world.now(), REPLAY_WINDOW_MS) ? fields : 'timestamp_out_of_range';
}

/** The SMS API calls by GET, by form, or by JSON of texts. */
function smsFields(request: CallbackRequest): Readonly<Record<string, string>> {
  const json = request.method === 'GET' ? undefined : bodyJson(request.body);
  if (!isJsonObject(json)) return fieldsOf(request);
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, String(value)]));
}
