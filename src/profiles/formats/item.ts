/** What a format's reader gives: records with their place, or what is wrong at a place. */

export interface RecordItem {
  readonly kind: 'record';
  /** The line on which the record ends, 1 for the first of the segment. */
  readonly line: number;
  /** Bytes of the decompressed segment up to the end of this record; null where reading can't begin again here. */
  readonly end: number | null;
  /** Names beside their values. The same array for every record of a CSV. */
  readonly names: readonly string[];
  readonly values: readonly unknown[];
}

export interface BadItem {
  readonly kind: 'bad';
  readonly line: number;
  readonly end: number | null;
  /** The header, where there is one and it is known by now. */
  readonly names: readonly string[];
  /** What is wrong, without quoting it: it may hold personal data. */
  readonly problem: string;
}

export type Item = RecordItem | BadItem;

/** Where reading goes on within a segment. */
export interface Place {
  /** Bytes of the decompressed segment that are done. */
  readonly offset: number;
  readonly line: number;
  /** Of a CSV whose header is done. */
  readonly header: readonly string[] | null;
  readonly delimiter: string | null;
}

export const START: Place = { offset: 0, line: 0, header: null, delimiter: null };

/** A record longer than this is no profile. Unit: bytes. */
export const MAX_RECORD_BYTES = 200_000;
