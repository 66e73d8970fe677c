/** NDJSON: one JSON object on each line, chunk by chunk. */
import { isJsonObject, jsonComplaint } from '../../platform/json.ts';
import { BrokenFeed } from './broken.ts';
import { type Item, MAX_RECORD_BYTES, type Place } from './item.ts';

const NEWLINE = 10;
/** Reading can go on after each block of about this size, however large the chunks are that come. */
const BLOCK_BYTES = 8_192;

/** @throws BrokenFeed where a line is longer than any record may be. */
export async function* ndjsonItems(
  chunks: AsyncIterable<Uint8Array>,
  from: Place,
): AsyncGenerator<readonly Item[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  let rest: Uint8Array = new Uint8Array();
  let { line, offset } = from;
  const take = (block: Uint8Array): Item[] => {
    const items: Item[] = [];
    const lines = decoder.decode(block).split('\n');
    if (lines.at(-1) === '') lines.pop();
    offset += block.byteLength;
    for (const [index, text] of lines.entries()) {
      line++;
      // Where the last line of a block ends is the one place whose bytes are known without counting them again.
      if (text.trim() !== '') items.push(itemOf(text, line, index === lines.length - 1 ? offset : null));
    }
    return items;
  };
  for await (const chunk of blocksOf(chunks)) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end === 0) rest = joined(rest, chunk);
    else {
      const items = take(joined(rest, chunk.subarray(0, end)));
      rest = chunk.slice(end);
      if (items.length > 0) yield items;
    }
    if (rest.byteLength > MAX_RECORD_BYTES) {
      throw new BrokenFeed(`Line ${line + 1} is longer than ${MAX_RECORD_BYTES} bytes.`);
    }
  }
  if (rest.byteLength > 0) yield take(rest);
}

function itemOf(text: string, line: number, end: number | null): Item {
  const bad = (problem: string): Item => ({ kind: 'bad', line, end, names: [], problem });
  if (text.length > MAX_RECORD_BYTES) return bad(`is longer than ${MAX_RECORD_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad('is not valid JSON');
  }
  if (!isJsonObject(value)) return bad('must be a JSON object');
  const complaint = jsonComplaint(value);
  if (complaint !== null) return bad(complaint);
  return { kind: 'record', line, end, names: Object.keys(value), values: Object.values(value) };
}

async function* blocksOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; at += BLOCK_BYTES) yield chunk.subarray(at, at + BLOCK_BYTES);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.byteLength === 0) return b;
  const bytes = new Uint8Array(a.byteLength + b.byteLength);
  bytes.set(a);
  bytes.set(b, a.byteLength);
  return bytes;
}
