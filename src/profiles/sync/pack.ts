/**
 * Rows on their way into a chunk. A chunk is one transaction, of at most so many rows and bytes, in waves: within a wave
 * every customer occurs once, and waves are written in their order. So a file in which a customer occurs several times
 * ends in the same state wherever its chunks are cut.
 */
import { isJsonObject } from '../../platform/json.ts';
import type { ProfileWrite } from '../profile.ts';
import { SPEAKS_OF, type WriteRow, writeRow } from '../store.ts';

/** D1 takes 2 MB for one parameter. */
const MAX_BYTES = 900_000;
/** Rows of one customer, each newer than the one before, that one chunk takes. */
const MAX_WAVES = 16;

interface Packed {
  readonly wave: number;
  readonly index: number;
  readonly row: WriteRow;
}

export class Pack {
  readonly #maxRows: number;
  #waves: string[][] = [];
  #last = new Map<string, Packed>();
  #rows = 0;
  #bytes = 0;
  #isFull = false;

  constructor(maxRows: number) {
    this.#maxRows = maxRows;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Rows that will be written, after those of one customer and time were made one. */
  get rows(): number {
    return this.#rows;
  }

  add(profile: ProfileWrite): void {
    const row = writeRow(profile);
    const earlier = this.#last.get(profile.customer_id);
    if (!earlier) this.#put(0, row);
    else if (timeOf(row) > timeOf(earlier.row)) this.#put(earlier.wave + 1, row);
    else if (timeOf(row) === timeOf(earlier.row)) this.#overlay(earlier, row);
    // What is older than the row before it changes nothing.
  }

  /** The chunk's text: one wave, a JSON array, on each line. */
  text(): string {
    return this.#waves.map((rows) => `[${rows.join(',')}]`).join('\n');
  }

  #put(wave: number, row: WriteRow): void {
    const rows = this.#waves[wave] ?? [];
    this.#waves[wave] = rows;
    this.#last.set(row[0], { wave, index: rows.length, row });
    rows.push(this.#textOf(row));
    this.#rows++;
    this.#isFull ||=
      this.#rows >= this.#maxRows || this.#bytes >= MAX_BYTES || this.#waves.length > MAX_WAVES;
  }

  #overlay(earlier: Packed, row: WriteRow): void {
    const both = overlaid(earlier.row, row);
    const wave = this.#waves[earlier.wave];
    if (wave) wave[earlier.index] = this.#textOf(both);
    this.#last.set(row[0], { ...earlier, row: both });
  }

  #textOf(row: WriteRow): string {
    const text = JSON.stringify(row);
    // Up to three bytes stand for one UTF-16 unit.
    this.#bytes += PLAIN.test(text) ? text.length : text.length * 3;
    return text;
  }
}

/** The waves of a chunk's text, each fit for one parameter. */
export function wavesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}

const PLAIN = /^[\u0020-\u007e]*$/;

const timeOf = (row: WriteRow): number => row[7];

/** Two rows of one customer and time: the later one's word, and the earlier one's where the later does not speak. */
function overlaid(first: WriteRow, second: WriteRow): WriteRow {
  const speaks = (bit: number): boolean => (second[1] & bit) !== 0;
  const number = speaks(SPEAKS_OF.number) ? second : first;
  return [
    second[0],
    first[1] | second[1],
    number[2],
    number[3],
    speaks(SPEAKS_OF.consent) ? second[4] : first[4],
    speaks(SPEAKS_OF.valid) ? second[5] : first[5],
    speaks(SPEAKS_OF.attributes) ? patched(first[6], second[6]) : first[6],
    second[7],
  ];
}

/** RFC 7396, as the database merges: what `second` holds wins, objects are merged member by member. */
function patched(first: WriteRow[6], second: WriteRow[6]): WriteRow[6] {
  const result: Record<string, unknown> = { ...first };
  for (const [name, value] of Object.entries(second ?? {})) {
    const before = result[name];
    result[name] = isJsonObject(before) && isJsonObject(value) ? patched(before, value) : value;
  }
  return result;
}
