/** D1 as the Worker sees it, with a counter of what D1 itself reports for each call. */
import type { Account, Count } from '../counts.ts';

export const counts: Record<Account, Count> = {
  optitext: { trips: 0, rowsRead: 0, rowsWritten: 0 },
  carrier: { trips: 0, rowsRead: 0, rowsWritten: 0 },
};

export function resetCounts(): void {
  for (const count of Object.values(counts)) Object.assign(count, { trips: 0, rowsRead: 0, rowsWritten: 0 });
}

interface Prepared {
  readonly sql: string;
  readonly inner: D1PreparedStatement;
}

const prepared = new WeakMap<object, Prepared>();

/** Counts `prepare(…).bind(…).all()`, `.run()`, `.first()` and `batch()`: all that this code base uses. */
export function countingDb(db: D1Database): D1Database {
  const counting = {
    prepare: (sql: string) => statement(sql, db.prepare(sql)),
    batch: async (statements: D1PreparedStatement[]) => {
      const known = statements.map(preparedOf);
      const results = await db.batch(known.map(({ inner }) => inner));
      note(known[0]?.sql ?? '', results);
      return results;
    },
  };
  return counting as unknown as D1Database;
}

function statement(sql: string, inner: D1PreparedStatement): D1PreparedStatement {
  const all = async (): Promise<D1Result> => {
    const result = await inner.all();
    note(sql, [result]);
    return result;
  };
  const counting = {
    bind: (...values: unknown[]) => statement(sql, inner.bind(...values)),
    all,
    run: all,
    first: async () => (await all()).results[0] ?? null,
  } as unknown as D1PreparedStatement;
  prepared.set(counting, { sql, inner });
  return counting;
}

function preparedOf(counting: D1PreparedStatement): Prepared {
  const known = prepared.get(counting);
  if (!known) throw new Error('a statement of another database');
  return known;
}

function note(sql: string, results: readonly D1Result[]): void {
  const count = counts[/\bsandbox_/.test(sql) ? 'carrier' : 'optitext'];
  count.trips++;
  for (const { meta } of results) {
    count.rowsRead += meta.rows_read;
    count.rowsWritten += meta.rows_written;
  }
}
