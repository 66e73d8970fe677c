/**
 * The first phase of a run: the whole document is read, checked and staged. No profile is written here, so a document that
 * turns out broken at its last byte has changed nothing.
 */
import type { FeedConnector } from '../feeds/connector.ts';
import { blankClears, type Feed } from '../feeds/feed.ts';
import { BrokenFeed } from '../formats/broken.ts';
import { type Item, type Place, START } from '../formats/item.ts';
import { segmentItems } from '../formats/read.ts';
import type { ParsedRecord } from '../record.ts';
import { type Mapped, mapColumns } from './mapping.ts';
import { Pack, wavesOf } from './pack.ts';
import { addRejects, MAX_KEPT, type Reject } from './rejects.ts';
import { type RowOptions, readRow } from './row.ts';
import { SeenIds } from './seen.ts';
import { addChunk, chunkKey, chunksFrom } from './staging.ts';
import type { Work } from './work.ts';

export const READ_SQL = {
  advance: `UPDATE sync_runs SET cursor = ?3, chunks = chunks + ?4, bytes_read = max(bytes_read, ?5), rows_read = ?6, rows_rejected = ?7,
      rows_duplicate = ?8, phase = ?9, attempts = 0, lease_until = ?10, updated_at = ?11
    WHERE id = ?1 AND claim_id = ?2 AND state = 'running' RETURNING *`,
} as const;

/** Where reading goes on. */
interface ReadCursor {
  /** The segment that is being read; null: the first. */
  readonly position: string | null;
  /** Segments up to that one. */
  readonly page: number;
  readonly place: Place;
  /** Stored bytes of the segments before it. */
  readonly bytesBefore: number;
  /** Parts of rejected rows that are stored. */
  readonly rejectParts: number;
  /** The object that holds which customers were met in so many chunks; later ones tell by themselves. */
  readonly seen: { readonly key: string; readonly chunks: number } | null;
}

const BEGIN: ReadCursor = {
  position: null,
  page: 0,
  place: START,
  bytesBefore: 0,
  rejectParts: 0,
  seen: null,
};

/** Rejected rows of one transaction, and bytes after which a place is kept even where no row was good. */
const MAX_REJECTS_HELD = 2_000;
const MAX_REASONS_PER_ROW = 3;
/** Then each time that there are twice as many: the table of ids is as large as it has ids. */
const SEEN_AFTER_CHUNKS = 16;

/** @returns whether the document was read to its end. @throws BrokenFeed, LostClaim */
export async function readDocument(work: Work, feed: Feed, connector: FeedConnector): Promise<boolean> {
  const { run } = work;
  const cursor = { ...BEGIN, ...(JSON.parse(run.cursor) as Partial<ReadCursor>) };
  const reader = new Reader(work, feed, await seenBefore(work, cursor), cursor);
  const document = {
    key: run.document_key,
    version: run.document_version,
    sizeBytes: run.bytes_total,
    modifiedAt: run.document_time,
  };
  let page = Math.max(cursor.page - 1, 0);
  for await (const segment of connector.segments(document, cursor.position)) {
    page++;
    const bytesBefore = reader.bytes;
    work.budget.use(1);
    const from = segment.position === cursor.position && page === cursor.page ? cursor.place : START;
    const { delimiter, items } = await segmentItems(segment.body, feed, from, reader.onBytes);
    for await (const batch of items) {
      for (const item of batch) {
        reader.take(item, page, delimiter !== null);
        if (!reader.isFull || item.end === null) continue;
        const header = delimiter === null ? null : item.names;
        const place = { offset: item.end, line: item.line, header, delimiter };
        const isLast = work.budget.isSpent;
        if (isLast || reader.isSeenOld) await reader.keepSeen();
        await reader.keep({ position: segment.position, page, place, bytesBefore });
        if (isLast) return false;
      }
    }
  }
  await reader.keepLast();
  return true;
}

/** Which customers were met before: their duplicates are still to be told. */
async function seenBefore(work: Work, { seen: kept }: ReadCursor): Promise<SeenIds> {
  const { runtime, run, budget } = work;
  const object = kept && (await runtime.feeds.get(kept.key));
  const seen = object ? SeenIds.of(await object.arrayBuffer()) : new SeenIds();
  const from = object ? kept.chunks : 0;
  if (run.chunks <= from) return seen;
  for await (const { text } of chunksFrom(runtime, run.id, 'rows', from)) {
    budget.use(1);
    for (const wave of wavesOf(text)) for (const [id] of JSON.parse(wave) as [string][]) seen.add(id);
  }
  return seen;
}

class Reader {
  readonly #options: RowOptions;
  readonly #mappings = new Map<string, Mapped>();
  #lastNames: readonly string[] | null = null;
  #lastMapped: Mapped | null = null;
  #pack: Pack;
  #rejects: Reject[] = [];
  #rejectParts: number;
  #seenKept: ReadCursor['seen'];
  #bytes: number;
  #rowsRead: number;
  #rowsRejected: number;
  #rowsDuplicate: number;
  #sinceKept = 0;

  constructor(
    readonly work: Work,
    readonly feed: Feed,
    readonly seen: SeenIds,
    cursor: ReadCursor,
  ) {
    const { run } = work;
    this.#options = {
      documentTime: run.document_time,
      country: feed.default_country ?? undefined,
      blankClears: blankClears(feed),
    };
    this.#pack = new Pack(work.runtime.config.syncChunkRows);
    this.#rejectParts = cursor.rejectParts;
    this.#seenKept = cursor.seen;
    this.#bytes = cursor.bytesBefore;
    this.#rowsRead = run.rows_read;
    this.#rowsRejected = run.rows_rejected;
    this.#rowsDuplicate = run.rows_duplicate;
  }

  readonly onBytes = (count: number): void => {
    this.#bytes += count;
  };

  /** Stored bytes that were taken so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether what is held should be kept before more is taken. */
  get isFull(): boolean {
    return this.#pack.isFull || this.#rejects.length >= MAX_REJECTS_HELD || this.#sinceKept >= 50_000;
  }

  take(item: Item, page: number, isTable: boolean): void {
    this.#rowsRead++;
    this.#sinceKept++;
    const parsed = this.#parsed(item, isTable);
    if (parsed.ok) {
      if (this.seen.add(parsed.profile.customer_id)) this.#rowsDuplicate++;
      this.#pack.add(parsed.profile);
    } else {
      this.#reject(page, item.line, parsed.errors);
    }
  }

  /** Whether too many chunks would have to be read again for what they tell about duplicates. */
  get isSeenOld(): boolean {
    const kept = this.#seenKept?.chunks ?? 0;
    return this.work.run.chunks - kept >= Math.max(SEEN_AFTER_CHUNKS, kept);
  }

  /** Keeps which customers were met, so that who goes on need not read all chunks for it. */
  async keepSeen(): Promise<void> {
    const { run, runtime } = this.work;
    const chunks = run.chunks + Number(this.#pack.rows > 0);
    const key = `${chunkKey(run, 'rows', chunks)}-seen`;
    await runtime.feeds.put(key, this.seen.bytes());
    this.#seenKept = { key, chunks };
  }

  /** Keeps what is held together with the place where it ends: chunk, rejected rows and cursor in one transaction. */
  async keep(cursor: Omit<ReadCursor, 'rejectParts' | 'seen'>): Promise<void> {
    await this.#store(cursor, 'read');
  }

  /** The document is at its end. */
  async keepLast(): Promise<void> {
    const { mode } = this.work.run;
    await this.#store(BEGIN, mode === 'full' ? 'compare' : 'write');
  }

  async #store(
    cursor: Omit<ReadCursor, 'rejectParts' | 'seen'>,
    phase: 'read' | 'compare' | 'write',
  ): Promise<void> {
    const { work } = this;
    const { run, db, runtime } = work;
    const statements: D1PreparedStatement[] = [];
    const { rows } = this.#pack;
    if (rows > 0) {
      const chunk = { n: run.chunks, key: chunkKey(run, 'rows', run.chunks), rows };
      await runtime.feeds.put(chunk.key, this.#pack.text());
      statements.push(addChunk(db, run, 'rows', chunk));
    }
    if (this.#rejects.length > 0) {
      statements.push(addRejects(db, run, this.#rejectParts, this.#rejects, runtime.now()));
      this.#rejectParts++;
    }
    const next = phase === 'read' ? { ...cursor, rejectParts: this.#rejectParts, seen: this.#seenKept } : {};
    const advance = db
      .prepare(READ_SQL.advance)
      .bind(
        ...[run.id, run.claim_id, JSON.stringify(next), Number(rows > 0), this.#bytes],
        ...[this.#rowsRead, this.#rowsRejected, this.#rowsDuplicate, phase, work.leaseUntil, runtime.now()],
      );
    work.budget.use(1, this.#sinceKept);
    await work.apply([...statements, advance]);
    this.#pack = new Pack(runtime.config.syncChunkRows);
    this.#rejects = [];
    this.#sinceKept = 0;
  }

  #parsed(item: Item, isTable: boolean): ParsedRecord {
    const bad = (message: string): ParsedRecord => ({ ok: false, errors: [{ path: '(row)', message }] });
    if (item.kind === 'bad') return bad(item.problem);
    const mapping = this.#mappingOf(item.names, isTable);
    return 'problem' in mapping ? bad(mapping.problem) : readRow(item.values, mapping, this.#options);
  }

  #reject(
    page: number,
    line: number,
    errors: readonly { readonly path: string; readonly message: string }[],
  ): void {
    this.#rowsRejected++;
    if (this.#rowsRejected > MAX_KEPT) return;
    for (const { path, message } of errors.slice(0, MAX_REASONS_PER_ROW)) {
      this.#rejects.push({ page, line, field: path, reason: message });
    }
  }

  /** A table's header must do; a record without an id is one bad record. */
  #mappingOf(names: readonly string[], isTable: boolean): Mapped {
    if (names === this.#lastNames && this.#lastMapped) return this.#lastMapped;
    const signature = names.join('\n');
    const mapped = this.#mappings.get(signature) ?? mapColumns(names, this.feed);
    if (this.#mappings.size < 1_000) this.#mappings.set(signature, mapped);
    // Records of one signature share the mapping, whose names are in the same order.
    if (isTable && 'problem' in mapped) throw new BrokenFeed(`The header ${mapped.problem}.`);
    this.#lastNames = names;
    this.#lastMapped = mapped;
    return mapped;
  }
}
