/**
 * Callbacks of real providers: read up to a limit, proven by the provider's own signature, then receipts onto their queue
 * and texts to the database, both before the 2xx. A provider gives up after seconds (Telnyx after two), so nothing else
 * stands in the answer's way.
 */
import { receiveInbound } from '../consent/inbound.ts';
import type { Callback, CallbackRefusal, CallbackRequest, Provider } from '../delivery/provider.ts';
import { definitionOf } from '../delivery/providers/index.ts';
import { calledUrl } from '../platform/http.ts';
import { MAX_BODY_BYTES, readBytes } from '../platform/json.ts';
import { Problem } from '../platform/problem.ts';
import type { ReceiptNote, Runtime } from '../platform/runtime.ts';

/** Queues takes at most 100 messages in one call. */
const MAX_SEND = 100;

/** `/callbacks/{provider}/status`. @throws Problem where it is not the provider's, or cannot be read. */
export async function providerStatus(runtime: Runtime, name: string, request: Request): Promise<Response> {
  const { provider, callback } = await open(runtime, name, request);
  const notes = itemsOf(await provider.readStatus(callback));
  if (provider.mixesCallbacks) await takeTexts(runtime, provider, callback);
  await enqueue(runtime, notes);
  return acknowledgement(provider);
}

/** `/callbacks/{provider}/inbound`: every text is in the database before the answer. @throws Problem as above. */
export async function providerInbound(runtime: Runtime, name: string, request: Request): Promise<Response> {
  const { provider, callback } = await open(runtime, name, request);
  await takeTexts(runtime, provider, callback);
  if (provider.mixesCallbacks) await enqueue(runtime, itemsOf(await provider.readStatus(callback)));
  return acknowledgement(provider);
}

/** One after the other: two texts of one person must count in their order. */
async function takeTexts(runtime: Runtime, provider: Provider, callback: CallbackRequest): Promise<void> {
  for (const text of itemsOf(await provider.readInbound(callback))) await receiveInbound(runtime, text);
}

async function enqueue(runtime: Runtime, notes: readonly ReceiptNote[]): Promise<void> {
  for (let i = 0; i < notes.length; i += MAX_SEND)
    await runtime.receipts.sendBatch(notes.slice(i, i + MAX_SEND).map((body) => ({ body })));
}

async function open(
  runtime: Runtime,
  name: string,
  request: Request,
): Promise<{ provider: Provider; callback: CallbackRequest }> {
  const definition = definitionOf(name);
  if (!definition) throw new Problem(404, 'There is no provider of this name; see docs/providers.md.');
  const callback = {
    method: request.method,
    url: calledUrl(request.url, runtime.variable('PUBLIC_URL')),
    headers: request.headers,
    body: await readBytes(request, MAX_BODY_BYTES),
  };
  return { provider: definition.connect(runtime), callback };
}

function itemsOf<T>(callback: Callback<T>): readonly T[] {
  if (callback.ok) return callback.items;
  throw problemOf(callback.reason);
}

function problemOf(reason: CallbackRefusal): Problem {
  switch (reason) {
    case 'not_configured':
      return new Problem(
        404,
        'This provider’s callbacks are not set up here: its signing secret is not set.',
      );
    case 'signature_missing':
      return new Problem(401, 'The request carries no signature of this provider.');
    case 'signature_mismatch':
      return new Problem(
        401,
        'The signature does not match. Check the secret, and PUBLIC_URL where a proxy stands in front.',
      );
    case 'timestamp_out_of_range':
      return new Problem(401, 'The signature is too old, or its time lies in the future.');
    case 'malformed':
      return new Problem(400, 'The body is signed, but it is not what this provider documents.');
  }
}

function acknowledgement(provider: Provider): Response {
  return provider.acknowledge?.() ?? new Response(null, { status: 204 });
}
