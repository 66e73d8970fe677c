/**
 * Pushed bytes on their way into R2, whatever their length, in bounded memory.
 *
 * R2 takes a stream only where its length is known, so that bytes are uploaded in parts of 5 MiB, hashed as they pass. A document
 * is stored under its own hash: the same bytes are the same object, and so the same run.
 */
import { Problem } from '../../platform/problem.ts';
import { hex, quietDigest } from './verified.ts';

/** What R2 wants of every part but the last. One of them is what a push holds in memory. */
const PART_BYTES = 5 * 1024 * 1024;
/** Below it lies what nobody looks for after a day: uploads that are not whole yet, and documents that are for one run only. */
const INCOMING = '.optitext/incoming/';
/** Below it, by feed, lie documents that wait for the ticks. */
const PUSHED = '.optitext/push/';
const ABANDONED_AFTER_MS = 86_400_000;

/**
 * Stores a body as `{prefix}{sha256}`.
 * Where it is there already it keeps its time.
 *
 * @throws Problem 422 for no bytes, 413 above the limit, 400 where the body breaks off; nothing is left of it then
 */
export async function storePushed(
  bucket: R2Bucket,
  body: ReadableStream<Uint8Array> | null,
  prefix: string,
  maxBytes: number,
): Promise<R2Object> {
  const parts = partsOf(body, maxBytes);
  const first = (await parts.next()).value;
  if (!first) throw new Problem(422, 'The body is empty. Send the rows as CSV or NDJSON.');
  const second = (await parts.next()).value;
  if (!second) {
    const key = `${prefix}${hex(await crypto.subtle.digest('SHA-256', first))}`;
    return (await bucket.head(key)) ?? (await put(bucket, key, first));
  }
  const incoming = `${INCOMING}${crypto.randomUUID()}`;
  const sha256 = await uploadParts(bucket, incoming, [first, second], parts);
  try {
    return await take(bucket, incoming, `${prefix}${sha256}`);
  } finally {
    await bucket.delete(incoming);
  }
}

/** A place for the document of one run, such as a dry run: no tick finds it, and no other run shares it. */
export function onceOnlyPrefix(): string {
  return `${INCOMING}${crypto.randomUUID()}/`;
}

/** Removes a pushed document once its run has ended: it holds personal data. The key of any other document is left alone. */
export async function removePushed(bucket: R2Bucket, key: string): Promise<void> {
  if (key.startsWith(PUSHED) || key.startsWith(INCOMING)) await bucket.delete(key);
}

/** Removes what was never taken, because a worker died in between. R2 itself ends uploads that are in parts still. */
export async function sweepIncoming(bucket: R2Bucket, now: number): Promise<void> {
  const { objects } = await bucket.list({ prefix: INCOMING });
  const old = objects.filter(({ uploaded }) => uploaded.getTime() < now - ABANDONED_AFTER_MS);
  if (old.length > 0) await bucket.delete(old.map(({ key }) => key));
}

/** @returns the hash of all parts. */
async function uploadParts(
  bucket: R2Bucket,
  key: string,
  begun: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): Promise<string> {
  const upload = await bucket.createMultipartUpload(key);
  const digest = quietDigest();
  const writer = digest.getWriter();
  const uploaded: R2UploadedPart[] = [];
  const add = async (part: Uint8Array): Promise<void> => {
    await writer.write(part);
    uploaded.push(await upload.uploadPart(uploaded.length + 1, part));
  };
  try {
    for (const part of begun) await add(part);
    for await (const part of rest) await add(part);
    await writer.close();
    await upload.complete(uploaded);
  } catch (error) {
    await writer.abort(error).catch(() => undefined);
    await upload.abort().catch(() => undefined); // else R2 ends it after a week
    throw error;
  }
  return hex(await digest.digest);
}

async function take(bucket: R2Bucket, from: string, key: string): Promise<R2Object> {
  const known = await bucket.head(key);
  if (known) return known;
  const object = await bucket.get(from);
  if (!object) throw new Error('an upload vanished while it was stored');
  return await put(bucket, key, object.body);
}

/** Without a condition R2 stores or throws; its type does not say so. */
async function put(bucket: R2Bucket, key: string, value: ReadableStream | Uint8Array): Promise<R2Object> {
  const object = await bucket.put(key, value);
  if (!object) throw new Error('R2 stored nothing');
  return object;
}

/** The body in pieces of one part's size; only the last is smaller. */
async function* partsOf(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
  let part = new Uint8Array(PART_BYTES);
  let filled = 0;
  let size = 0;
  for await (const chunk of body === null ? [] : chunksOf(body)) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge(maxBytes);
    for (let at = 0; at < chunk.byteLength; ) {
      const piece = chunk.subarray(at, at + PART_BYTES - filled);
      part.set(piece, filled);
      at += piece.byteLength;
      filled += piece.byteLength;
      if (filled < PART_BYTES) continue;
      yield part;
      part = new Uint8Array(PART_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield part.slice(0, filled);
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw new Problem(400, 'The body broke off before its end; nothing was imported. Send it again.');
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

export function tooLarge(maxBytes: number): Problem {
  return new Problem(
    413,
    `The body is larger than ${maxBytes} bytes. Pack it with gzip, split it, or raise PUSH_MAX_BYTES.`,
    { members: { limit_bytes: maxBytes } },
  );
}
