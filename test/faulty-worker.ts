/**
 * The whole Worker over a D1 and queues that fail by chance: an entry for system tests. The variable `FAULTS` is the share
 * of calls that fail, "0.02"; half of them before and half after their work was done. Now and then several in a row
 * fail, so that what is tried again fails for good.
 */
import worker from '../src/index.ts';
import type { Bindings } from '../src/platform/config.ts';
import { type Fault, faultyDb } from './faults.ts';

interface FaultyBindings extends Bindings {
  readonly FAULTS?: string | number;
}

/** One failing call in so many begins a row of them. */
const ROWS = 8;
const ROW_LENGTH = 8;

const known = new WeakMap<object, Bindings>();

/** Settings are cached by their environment, so each has one. */
function faulty(env: FaultyBindings): Bindings {
  const share = Number(env.FAULTS ?? 0);
  if (share === 0) return env;
  const found = known.get(env);
  if (found) return found;
  let inRow = 0;
  const chance = (): Fault => {
    if (inRow-- > 0) return 'before';
    if (Math.random() >= share) return null;
    if (Math.random() < 1 / ROWS) inRow = ROW_LENGTH;
    return Math.random() < 0.5 ? 'before' : 'after';
  };
  const made: Bindings = {
    ...env,
    DB: faultyDb(env.DB, chance),
    OUTBOX: faultyQueue(env.OUTBOX, () => Math.random() < share),
    RECEIPTS: faultyQueue(env.RECEIPTS, () => Math.random() < share),
  };
  known.set(env, made);
  return made;
}

function faultyQueue<T>(queue: Queue<T>, fails: () => boolean): Queue<T> {
  return {
    metrics: () => queue.metrics(),
    send: async (message, options) => {
      if (fails()) throw new Error('Queue is overloaded');
      return await queue.send(message, options);
    },
    sendBatch: async (messages, options) => {
      if (fails()) throw new Error('Queue is overloaded');
      return await queue.sendBatch(messages, options);
    },
  };
}

export default {
  fetch: (request, env, ctx) => worker.fetch(request, faulty(env), ctx),
  queue: (batch, env, ctx) => worker.queue(batch, faulty(env), ctx),
  scheduled: (controller, env, ctx) => worker.scheduled(controller, faulty(env), ctx),
} satisfies ExportedHandler<FaultyBindings, unknown>;
