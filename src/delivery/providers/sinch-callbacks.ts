/** Sinch's delivery reports and inbound texts, proven by an HMAC over body, nonce and time. */
import { z } from 'zod';
import type { ReceiptNote } from '../../platform/runtime.ts';
import { equalTexts, hmac, matchesAny, secretsOf, toBase64, withinWindow } from '../../platform/signature.ts';
import { concat, REPLAY_WINDOW_MS } from '../../platform/standard-webhooks.ts';
import type { Callback, CallbackRefusal, CallbackRequest, InboundText, ProviderWorld } from '../provider.ts';
import { bodyJson, cleanText, entryOf, itemsOf, providerId, refused, timeOf } from './callback-items.ts';
import { REPORT_CODES, STATUSES } from './sinch-codes.ts';

const outcome = z.object({ status: z.string().max(100), code: z.number().int() });
const common = z.object({ batch_id: providerId, client_reference: z.string().max(2048).nullish() });

/** A report for one recipient, or for a batch: ours have one recipient, so its statuses are that one's. */
const report = z.union([
  common
    .extend({ type: z.enum(['recipient_delivery_report_sms', 'recipient_delivery_report_mms']) })
    .and(outcome)
    .transform((one) => ({ ...one, outcomes: [{ status: one.status, code: one.code }] })),
  common
    .extend({ type: z.enum(['delivery_report_sms', 'delivery_report_mms']), statuses: z.array(outcome) })
    .transform((all) => ({ ...all, outcomes: all.statuses })),
]);

const sender = z.object({
  id: providerId,
  from: cleanText.pipe(z.string().min(1).max(64)),
  to: cleanText.nullish(),
  sent_at: z.string().nullish(),
  received_at: z.string().nullish(),
});

const inbound = z.union([
  sender
    .extend({ type: z.literal('mo_text'), body: cleanText })
    .transform((text) => ({ ...text, words: text.body })),
  sender
    .extend({
      type: z.literal('mo_media'),
      body: z.object({ message: cleanText.nullish(), subject: cleanText.nullish() }),
    })
    .transform((mms) => ({ ...mms, words: mms.body.message ?? mms.body.subject ?? '' })),
]);

const typed = z.object({ type: z.string() });
const REPORTS = /^(recipient_)?delivery_report_(sms|mms)$/;
const TEXTS = /^mo_(text|media)$/;

export async function sinchStatus(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<ReceiptNote>> {
  const body = await verifiedBody(world, request);
  if (typeof body === 'string') return refused(body);
  if (!REPORTS.test(body.type)) return { ok: true, items: [] };
  const read = itemsOf([body.json], report, ({ batch_id, client_reference, outcomes }) =>
    outcomes.flatMap((each) => receipt(batch_id, client_reference ?? null, each) ?? []),
  );
  return read.ok ? { ok: true, items: read.items.flat() } : read;
}

export async function sinchInbound(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<InboundText>> {
  const body = await verifiedBody(world, request);
  if (typeof body === 'string') return refused(body);
  if (!TEXTS.test(body.type)) return { ok: true, items: [] };
  return itemsOf([body.json], inbound, (text) => ({
    from: text.from,
    to: text.to ?? null,
    text: text.words,
    at: timeOf(text.sent_at ?? text.received_at, world.now()),
    deliveryId: `sinch:${text.id}`,
    providerKeyword: null,
    providerReplies: false,
  }));
}

function receipt(
  batchId: string,
  reference: string | null,
  { status, code }: z.output<typeof outcome>,
): ReceiptNote | null {
  const meaning = entryOf(STATUSES, status);
  if (!meaning) return null;
  const failed = meaning.error !== null;
  return {
    provider: 'sinch',
    provider_message_id: batchId,
    reference,
    state: meaning.state,
    code: failed ? String(code) : null,
    error: failed ? (entryOf(REPORT_CODES, String(code)) ?? meaning.error) : null,
    parts: null, // one report stands for all parts
    part: null,
  };
}

/** `base64(HMAC-SHA256(secret, body.nonce.timestamp))`, where the timestamp is in seconds since 1970. */
async function verifiedBody(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<{ readonly type: string; readonly json: unknown } | CallbackRefusal> {
  const secrets = secretsOf(world.variable('SINCH_WEBHOOK_SECRET'));
  if (secrets.length === 0) return 'not_configured';
  const header = (suffix: string): string | null => request.headers.get(`x-sinch-webhook-signature${suffix}`);
  const [signature, nonce, timestamp] = [header(''), header('-nonce'), header('-timestamp')];
  if (!signature || !nonce || !timestamp) return 'signature_missing';
  if (!/^HmacSHA256$/i.test(header('-algorithm') ?? 'HmacSHA256')) return 'signature_mismatch';
  const signed = concat(request.body, new TextEncoder().encode(`.${nonce}.${timestamp}`));
  const matches = await matchesAny(secrets, async (secret) =>
    equalTexts(toBase64(await hmac('SHA-256', secret, signed)), signature),
  );
  if (!matches) return 'signature_mismatch';
  const inWindow =
    /^\d{1,12}$/.test(timestamp) && withinWindow(Number(timestamp) * 1000, world.now(), REPLAY_WINDOW_MS);
  if (!inWindow) return 'timestamp_out_of_range';
  const json = bodyJson(request.body);
  const parsed = typed.safeParse(json);
  return parsed.success ? { type: parsed.data.type, json } : 'malformed';
}
