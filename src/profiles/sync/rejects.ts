/** Rejected rows of a run: where they stand and why, quoting nothing of them. Bounded; the run counts them all. */
const HOLDS = `EXISTS (SELECT 1 FROM sync_runs WHERE id = ?1 AND claim_id = ?4 AND state = 'running')`;

export const REJECT_SQL = {
  add: `INSERT INTO sync_rejects (run_id, part, rows, created_at) SELECT ?1, ?2, ?3, ?5 WHERE ${HOLDS}`,
  parts: 'SELECT part, rows FROM sync_rejects WHERE run_id = ?1 AND part >= ?2 ORDER BY part LIMIT ?3',
} as const;

/** So many are kept of a run. */
export const MAX_KEPT = 10_000;

export interface Reject {
  /** The segment of the document, from 1: pages have lines of their own. */
  readonly page: number;
  readonly line: number;
  readonly field: string;
  readonly reason: string;
}

type Stored = readonly [page: number, line: number, field: string, reason: string];

export function addRejects(
  db: D1Database,
  run: { readonly id: string; readonly claim_id: string },
  part: number,
  rejects: readonly Reject[],
  now: number,
): D1PreparedStatement {
  const rows = rejects.map(({ page, line, field, reason }): Stored => [page, line, field, reason]);
  return db.prepare(REJECT_SQL.add).bind(run.id, part, JSON.stringify(rows), run.claim_id, now);
}

/** The rejected rows of a run in their order. */
export async function* rejectsOf(db: D1Database, runId: string): AsyncGenerator<Reject> {
  const PAGE = 20;
  for (let from = 0; ; ) {
    const { results } = await db
      .prepare(REJECT_SQL.parts)
      .bind(runId, from, PAGE)
      .all<{ part: number; rows: string }>();
    for (const { part, rows } of results) {
      for (const [page, line, field, reason] of JSON.parse(rows) as Stored[])
        yield { page, line, field, reason };
      from = part + 1;
    }
    if (results.length < PAGE) return;
  }
}

/** The first few, for the run's page. */
export async function firstRejects(db: D1Database, runId: string, count: number): Promise<Reject[]> {
  const first: Reject[] = [];
  for await (const reject of rejectsOf(db, runId)) {
    first.push(reject);
    if (first.length >= count) break;
  }
  return first;
}

/** A cell of a CSV that no spreadsheet takes for a formula. */
function cell(value: string | number): string {
  const text = String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The rejected rows as a CSV, streamed. */
export function rejectsCsv(db: D1Database, runId: string): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const rows = rejectsOf(db, runId);
  let begun = false;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (!begun) {
        begun = true;
        controller.enqueue(encoder.encode('page,line,field,reason\r\n'));
        return;
      }
      const lines: string[] = [];
      while (lines.length < 500) {
        const { done, value } = await rows.next();
        if (done) break;
        lines.push(`${[value.page, value.line, value.field, value.reason].map(cell).join(',')}\r\n`);
      }
      if (lines.length === 0) controller.close();
      else controller.enqueue(encoder.encode(lines.join('')));
    },
  });
}
