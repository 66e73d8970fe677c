/**
 * The port to where profile feeds come from: an R2 prefix, an HTTPS address, an S3 bucket. One small file each in this
 * folder. A connector only fetches; formats, mapping and writing are the run's.
 */

/** A version of something to be imported. The same key and version are one run. */
export interface FeedDocument {
  /** Object key, or URL without secrets. */
  readonly key: string;
  /** ETag, or another name of this very content; null where nothing names it, and each reading is a new run. */
  readonly version: string | null;
  /** Bytes as stored (compressed, where it is); null where it is not known. */
  readonly sizeBytes: number | null;
  /** Milliseconds since 1970: the time of values that name none themselves. */
  readonly modifiedAt: number;
  /** The run that read what lay there before: a version that comes back after another one is a run of its own. */
  readonly follows?: string;
}

/** What a feed's last run read. */
export interface LastRead {
  readonly id: string;
  readonly key: string;
  readonly version: string | null;
}

/** A document comes in one segment, or in pages. A run that was interrupted goes on with the segment at its position. */
export interface FeedSegment {
  /** Names this segment within the document; '' where there is but one. */
  readonly position: string;
  readonly body: ReadableStream<Uint8Array>;
  /** As the server says; the content itself decides. */
  readonly contentType: string | null;
}

export interface FeedConnector {
  /** What there is to import, oldest first. @throws BrokenFeed with words for the operator */
  list(): Promise<readonly FeedDocument[]>;
  /**
   * The document's segments in order, from a position on (`null`: from the start).
   * @throws BrokenFeed where it cannot be read, or changed since it was listed
   */
  segments(document: FeedDocument, from: string | null): AsyncIterable<FeedSegment>;
}
