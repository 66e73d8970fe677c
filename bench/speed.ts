/** How fast: events per second beside a bare route, delivery, latency, replay, resolutions. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../test/system/harness/process.ts';
import { groupCpuMs } from './cpu.ts';
import { batches, event, type Kind, singles } from './data.ts';
import { Client, postAll } from './load.ts';
import { type Line, median, percentile, type Runs, runsLine } from './table.ts';

const RUNS = 5;
const SINGLE_CONNECTIONS = 16;
const BATCH_CONNECTIONS = 2;
const BATCH = 500;
const SINGLES_PER_RUN = 300;
const BATCHES_PER_RUN = 3;

/** Nothing is under way any more: all messages sent, all receipts in. */
export async function untilIdle(server: Server): Promise<void> {
  for (;;) {
    const [busy] = await server.query(
      `SELECT 1 FROM messages WHERE state IN ('queued', 'sending', 'sent', 'unknown')
       UNION ALL SELECT 1 FROM sandbox_messages WHERE receipt_due_at IS NOT NULL LIMIT 1`,
    );
    if (!busy) return;
    await sleep(100);
  }
}

/** Several runs, after one that warms up and of which nothing is told. */
async function rates(
  server: Server,
  bodies: (series: string) => string[],
  eventsPerBody: number,
  connections: number,
): Promise<Runs> {
  const run = async (n: number): Promise<{ rate: number; events: number }> => {
    const series = bodies(`${connections}x${eventsPerBody}-${n}`);
    const seconds = await postAll(server.directUrl, '/v1/events', series, connections, 202);
    const events = series.length * eventsPerBody;
    return { rate: events / seconds, events };
  };
  await run(0);
  const before = groupCpuMs(server.pid);
  const runs: Awaited<ReturnType<typeof run>>[] = [];
  for (let n = 1; n <= RUNS; n++) runs.push(await run(n));
  const after = groupCpuMs(server.pid);
  const events = runs.reduce((sum, { events: of }) => sum + of, 0);
  const cpuMs = before === null || after === null ? null : (after - before) / events;
  return { rates: runs.map(({ rate }) => rate), cpuMs };
}

export async function throughput(server: Server, bare: Server): Promise<Line[]> {
  const few =
    (kind: Kind, scale = 1) =>
    (series: string) =>
      singles(`${kind}-${series}`, SINGLES_PER_RUN * scale, kind);
  const many =
    (kind: Kind, scale = 1) =>
    (series: string) =>
      batches(`${kind}-${series}`, BATCHES_PER_RUN * scale, BATCH, kind);

  // The bare route is so much quicker that a run needs more of it to be measured.
  const bareSingle = await rates(bare, few('deliverable', 5), 1, SINGLE_CONNECTIONS);
  const bareBatch = await rates(bare, many('deliverable', 20), BATCH, BATCH_CONNECTIONS);
  const perSingle = median(bareSingle.rates);
  const perBatch = median(bareBatch.rates);

  const single = await rates(server, few('deliverable'), 1, SINGLE_CONNECTIONS);
  await untilIdle(server);
  const suppressed = await rates(server, many('suppressed'), BATCH, BATCH_CONNECTIONS);
  const deliverable = await rates(server, many('deliverable'), BATCH, BATCH_CONNECTIONS);
  const drained = await drain(server);
  const unit = 'events/s';
  return [
    runsLine(`single posts, deliverable, ${SINGLE_CONNECTIONS} connections`, single, unit, perSingle),
    runsLine(`batches of ${BATCH}, deliverable, sent meanwhile`, deliverable, unit, perBatch),
    runsLine(`batches of ${BATCH}, suppressed`, suppressed, unit, perBatch),
    runsLine('bare route, single posts', bareSingle, unit, perSingle),
    runsLine(`bare route, batches of ${BATCH}`, bareBatch, unit, perBatch),
    { what: 'delivery of what the batches left queued', value: drained, unit: 'msgs/s' },
  ];
}

/** Messages per second from the queue to the provider, receipts included. */
async function drain(server: Server): Promise<number> {
  const [open] = await server.query<{ n: number }>(
    `SELECT count(*) AS n FROM messages WHERE state = 'queued'`,
  );
  const began = performance.now();
  await untilIdle(server);
  return (open?.n ?? 0) / ((performance.now() - began) / 1000);
}

const LATENCY_WARM_UP = 20;
const LATENCY_EVENTS = 150;
const PAUSE_MS = 60;

/** One event at a time. Both ends read the clock of this machine, so that nobody need poll. */
export async function latency(server: Server): Promise<Line[]> {
  const client = new Client(server.directUrl, 1);
  const sent = new Map<string, number>();
  const answered: number[] = [];
  for (let n = 0; n < LATENCY_WARM_UP + LATENCY_EVENTS; n++) {
    const body = JSON.stringify(event('latency', n, 'deliverable'));
    const at = Date.now();
    const began = performance.now();
    const { status, text } = await client.post('/v1/events', body);
    if (status !== 202) throw new Error(`/v1/events answered ${status}: ${text.slice(0, 300)}`);
    if (n >= LATENCY_WARM_UP) {
      answered.push(performance.now() - began);
      sent.set((JSON.parse(text) as { messages: { id: string }[] }).messages[0]?.id ?? '', at);
    }
    await sleep(PAUSE_MS);
  }
  client.close();
  await untilIdle(server);
  const rows = await server.query<{ reference: string; accepted_at: number }>(
    'SELECT reference, accepted_at FROM sandbox_messages WHERE reference IN (SELECT value FROM json_each(?1))',
    JSON.stringify([...sent.keys()]),
  );
  if (rows.length !== LATENCY_EVENTS) throw new Error(`${rows.length} of ${LATENCY_EVENTS} were delivered`);
  const delays = rows.map((row) => row.accepted_at - (sent.get(row.reference) ?? Number.NaN));
  const note = `${LATENCY_EVENTS} events, one at a time; one clock, whole ms`;
  return [
    { what: 'trigger to provider, p50', value: percentile(delays, 50), unit: 'ms', note },
    { what: 'trigger to provider, p99', value: percentile(delays, 99), unit: 'ms' },
    { what: 'trigger to 202, p50', value: percentile(answered, 50), unit: 'ms' },
    { what: 'trigger to 202, p99', value: percentile(answered, 99), unit: 'ms' },
  ];
}

/** Every recorded event under another policy, page by page. */
export async function replay(server: Server): Promise<Line> {
  const client = new Client(server.directUrl, 1);
  const runs: number[] = [];
  for (let run = 0; run < 4; run++) {
    const began = performance.now();
    let events = 0;
    let cursor: string | null = null;
    do {
      const { status, text } = await client.post(
        '/v1/policies/event-first/what-if',
        JSON.stringify({ limit: 5_000, ...(cursor !== null && { cursor }) }),
      );
      if (status !== 200) throw new Error(`what-if answered ${status}: ${text.slice(0, 300)}`);
      const page = JSON.parse(text) as { events: number; next_cursor: string | null };
      events += page.events;
      cursor = page.next_cursor;
    } while (cursor !== null);
    runs.push(events / ((performance.now() - began) / 1000));
  }
  client.close();
  return runsLine('what-if replay of recorded events', { rates: runs.slice(1) }, 'events/s');
}

/** @param server of the bench's own entry, which resolves a mix of all cells so often as it is asked. */
export async function resolutions(server: Server): Promise<Line[]> {
  const client = new Client(server.directUrl, 1);
  const measure = async (what: string, query: string, n: number): Promise<Line> => {
    const runs: number[] = [];
    for (let run = 0; run <= RUNS; run++) {
      const began = performance.now();
      const { status, text } = await client.get(`/bench/resolve?n=${n}${query}`);
      if (status !== 200) throw new Error(`/bench/resolve answered ${status}: ${text.slice(0, 300)}`);
      runs.push(n / ((performance.now() - began) / 1000));
    }
    return runsLine(what, { rates: runs.slice(1) }, 'per s');
  };
  const lines = [
    await measure('resolve(), attributes already parsed', '', 10_000),
    await measure('resolve(), numbers and flags parsed too', '&parse', 10_000),
  ];
  client.close();
  return lines;
}
