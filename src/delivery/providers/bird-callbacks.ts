/** Bird's events: signed as Standard Webhooks, or by the older platform with a JWT in `MessageBird-Signature-JWT`. */
import { z } from 'zod';
import type { ReceiptNote } from '../../platform/runtime.ts';
import { secretsOf } from '../../platform/signature.ts';
import { verifyStandardWebhook } from '../../platform/standard-webhooks.ts';
import type { Callback, CallbackRefusal, CallbackRequest, InboundText, ProviderWorld } from '../provider.ts';
import { EVENTS, FAILURES } from './bird-codes.ts';
import { JWT_HEADER, verifyMessageBirdJwt } from './bird-jwt.ts';
import { bodyJson, cleanText, entryOf, itemsOf, providerId, refused, timeOf } from './callback-items.ts';

/** Under this name our message id travels in a message's metadata. */
export const METADATA_KEY = 'optitext_id';

const event = z.object({ type: z.string().max(100), timestamp: z.string().nullish(), data: z.unknown() });
const failure = z.object({ code: z.string().max(100), carrier_error_code: z.string().max(100).nullish() });

const report = z.object({
  sms_id: providerId,
  metadata: z.record(z.string(), z.unknown()).nullish(),
  error: failure.nullish(),
  last_error: failure.nullish(),
});

const received = z.object({
  sms_id: providerId,
  from: cleanText.pipe(z.string().min(1).max(64)),
  to: cleanText.nullish(),
  text: cleanText.nullish(),
});

export async function birdStatus(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<ReceiptNote>> {
  const body = await verifiedEvent(world, request);
  if (typeof body === 'string') return refused(body);
  const meaning = entryOf(EVENTS, body.type);
  if (!meaning) return { ok: true, items: [] };
  return itemsOf([body.data], report, ({ sms_id, metadata, error, last_error }) => {
    const failed = meaning.error === null ? null : (error ?? last_error ?? null);
    const reference = metadata?.[METADATA_KEY];
    return {
      provider: 'bird',
      provider_message_id: sms_id,
      reference: typeof reference === 'string' ? reference : null,
      state: meaning.state,
      code: failed === null ? null : codeOf(failed),
      error: (failed && entryOf(FAILURES, failed.code)) ?? meaning.error,
      parts: null, // an event stands for all segments
      part: null,
    };
  });
}

export async function birdInbound(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<InboundText>> {
  const body = await verifiedEvent(world, request);
  if (typeof body === 'string') return refused(body);
  if (body.type !== 'sms.received') return { ok: true, items: [] };
  return itemsOf([body.data], received, (text) => ({
    from: text.from,
    to: text.to ?? null,
    text: text.text ?? '',
    at: timeOf(body.timestamp, world.now()),
    deliveryId: `bird:${text.sms_id}`,
    providerKeyword: null,
    providerReplies: false,
  }));
}

/** Bird's reason and, where it has one, the carrier's finer code. */
function codeOf({ code, carrier_error_code }: z.output<typeof failure>): string {
  return carrier_error_code ? `${code}/${carrier_error_code}` : code;
}

async function verifiedEvent(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<z.output<typeof event> | CallbackRefusal> {
  const secrets = secretsOf(world.variable('BIRD_WEBHOOK_SECRET'));
  if (secrets.length === 0) return 'not_configured';
  const verdict = request.headers.has(JWT_HEADER)
    ? await verifyMessageBirdJwt(request, secrets, world.now())
    : await verifyStandardWebhook(request, secrets, world.now());
  if (verdict !== 'valid') return verdict;
  const parsed = event.safeParse(bodyJson(request.body));
  return parsed.success ? parsed.data : 'malformed';
}
