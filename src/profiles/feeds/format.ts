/** Feed formats: bytes to records. CSV by csv-parse, NDJSON line by line; both stream. */
import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/stream';
import { isJsonObject, isPrototypeName } from '../../platform/json.ts';

/** A record with its place in the feed (1 for the first after the header), or what is wrong with that place. */
export type FeedRecord =
  | { readonly row: number; readonly record: Readonly<Record<string, unknown>> }
  | { readonly row: number; readonly problem: string };

/** The feed as a whole cannot be read; nothing of it may be applied. The message is for the operator. */
export class BrokenFeed extends Error {
  override readonly name = 'BrokenFeed';
}

const MAX_LINE_LENGTH = 200_000;

/** The records of an object, by the ending of its key: `.csv`, `.ndjson` or `.jsonl`. @throws BrokenFeed */
export function feedRecords(key: string, body: ReadableStream): AsyncIterable<FeedRecord> {
  if (/\.csv$/i.test(key)) return csvRecords(body);
  if (/\.(ndjson|jsonl)$/i.test(key)) return ndjsonRecords(body);
  throw new BrokenFeed('The name of a feed must end in .csv, .ndjson or .jsonl.');
}

/** Errors after which the parser has lost its place: what follows is no longer this feed. */
const LOST = new Set(['CSV_QUOTE_NOT_CLOSED', 'CSV_MAX_RECORD_SIZE']);

/** What is wrong with a record, without quoting it: it may hold personal data. */
const CSV_PROBLEMS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is opened and never closed',
  CSV_MAX_RECORD_SIZE: 'a record is too long; is a quote missing?',
  CSV_RECORD_INCONSISTENT_COLUMNS: 'has more or fewer fields than the header has columns',
  CSV_INVALID_CLOSING_QUOTE: 'has characters after a closing quote',
  INVALID_OPENING_QUOTE:
    'has a quote inside a field; put the whole field in quotes and double the quotes in it',
};

async function* csvRecords(body: ReadableStream): AsyncGenerator<FeedRecord> {
  const skipped = new Map<number, string>();
  let lost: string | null = null;
  const parser = parse({
    bom: true,
    columns: (header: string[]) => checkedHeader(header),
    info: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: MAX_LINE_LENGTH,
    on_skip: (error) => {
      const { code = '', lines = 0 } = (error ?? {}) as { code?: string; lines?: number };
      const problem = CSV_PROBLEMS[code] ?? 'cannot be read';
      if (LOST.has(code)) lost = `From line ${lines} on the CSV cannot be read: ${problem}.`;
      // One bad record may be reported more than once.
      skipped.set(lines, problem);
    },
  });
  let row = 0;
  const takeSkipped = function* (): Generator<FeedRecord> {
    if (lost !== null) throw new BrokenFeed(lost);
    for (const problem of skipped.values()) yield { row: ++row, problem };
    skipped.clear();
  };
  try {
    for await (const item of chunksOf<CsvItem>(
      utf8Only(body).pipeThrough(parser as TransformPair<CsvItem>),
    )) {
      yield* takeSkipped();
      yield { row: ++row, record: item.record };
    }
    yield* takeSkipped();
  } catch (error) {
    throw asBroken(error);
  }
}

interface CsvItem {
  readonly record: Record<string, unknown>;
}
type TransformPair<T> = ReadableWritablePair<T, Uint8Array>;

async function* ndjsonRecords(body: ReadableStream): AsyncGenerator<FeedRecord> {
  let row = 0;
  let rest = '';
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  try {
    for await (const chunk of chunksOf<Uint8Array>(body)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE_LENGTH)
        throw new BrokenFeed(`Line ${row + 1} is longer than ${MAX_LINE_LENGTH} characters.`);
      for (const line of lines) if (line.trim() !== '') yield ndjsonRecord(++row, line);
    }
    rest += decoder.decode();
    if (rest.trim() !== '') yield ndjsonRecord(++row, rest);
  } catch (error) {
    throw asBroken(error);
  }
}

function ndjsonRecord(row: number, line: string): FeedRecord {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? { row, record: value } : { row, problem: 'must be a JSON object' };
  } catch {
    return { row, problem: 'is not valid JSON' };
  }
}

/** Column names as they are, without white space around them. */
function checkedHeader(header: string[]): string[] {
  const names = header.map((name) => name.trim());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new BrokenFeed(`The header names the column "${twice}" twice.`);
  const reserved = names.find(isPrototypeName);
  if (reserved !== undefined) throw new BrokenFeed(`The header names a column "${reserved}"; rename it.`);
  if (!names.includes('customer_id')) throw new BrokenFeed('The header has no column customer_id.');
  return names;
}

/** Passes bytes on and fails where they are no UTF-8: a mangled file must not become mangled profiles. */
function utf8Only(body: ReadableStream): ReadableStream<Uint8Array> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        decoder.decode(chunk, { stream: true });
        controller.enqueue(chunk);
      },
      flush() {
        decoder.decode();
      },
    }),
  );
}

async function* chunksOf<T>(stream: ReadableStream): AsyncGenerator<T> {
  const reader = stream.getReader() as ReadableStreamDefaultReader<T>;
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

function asBroken(error: unknown): unknown {
  if (error instanceof BrokenFeed) return error;
  if (error instanceof CsvError) {
    return new BrokenFeed(`The CSV cannot be read: ${CSV_PROBLEMS[error.code] ?? 'it is not well formed'}.`);
  }
  if (error instanceof TypeError) return new BrokenFeed('The feed is not valid UTF-8 text.');
  return error;
}
