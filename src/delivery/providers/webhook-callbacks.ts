/** What a gateway of somebody's own tells us: receipts and inbound texts, proven by `x-hub-signature-256`. */
import { z } from 'zod';
import { RECEIPT_STATES } from '../../domain/states.ts';
import type { ReceiptNote } from '../../platform/runtime.ts';
import { equalTexts, hmac, matchesAny, secretsOf, toHex, withinWindow } from '../../platform/signature.ts';
import { REPLAY_WINDOW_MS } from '../../platform/standard-webhooks.ts';
import { SEND_ERRORS } from '../errors.ts';
import type { Callback, CallbackRefusal, CallbackRequest, InboundText, ProviderWorld } from '../provider.ts';
import { bodyJson, cleanText, itemsOf, providerId, refused, timeOf } from './callback-items.ts';

const envelope = z.object({ sent_at: z.iso.datetime({ offset: true }).nullish() });
const receipts = z.object({ receipts: z.array(z.unknown()) });
const texts = z.object({ texts: z.array(z.unknown()) });

const receipt = z
  .object({
    id: providerId,
    reference: z.string().min(1).max(200).nullish(),
    state: z.enum(RECEIPT_STATES),
    code: z.string().max(100).nullish(),
    error: z.string().max(100).nullish(),
    parts: z.number().int().positive().max(255).nullish(),
    part: providerId.nullish(),
  })
  .refine(({ parts, part }) => (parts ?? null) === null || (part ?? null) !== null);

const text = z.object({
  id: providerId,
  from: cleanText.pipe(z.string().min(1).max(64)),
  to: cleanText.nullish(),
  text: cleanText,
  at: z.string().nullish(),
});

export async function webhookStatus(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<ReceiptNote>> {
  const body = await verifiedBody(world, request, receipts);
  if (typeof body === 'string') return refused(body);
  return itemsOf(body.receipts, receipt, (item) => ({
    provider: 'webhook',
    provider_message_id: item.id,
    reference: item.reference ?? null,
    state: item.state,
    code: item.code ?? null,
    error: item.error && Object.hasOwn(SEND_ERRORS, item.error) ? item.error : null,
    parts: item.parts ?? null,
    part: item.part ?? null,
  }));
}

export async function webhookInbound(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<InboundText>> {
  const body = await verifiedBody(world, request, texts);
  if (typeof body === 'string') return refused(body);
  return itemsOf(body.texts, text, (item) => ({
    from: item.from,
    to: item.to ?? null,
    text: item.text,
    at: timeOf(item.at, world.now()),
    deliveryId: `webhook:${item.id}`,
    providerKeyword: null,
    providerReplies: false,
  }));
}

/** `sha256=` and the HMAC-SHA256 of the raw body in hexadecimal. A `sent_at` in the body bounds how long it is good for. */
async function verifiedBody<T>(
  world: ProviderWorld,
  request: CallbackRequest,
  schema: z.ZodType<T>,
): Promise<T | CallbackRefusal> {
  const secrets = secretsOf(world.variable('WEBHOOK_SECRET'));
  if (secrets.length === 0) return 'not_configured';
  const signature = request.headers.get('x-hub-signature-256');
  if (!signature) return 'signature_missing';
  const matches = await matchesAny(secrets, async (secret) =>
    equalTexts(`sha256=${toHex(await hmac('SHA-256', secret, request.body))}`, signature.toLowerCase()),
  );
  if (!matches) return 'signature_mismatch';
  const json = bodyJson(request.body);
  const [sealed, content] = [envelope.safeParse(json), schema.safeParse(json)];
  if (!sealed.success || !content.success) return 'malformed';
  const sentAt = sealed.data.sent_at;
  const fresh = !sentAt || withinWindow(Date.parse(sentAt), world.now(), REPLAY_WINDOW_MS);
  return fresh ? content.data : 'timestamp_out_of_range';
}
