/**
 * Telnyx's webhooks, proven by Ed25519 over `timestamp|body`; both kinds may come to either address. Source:
 * https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks.
 */
import { z } from 'zod';
import type { ReceiptNote } from '../../platform/runtime.ts';
import { fromBase64, matchesAny, secretsOf, toBase64, withinWindow } from '../../platform/signature.ts';
import { concat, REPLAY_WINDOW_MS } from '../../platform/standard-webhooks.ts';
import type { Callback, CallbackRefusal, CallbackRequest, InboundText, ProviderWorld } from '../provider.ts';
import { bodyJson, cleanText, entryOf, itemsOf, providerId, refused, timeOf } from './callback-items.ts';
import { referenceOf } from './form.ts';
import { repliesItself } from './keyword-replies.ts';
import { TELNYX_CODES } from './telnyx-codes.ts';

const envelope = z.object({ data: z.object({ event_type: z.string(), payload: z.unknown() }) });
const status = z.object({
  id: providerId,
  to: z.array(z.object({ status: z.string() })).min(1),
  errors: z.array(z.object({ code: z.coerce.string().max(20) })).nullish(),
  tags: z.array(z.string()).nullish().catch(null),
});
const inbound = z.object({
  id: providerId,
  from: z.object({ phone_number: cleanText.pipe(z.string().min(1).max(64)) }),
  to: z.array(z.object({ phone_number: cleanText })).nullish(),
  text: cleanText.nullish(),
  received_at: z.string().nullish(),
  autoresponse_type: z.string().nullish(),
});

const STATES: Readonly<Record<string, ReceiptNote['state']>> = {
  queued: 'sent',
  sending: 'sent',
  sent: 'sent',
  delivered: 'delivered',
  delivery_unconfirmed: 'sent', // final, and yet says neither that it came nor that it did not
  sending_failed: 'failed',
  delivery_failed: 'undelivered',
  expired: 'undelivered',
};

const AUTORESPONSES = {
  opt_out: 'opt_out',
  stop: 'opt_out',
  opt_in: 'opt_in',
  start: 'opt_in',
  help: 'help',
} as const;

export async function telnyxStatus(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<ReceiptNote>> {
  const event = await verified(world, request);
  if (typeof event === 'string') return refused(event);
  if (event.event_type !== 'message.sent' && event.event_type !== 'message.finalized')
    return { ok: true, items: [] };
  return itemsOf([event.payload], status, ({ id, to: [recipient], errors, tags }) => {
    const state = entryOf(STATES, recipient?.status ?? '');
    if (state === undefined) return null;
    const bad = state === 'undelivered' || state === 'failed';
    const code = bad ? (errors?.[0]?.code ?? null) : null;
    return {
      provider: 'telnyx',
      provider_message_id: id,
      reference: referenceOf(request.url) ?? tags?.[0] ?? null,
      state,
      code,
      error: bad
        ? (entryOf(TELNYX_CODES, code ?? '') ??
          (recipient?.status === 'expired' ? 'expired_at_carrier' : 'rejected'))
        : null,
      parts: null,
      part: null,
    };
  });
}

export async function telnyxInbound(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<InboundText>> {
  const event = await verified(world, request);
  if (typeof event === 'string') return refused(event);
  if (event.event_type !== 'message.received') return { ok: true, items: [] };
  return itemsOf([event.payload], inbound, (text) => {
    const providerKeyword = entryOf(AUTORESPONSES, (text.autoresponse_type ?? '').toLowerCase()) ?? null;
    const words = text.text ?? '';
    return {
      from: text.from.phone_number,
      to: text.to?.[0]?.phone_number ?? null,
      text: words,
      at: timeOf(text.received_at, world.now()),
      deliveryId: `telnyx:${text.id}`,
      providerKeyword,
      providerReplies: repliesItself(world, 'TELNYX_KEYWORD_REPLIES', words, providerKeyword),
    };
  });
}

async function verified(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<{ readonly event_type: string; readonly payload?: unknown } | CallbackRefusal> {
  const keys = secretsOf(world.variable('TELNYX_PUBLIC_KEY'));
  if (keys.length === 0) return 'not_configured';
  const signature = request.headers.get('telnyx-signature-ed25519');
  const timestamp = request.headers.get('telnyx-timestamp');
  if (!signature || !timestamp) return 'signature_missing';
  const signed = concat(new TextEncoder().encode(`${timestamp}|`), request.body);
  if (!(await matchesAny(keys, (key) => verifies(key, signature, signed)))) return 'signature_mismatch';
  const inWindow =
    /^\d{1,12}$/.test(timestamp) && withinWindow(Number(timestamp) * 1000, world.now(), REPLAY_WINDOW_MS);
  if (!inWindow) return 'timestamp_out_of_range';
  return envelope.safeParse(bodyJson(request.body)).data?.data ?? 'malformed';
}

async function verifies(publicKey: string, value: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const [key, signature] = [fromBase64(publicKey), fromBase64(value)];
  if (key?.length !== 32 || signature?.length !== 64 || toBase64(signature) !== value) return false;
  const imported = await crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
  return await crypto.subtle.verify({ name: 'Ed25519' }, imported, signature, signed);
}
