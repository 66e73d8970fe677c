/** A segment's bytes as records, whatever they are: gzip or not, CSV or NDJSON. */
import type { Feed } from '../feeds/feed.ts';
import { textBytes } from './bytes.ts';
import { csvItems, delimiterOf } from './csv.ts';
import type { Item, Place } from './item.ts';
import { ndjsonItems } from './ndjson.ts';

export interface SegmentItems {
  /** Of a CSV; part of the place where reading goes on. */
  readonly delimiter: string | null;
  readonly items: AsyncIterable<readonly Item[]>;
}

/**
 * @param from where to go on within the segment.
 * @param onBytes is told of every stored byte that was taken.
 * @throws BrokenFeed, at once or while items are read
 */
export async function segmentItems(
  body: ReadableStream<Uint8Array>,
  feed: Pick<Feed, 'format' | 'delimiter'>,
  from: Place,
  onBytes: (count: number) => void,
): Promise<SegmentItems> {
  const { head, chunks } = await textBytes(body, onBytes, from.offset);
  const isNdjson = feed.format === 'ndjson' || (feed.format === 'auto' && beginsObject(head));
  if (isNdjson) return { delimiter: null, items: ndjsonItems(chunks, from) };
  const delimiter = from.delimiter ?? (feed.delimiter === 'auto' ? delimiterOf(head) : feed.delimiter);
  return { delimiter, items: csvItems(chunks, delimiter, from) };
}

function beginsObject(head: Uint8Array): boolean {
  return new TextDecoder().decode(head).trimStart().startsWith('{');
}
