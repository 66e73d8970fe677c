/**
 * What a run has read and not written yet: chunks in R2, each as large as one transaction takes. A chunk counts from the
 * moment its row is in D1, which comes in one transaction with the run's cursor.
 */
import type { Runtime } from '../../platform/runtime.ts';
import { OWN_PREFIX } from '../feeds/r2.ts';
import { BrokenFeed } from '../formats/broken.ts';

const HOLDS = `EXISTS (SELECT 1 FROM sync_runs WHERE id = ?1 AND claim_id = ?6 AND state = 'running')`;

export const CHUNK_SQL = {
  add: `INSERT INTO sync_chunks (run_id, kind, n, key, rows) SELECT ?1, ?2, ?3, ?4, ?5 WHERE ${HOLDS}`,
  list: `SELECT n, key, rows FROM sync_chunks WHERE run_id = ?1 AND kind = ?2 AND n >= ?3 ORDER BY n LIMIT ?4`,
  remove: 'DELETE FROM sync_chunks WHERE run_id = ?1',
} as const;

export type ChunkKind = 'rows' | 'absent';

export interface Chunk {
  readonly n: number;
  readonly key: string;
  readonly rows: number;
}

const prefixOf = (runId: string): string => `${OWN_PREFIX}staged/${runId}/`;

/** Two workers never write one object: the claim is part of its key. */
export function chunkKey(
  run: { readonly id: string; readonly claim_id: string },
  kind: ChunkKind,
  n: number,
): string {
  return `${prefixOf(run.id)}${kind}-${n}-${run.claim_id}`;
}

export function addChunk(
  db: D1Database,
  run: { readonly id: string; readonly claim_id: string },
  kind: ChunkKind,
  chunk: Chunk,
): D1PreparedStatement {
  return db.prepare(CHUNK_SQL.add).bind(run.id, kind, chunk.n, chunk.key, chunk.rows, run.claim_id);
}

const PAGE = 200;

/** The chunks of a run from one on, with their texts; the next one is fetched while this one is worked on. */
export async function* chunksFrom(
  runtime: Runtime,
  runId: string,
  kind: ChunkKind,
  from: number,
): AsyncGenerator<{ readonly chunk: Chunk; readonly text: string }> {
  for (let next = from; ; ) {
    const { results } = await runtime.db.prepare(CHUNK_SQL.list).bind(runId, kind, next, PAGE).all<Chunk>();
    let coming = results[0] ? fetched(runtime, results[0]) : undefined;
    for (const [index, chunk] of results.entries()) {
      const text = await coming;
      const following = results[index + 1];
      coming = following ? fetched(runtime, following) : undefined;
      if (text === undefined || text === null) {
        throw new BrokenFeed('A staged part of this run is gone; import the document again.');
      }
      yield { chunk, text };
      next = chunk.n + 1;
    }
    if (results.length < PAGE) return;
  }
}

/** A failure is met where the text is awaited, which may be never. */
function fetched(runtime: Runtime, chunk: Chunk): Promise<string | null> {
  const text = runtime.feeds.get(chunk.key).then((object) => object?.text() ?? null);
  text.catch(() => undefined);
  return text;
}

/** Removes what a run has staged, and its document where that was pushed: both are personal data. Harmless to repeat. */
export async function removeStaged(
  runtime: Runtime,
  run: { readonly id: string; readonly document_key: string },
): Promise<void> {
  if (run.document_key.startsWith(OWN_PREFIX)) await runtime.feeds.delete(run.document_key);
  for (;;) {
    const page = await runtime.feeds.list({ prefix: prefixOf(run.id) });
    if (page.objects.length > 0) await runtime.feeds.delete(page.objects.map(({ key }) => key));
    if (!page.truncated) break;
  }
  await runtime.db.prepare(CHUNK_SQL.remove).bind(run.id).run();
}
