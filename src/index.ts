/** The Worker's three doors: fetch, queue, scheduled. */
import { app } from './app.ts';
import { consumeReceipts } from './callbacks/consumer.ts';
import { consumeDeadLetters, consumeOutbox } from './delivery/consumer.ts';
import { nameMissingSettings } from './delivery/health.ts';
import { postReceipts } from './delivery/sandbox/receipts.ts';
import { sweep } from './delivery/sweeper.ts';
import { decideWaiting } from './ingress/decide-again.ts';
import type { Bindings } from './platform/config.ts';
import { errorText, log } from './platform/log.ts';
import { createRuntime, type Pointer, type ReceiptNote, type Runtime } from './platform/runtime.ts';
import { syncFeeds } from './profiles/sync/engine.ts';

export default {
  fetch: (request, env, ctx) => app.fetch(request, env, ctx),

  async queue(batch, env, ctx) {
    const runtime = runtimeOf(env, ctx);
    switch (batch.queue) {
      case 'optitext-outbox':
        await consumeOutbox(runtime, batch as MessageBatch<Pointer>);
        ctx.waitUntil(postReceipts(runtime));
        return;
      case 'optitext-outbox-dlq':
        return await consumeDeadLetters(runtime, batch as MessageBatch<Pointer>);
      case 'optitext-receipts':
      case 'optitext-receipts-dlq':
        return await consumeReceipts(runtime, batch as MessageBatch<ReceiptNote>);
      default:
        throw new Error(`no consumer for queue ${batch.queue}`);
    }
  },

  /** Each job by itself: one that fails does not stop the others. */
  async scheduled(_controller, env, ctx) {
    const runtime = runtimeOf(env, ctx);
    const jobs = { sweep, syncFeeds, decideWaiting, postReceipts };
    for (const [name, job] of Object.entries(jobs)) {
      try {
        await job(runtime);
      } catch (error) {
        log('error', 'cron.job_failed', { job: name, error: errorText(error) });
      }
    }
  },
} satisfies ExportedHandler<Bindings, unknown>;

function runtimeOf(env: Bindings, ctx: ExecutionContext): Runtime {
  const runtime = createRuntime(
    env,
    (promise) => ctx.waitUntil(promise),
    async (request) => await app.fetch(request, env, ctx),
  );
  nameMissingSettings(runtime);
  return runtime;
}
