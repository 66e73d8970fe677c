/** The sandbox carrier's callbacks: Standard Webhooks signatures, then receipts and inbound texts. */
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { z } from 'zod';
import { receiveInbound, type Understood } from '../consent/inbound.ts';
import { RECEIPT_STATES } from '../domain/states.ts';
import { decodeUtf8, MAX_BODY_BYTES, parseJson, readBytes } from '../platform/json.ts';
import { Problem } from '../platform/problem.ts';
import type { ReceiptNote, Runtime } from '../platform/runtime.ts';
import { parse } from '../platform/validate.ts';

const statusBody = z.object({
  receipts: z
    .array(
      z.object({
        id: z.string().min(1).max(200),
        reference: z.string().min(1).max(200).nullable(),
        state: z.enum(RECEIPT_STATES),
        code: z.string().max(200).nullable().default(null),
      }),
    )
    .max(100),
});

const inboundBody = z.object({
  from: z.string().regex(/^\+?\d{3,15}$/, 'must be a phone number in E.164, or a short code'),
  to: z.string().min(3).max(16).nullable().default(null),
  text: z.string().max(4000),
});

/** Receipts go to a queue and are applied in batches; once they are on the queue, they are answered. */
export async function sandboxStatus(runtime: Runtime, request: Request): Promise<void> {
  const { receipts } = parse(statusBody, await verifiedBody(runtime, request));
  const notes: ReceiptNote[] = receipts.map((receipt) => ({
    provider: 'sandbox',
    provider_message_id: receipt.id,
    reference: receipt.reference,
    state: receipt.state,
    code: receipt.code,
    error: null,
    parts: null,
    part: null,
  }));
  if (notes.length > 0) await runtime.receipts.sendBatch(notes.map((body) => ({ body })));
}

/** Opt-outs and opt-ins are written before they are answered. @returns what the text was taken for. */
export async function sandboxInbound(runtime: Runtime, request: Request): Promise<Understood | null> {
  const { from, to, text } = parse(inboundBody, await verifiedBody(runtime, request));
  return await receiveInbound(runtime, {
    from,
    to,
    text,
    // Both are signed: when the carrier sent it, in seconds, and which delivery this is.
    at: Number(request.headers.get('webhook-timestamp')) * 1000,
    deliveryId: `sandbox:${request.headers.get('webhook-id')}`,
    providerKeyword: null,
    providerReplies: false,
  });
}

async function verifiedBody(runtime: Runtime, request: Request): Promise<unknown> {
  const { callbackSecret } = runtime.config;
  if (callbackSecret === null) throw new Problem(404, 'The sandbox carrier is not in use here.');
  const text = decodeUtf8(await readBytes(request, MAX_BODY_BYTES));
  const headers = Object.fromEntries(
    ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [
      name,
      request.headers.get(name) ?? '',
    ]),
  );
  try {
    new Webhook(callbackSecret).verify(text, headers);
  } catch (error) {
    if (error instanceof WebhookVerificationError)
      throw new Problem(401, 'The webhook signature does not match.');
    if (error instanceof SyntaxError) throw new Problem(400, 'The body is not valid JSON.');
    throw error;
  }
  return parseJson(text);
}
