/** CSV after RFC 4180 by csv-parse, chunk by chunk: the records of each chunk at once, with the bytes where they end. */
import { type CsvError, parse } from 'csv-parse';
import { isPrototypeName } from '../../platform/json.ts';
import { BrokenFeed } from './broken.ts';
import { type BadItem, type Item, MAX_RECORD_BYTES, type Place } from './item.ts';

/** Errors after which the parser has lost its place: what follows is no longer this feed. */
const LOST = new Set(['CSV_QUOTE_NOT_CLOSED', 'CSV_MAX_RECORD_SIZE', 'CSV_INVALID_CLOSING_QUOTE']);

/** What is wrong with a record, without quoting it: it may hold personal data. */
const PROBLEMS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is opened and never closed',
  CSV_MAX_RECORD_SIZE: `a record is longer than ${MAX_RECORD_BYTES} bytes; is a quote missing?`,
  CSV_INVALID_CLOSING_QUOTE: 'there are characters after a closing quote',
  INVALID_OPENING_QUOTE:
    'has a quote inside a field; put the whole field in quotes and double the quotes in it',
};

const MAX_COLUMNS = 1000;

/** The members of csv-parse's Node stream that are used here; `write` parses before it returns. */
interface Parser {
  write(chunk: Uint8Array): boolean;
  end(): void;
  resume(): void;
  on(event: 'error', listener: (error: Error) => void): void;
  once(event: 'end', listener: () => void): void;
}

interface RecordInfo {
  readonly bytes: number;
  readonly lines: number;
}

/**
 * @param from where to go on; its header is taken as read.
 * @throws BrokenFeed where the header can't be used, or the parser lost its place.
 */
export async function* csvItems(
  chunks: AsyncIterable<Uint8Array>,
  delimiter: string,
  from: Place,
): AsyncGenerator<readonly Item[]> {
  let header = from.header;
  let items: Item[] = [];
  let failure: Error | null = null;
  let lastBad = 0;
  const bad = (line: number, end: number | null, problem: string): BadItem => ({
    kind: 'bad',
    line,
    end,
    names: header ?? [],
    problem,
  });
  const takeHeader = (values: readonly string[]): void => {
    try {
      header = checkedHeader(values);
    } catch (error) {
      // Thrown into the parser it would come back later, as an event.
      failure = error instanceof Error ? error : new BrokenFeed('The header cannot be read.');
    }
  };
  const parser: Parser = parse({
    bom: from.offset === 0,
    delimiter,
    // In this order, so that a file may mix them.
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: MAX_RECORD_BYTES,
    on_record: (values: string[], { bytes, lines }: RecordInfo) => {
      const line = from.line + lines;
      const end = from.offset + bytes;
      if (failure !== null) return null;
      if (header === null) takeHeader(values);
      else if (values.length === header.length)
        items.push({ kind: 'record', line, end, names: header, values });
      else items.push(bad(line, end, `has ${values.length} fields where the header has ${header.length}`));
      return null;
    },
    on_skip: (error: CsvError | undefined) => {
      const { code = '', lines = 0 } = (error ?? {}) as { code?: string; lines?: number };
      const line = from.line + lines;
      const problem = PROBLEMS[code] ?? 'cannot be read';
      if (LOST.has(code))
        failure ??= new BrokenFeed(`From line ${line} on the CSV cannot be read: ${problem}.`);
      // One bad record may be reported more than once.
      if (line !== lastBad) items.push(bad(line, null, problem));
      lastBad = line;
    },
  });
  parser.on('error', () => {
    failure ??= new BrokenFeed('The CSV cannot be read.');
  });
  const taken = (): readonly Item[] => {
    if (failure !== null) throw failure;
    const batch = items;
    items = [];
    return batch;
  };
  for await (const chunk of chunks) {
    parser.write(chunk);
    const batch = taken();
    if (batch.length > 0) yield batch;
  }
  await new Promise<void>((resolve) => {
    parser.once('end', resolve);
    parser.on('error', () => resolve());
    parser.resume();
    parser.end();
  });
  const rest = taken();
  if (rest.length > 0) yield rest;
}

/** The delimiter that the first line has most of, outside quotes. */
export function delimiterOf(head: Uint8Array): string {
  const [line = ''] = new TextDecoder()
    .decode(head)
    .replace(/^\ufeff/, '')
    .replace(/"[^"]*"?/g, '')
    .split(/[\r\n]/);
  const counts = [',', ';', '\t', '|'].map((delimiter) => ({ delimiter, n: line.split(delimiter).length }));
  return counts.reduce((best, each) => (each.n > best.n ? each : best)).delimiter;
}

/** Column names as they are, without white space around them. @throws BrokenFeed */
function checkedHeader(header: readonly string[]): string[] {
  const names = header.map((name) => name.trim());
  if (names.length > MAX_COLUMNS) throw new BrokenFeed(`The header has more than ${MAX_COLUMNS} columns.`);
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (name === '') throw new BrokenFeed(`Column ${index + 1} of the header has no name.`);
    if (seen.has(name)) throw new BrokenFeed(`The header names the column "${printable(name)}" twice.`);
    if (isPrototypeName(name)) throw new BrokenFeed(`The header names a column "${name}"; rename it.`);
    seen.add(name);
  }
  return names;
}

/** A name from a file in a message: what looks like a number may be one, where the header is missing. */
function printable(name: string): string {
  return name.slice(0, 40).replace(/\d{3,}/g, '•••');
}
