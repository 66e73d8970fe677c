/** A segment's bytes as text's bytes: unpacked where they are gzip, checked to be UTF-8, bounded. */
import { createGunzip } from 'node:zlib';
import { BrokenFeed } from './broken.ts';

/** Gzip of real tables packs 3 to 30 times; this is what bombs need. */
const MAX_RATIO = 200;
const RATIO_COUNTS_FROM_BYTES = 4_000_000;
/** Of one segment, unpacked. */
const MAX_BYTES = 50_000_000_000;
const UNZIP_BYTES = 128 * 1024;
/** So many bytes tell what a file is. */
const SNIFF_BYTES = 1024;

export interface TextBytes {
  /** The first bytes, at least a kilobyte where there are so many; they come again in `chunks`. */
  readonly head: Uint8Array;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * Opens a segment. Gzip is known by its first bytes, whatever it is called.
 *
 * @param onBytes is told of every stored (packed) byte that was taken.
 * @param skip so many unpacked bytes are passed over.
 * @throws BrokenFeed, at once or while chunks are read: truncated or broken gzip, a bomb, another encoding than UTF-8
 */
export async function textBytes(
  body: ReadableStream<Uint8Array>,
  onBytes: (count: number) => void,
  skip: number,
): Promise<TextBytes> {
  let stored = 0;
  const count = (chunk: Uint8Array): void => {
    stored += chunk.byteLength;
    onBytes(chunk.byteLength);
  };
  const packed = await peek(counted(chunksOf(body), count), 2);
  const isGzip = packed.head[0] === 0x1f && packed.head[1] === 0x8b;
  const plain = await peek(isGzip ? unpacked(packed.chunks, () => stored) : packed.chunks, SNIFF_BYTES);
  const complaint = complaintOf(plain.head);
  if (complaint !== null) throw new BrokenFeed(complaint);
  return { head: plain.head, chunks: skipped(checked(plain.chunks), skip) };
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  count: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    count(chunk);
    yield chunk;
  }
}

/**
 * Node's gunzip, because it takes several gzips after one another as one, which is how some tools write them;
 * `DecompressionStream` does not.
 */
async function* unpacked(
  packed: AsyncIterable<Uint8Array>,
  stored: () => number,
): AsyncGenerator<Uint8Array> {
  const unzip = createGunzip({ chunkSize: UNZIP_BYTES });
  unzip.on('error', () => undefined); // it comes out of the loop below
  const feeding = feed(packed, unzip);
  let size = 0;
  try {
    for await (const chunk of unzip) {
      size += chunk.byteLength;
      if (size > RATIO_COUNTS_FROM_BYTES && size > stored() * MAX_RATIO) {
        throw new BrokenFeed(`The gzip unpacks to more than ${MAX_RATIO} times its size; that is no table.`);
      }
      yield chunk;
    }
  } catch (error) {
    throw isUnzipError(error) ? new BrokenFeed('The gzip is truncated or broken.') : error;
  } finally {
    unzip.destroy();
    await feeding;
  }
}

/** Writes as fast as it is read. Never throws: an error of the source comes out of the other end. */
async function feed(
  packed: AsyncIterable<Uint8Array>,
  unzip: ReturnType<typeof createGunzip>,
): Promise<void> {
  let closed = false;
  let wake = (): void => undefined;
  unzip.once('close', () => {
    closed = true;
    wake();
  });
  try {
    for await (const chunk of packed) {
      if (closed) return;
      if (unzip.write(chunk)) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        unzip.once('drain', resolve);
        if (closed) resolve();
      });
    }
    unzip.end();
  } catch (error) {
    unzip.destroy(error);
  }
}

function isUnzipError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}

/** Passes bytes on and fails where they are no UTF-8: a mangled file must not become mangled profiles. */
async function* checked(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  const decode = (chunk?: Uint8Array): void => {
    try {
      decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw new BrokenFeed(
        'The feed is not valid UTF-8 text; perhaps it is Latin-1 or Windows-1252. Save it as UTF-8.',
      );
    }
  };
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new BrokenFeed(`The feed is larger than ${MAX_BYTES} bytes; split it.`);
    decode(chunk);
    if (chunk.includes(0)) throw new BrokenFeed('The feed holds NUL bytes; it is no text, or not UTF-8.');
    yield chunk;
  }
  decode();
}

async function* skipped(chunks: AsyncIterable<Uint8Array>, skip: number): AsyncGenerator<Uint8Array> {
  let left = skip;
  for await (const chunk of chunks) {
    if (left >= chunk.byteLength) left -= chunk.byteLength;
    else {
      yield left === 0 ? chunk : chunk.subarray(left);
      left = 0;
    }
  }
}

/** What a file is that is no table, told by its first bytes; null where it may be one. */
function complaintOf(head: Uint8Array): string | null {
  const starts = (...bytes: number[]): boolean => bytes.every((byte, index) => head[index] === byte);
  if (starts(0xff, 0xfe) || starts(0xfe, 0xff)) return 'The feed is UTF-16 text; save it as UTF-8.';
  if (starts(0x50, 0x4b, 3, 4))
    return 'The feed is a ZIP or Excel file; send CSV or NDJSON, packed with gzip if at all.';
  if (starts(0x50, 0x41, 0x52, 0x31)) return 'The feed is a Parquet file; send CSV or NDJSON.';
  if (starts(0x1f, 0x8b)) return 'The gzip holds another gzip; pack it once.';
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return 'The feed is packed with zstd; pack it with gzip.';
  if (starts(0x42, 0x5a, 0x68)) return 'The feed is packed with bzip2; pack it with gzip.';
  const text = new TextDecoder().decode(head).trimStart();
  if (text.startsWith('<'))
    return 'The feed is a web page or XML, perhaps an error page; it must be CSV or NDJSON.';
  if (text.startsWith('[')) return 'The feed is a JSON array; send NDJSON, one object on each line.';
  return null;
}

/** Reads on until so many bytes are known; gives them, and all chunks from the start. */
async function peek(
  source: AsyncIterable<Uint8Array>,
  bytes: number,
): Promise<{ head: Uint8Array; chunks: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let size = 0;
  while (size < bytes) {
    const { done, value } = await iterator.next();
    if (done) break;
    first.push(value);
    size += value.byteLength;
  }
  const head = new Uint8Array(Math.min(size, bytes));
  let at = 0;
  for (const chunk of first) {
    const part = chunk.subarray(0, head.byteLength - at);
    head.set(part, at);
    at += part.byteLength;
  }
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* first;
      for (;;) {
        const { done, value } = await iterator.next();
        if (done) return;
        yield value;
      }
    } finally {
      await iterator.return?.();
    }
  };
  return { head, chunks: chunks() };
}

async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
