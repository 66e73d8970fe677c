/** Plivo's message status and inbound callbacks, forms by POST or queries by GET. */
import { z } from 'zod';
import type { ReceiptNote } from '../../platform/runtime.ts';
import { secretsOf } from '../../platform/signature.ts';
import type { Callback, CallbackRefusal, CallbackRequest, InboundText, ProviderWorld } from '../provider.ts';
import { cleanText, entryOf, itemsOf, providerId, refused } from './callback-items.ts';
import { fieldsOf, referenceOf } from './form.ts';
import { repliesItself } from './keyword-replies.ts';
import { PLIVO_CODES } from './plivo-codes.ts';
import { plivoRefusal } from './plivo-signature.ts';

const status = z.object({
  MessageUUID: providerId,
  ParentMessageUUID: z.string().max(200).optional(),
  /** `1 of 2`, where the carrier reports each part. */
  PartInfo: z.string().max(40).optional(),
  Status: z.string(),
  ErrorCode: z.string().max(20).optional(),
});
const inbound = z.object({
  MessageUUID: providerId,
  From: cleanText.pipe(z.string().min(1).max(64)),
  To: cleanText.optional(),
  Text: cleanText.default(''),
});

const STATES: Readonly<Record<string, ReceiptNote['state']>> = {
  queued: 'sent',
  sent: 'sent',
  delivered: 'delivered',
  read: 'delivered',
  undelivered: 'undelivered',
  failed: 'failed',
  rejected: 'failed',
};

export async function plivoStatus(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<ReceiptNote>> {
  const refusal = await refusalOf(world, request);
  if (refusal) return refused(refusal);
  return itemsOf([fieldsOf(request)], status, (fields) => {
    const state = entryOf(STATES, fields.Status.toLowerCase());
    if (state === undefined) return null;
    const bad = state === 'undelivered' || state === 'failed';
    const code = bad ? fields.ErrorCode || null : null;
    const [, part = null, parts = null] = /^(\d{1,3})\D+(\d{1,3})$/.exec(fields.PartInfo ?? '') ?? [];
    return {
      provider: 'plivo',
      provider_message_id: fields.ParentMessageUUID || fields.MessageUUID,
      reference: referenceOf(request.url),
      state,
      code,
      error: bad ? (entryOf(PLIVO_CODES, code ?? '') ?? 'rejected') : null,
      parts: parts === null ? null : Number(parts),
      part,
    };
  });
}

export async function plivoInbound(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<InboundText>> {
  const refusal = await refusalOf(world, request);
  if (refusal) return refused(refusal);
  return itemsOf([fieldsOf(request)], inbound, (text) => ({
    from: text.From,
    to: text.To ?? null,
    text: text.Text,
    at: world.now(), // Plivo does not say when it was sent
    deliveryId: `plivo:${text.MessageUUID}`,
    providerKeyword: null,
    providerReplies: repliesItself(world, 'PLIVO_KEYWORD_REPLIES', text.Text, null),
  }));
}

async function refusalOf(world: ProviderWorld, request: CallbackRequest): Promise<CallbackRefusal | null> {
  const tokens = secretsOf(world.variable('PLIVO_AUTH_TOKEN'));
  return await plivoRefusal(request, tokens, world.variable('PLIVO_SIGNATURE')?.toLowerCase() === 'v2');
}
