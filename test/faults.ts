/** Faults for tests: a D1 that fails at a chosen call, before or after it has committed, and queue batches that note their fate. */

export interface Trip {
  /** 1 for the first call. */
  readonly number: number;
  /** Every statement of the call, one text. */
  readonly sql: string;
}

export type Fault = 'before' | 'after' | null;

/** D1 whose every call (a batch is one) asks first what goes wrong: nothing, an error, or a lost answer to what was committed. */
export function faultyDb(db: D1Database, faultOf: (trip: Trip) => Fault): D1Database {
  const inner = new WeakMap<object, { sql: string; statement: D1PreparedStatement }>();
  let trips = 0;
  const trip = async <T>(sql: string, work: () => Promise<T>): Promise<T> => {
    const fault = faultOf({ number: ++trips, sql });
    if (fault === 'before') throw new Error('D1_ERROR: gone before');
    const result = await work();
    if (fault === 'after') throw new Error('D1_ERROR: gone after');
    return result;
  };
  const wrap = (sql: string, statement: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = {
      bind: (...values: unknown[]) => wrap(sql, statement.bind(...values)),
      all: () => trip(sql, () => statement.all()),
      run: () => trip(sql, () => statement.run()),
      first: () => trip(sql, () => statement.first()),
    } as unknown as D1PreparedStatement;
    inner.set(wrapped, { sql, statement });
    return wrapped;
  };
  return {
    prepare: (sql: string) => wrap(sql, db.prepare(sql)),
    batch: (statements: D1PreparedStatement[]) => {
      const known = statements.map((statement) => {
        const found = inner.get(statement);
        if (!found) throw new Error('a statement of another database');
        return found;
      });
      return trip(known.map(({ sql }) => sql).join(';\n'), () =>
        db.batch(known.map(({ statement }) => statement)),
      );
    },
  } as unknown as D1Database;
}

/** D1 that works for so many calls and then is gone. */
export function dyingDb(db: D1Database, works: number): D1Database {
  return faultyDb(db, ({ number }) => (number > works ? 'before' : null));
}

/** A batch of a queue, and what its consumer said of each message. */
export function queueBatch<T>(queue: string, bodies: readonly T[]): MessageBatch<T> & { fates: string[] } {
  const fates: string[] = [];
  const messages = bodies.map((body, index) => ({
    id: String(index),
    timestamp: new Date(),
    body,
    attempts: 1,
    ack: () => {
      fates[index] = 'ack';
    },
    retry: () => {
      fates[index] = 'retry';
    },
  }));
  const all = (fate: string) => () => {
    for (const index of messages.keys()) fates[index] = fate;
  };
  return {
    queue,
    messages,
    fates,
    ackAll: all('ack'),
    retryAll: all('retry'),
  } as unknown as MessageBatch<T> & { fates: string[] };
}
