/**
 * The whole system under chance: the built Worker over a D1 and queues that fail, a gateway that does every wrong thing,
 * people who opt out at any moment, receipts early, late, doubled, lying, and a server that is killed with SIGKILL again
 * and again. Afterwards the log, read over the API, is held against what the providers did. See docs/delivery.md.
 *
 * `npm run test:chaos` is the long form. CHAOS_SEED repeats what is drawn, CHAOS_MESSAGES and CHAOS_KILLS set the size.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leaksIn } from '../logs.ts';
import { type Build, buildWorker, removeBuild } from './harness/build.ts';
import { Callbacks } from './harness/chaos-callbacks.ts';
import { judge, readLog, readOptedOut, tally, type Verdict } from './harness/chaos-oracle.ts';
import { CHAOS_CAMPAIGNS, eventOf, faultOf, isMute, lookupFaultOf, phone } from './harness/chaos-script.ts';
import { type FakeGateway, startFakeGateway } from './harness/fake-gateway.ts';
import { type Server, startServer } from './harness/process.ts';
import { type Random, randomOf, seededRandom } from './harness/random.ts';
import { KEY, putCampaigns, Traffic } from './harness/traffic.ts';

const MESSAGES = Number(process.env.CHAOS_MESSAGES ?? 400);
const KILLS = Number(process.env.CHAOS_KILLS ?? Math.max(8, Math.round(MESSAGES / 250)));
const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** An event makes 1.25 messages on average. */
const EVENTS = Math.ceil(MESSAGES / 1.15);
const PHONES = Math.ceil(MESSAGES / 3);
/** How many people opt out. */
const STOPS = Math.ceil(PHONES * 0.3);
const CLIENTS = 4;
const LIFE_MS = { min: 300, max: 3000 };
/** Share of kills that strike while the gateway is being called, when most is in the air. */
const KILLS_AT_CALLS = 0.7;
const CRON_MS = 500;
const QUIET_WITHIN_MS = 100_000 + MESSAGES * 40;
const TEST_TIMEOUT_MS = 340_000 + MESSAGES * 150;

const GATEWAY_SECRET = 'the-secret-of-the-chaos-gateway';
const SANDBOX_SECRET = 'whsec_dGVzdC1zZWNyZXQtb2YtdGhlLXRlc3QtcnVu';
const VARS = {
  DEMO: '1',
  PROVIDER: 'webhook',
  WEBHOOK_SECRET: GATEWAY_SECRET,
  CALLBACK_SECRET: SANDBOX_SECRET,
  LEASE_SECONDS: 4,
  PROVIDER_TIMEOUT_MS: 500,
  SWEEP_GRACE_SECONDS: 2,
  RECONCILE_SECONDS: 2,
  RETRY_BASE_MS: 200,
};
/** The API takes a minute or more; nobody wants to watch that long. */
const UNKNOWN_AFTER_SECONDS = 12;
/** Share of calls to D1 and queues that fail while the server is being killed. */
const INNER_FAULTS = '0.03';

let build: Build;
let dataDir: string;
let gateway: FakeGateway;
let server: Server | null = null;

beforeAll(async () => {
  build = await buildWorker('test/faulty-worker.ts');
  dataDir = mkdtempSync(join(tmpdir(), 'optitext-chaos-'));
});

afterAll(async () => {
  await server?.kill();
  await gateway?.close();
  if (build) removeBuild(build);
  rmSync(dataDir, { recursive: true, force: true });
});

describe('the whole system under chance', () => {
  it(`sends ${MESSAGES} messages at most once and loses none over ${KILLS} kills`, {
    timeout: TEST_TIMEOUT_MS,
  }, async () => {
    say(
      `seed ${SEED} (CHAOS_SEED=${SEED} CHAOS_MESSAGES=${MESSAGES} CHAOS_KILLS=${KILLS} draws the same again)`,
    );
    const began = Date.now();
    const random = seededRandom(SEED);
    const event = eventOf(MESSAGES, SEED);
    const traffic = new Traffic(random, { event, databaseFails: true });
    const numberOf = (id: string): string | null => {
      const known = traffic.accepted.get(id);
      return known ? String(event(Number(known.eventId.slice(2))).data.MOBILE_NUMBER) : null;
    };
    const asks = new Map<string, number>();
    let onCall = (): void => undefined;
    gateway = await startFakeGateway({
      secret: GATEWAY_SECRET,
      script: (incoming) => {
        onCall();
        const fault = faultOf(SEED, incoming);
        const number = numberOf(incoming.id);
        // Some say STOP while their message waits for another try, some while it is being sent.
        if (fault.kind === 'busy' && number && randomOf(SEED, 'stop', incoming.id).next() < 0.2)
          callbacks.stop(number, randomOf(SEED, 'words', number));
        return fault;
      },
      lookupScript: (id) => {
        const ask = (asks.get(id) ?? 0) + 1;
        asks.set(id, ask);
        // Answers of the system itself wait eight hours before they are called unknowable.
        return traffic.accepted.has(id) && isMute(SEED, id) ? 'error' : lookupFaultOf(SEED, id, ask);
      },
      onTaken: (id, { gatewayId }) => callbacks.report(id, gatewayId),
    });
    let address: string | null = null;
    const callbacks = new Callbacks(SEED, gateway, () => address, SANDBOX_SECRET);

    const hits = { kills: 0, sending: 0, taken: 0, queued: 0 };
    let current = await start(INNER_FAULTS);
    await setUp(current);
    for (let round = 0; round < KILLS; round++) {
      if (round > 0) await countHits(current, hits);
      address = current.url;
      const left = (of: number): number =>
        Math.ceil((of * (round + 1)) / KILLS) - Math.ceil((of * round) / KILLS);
      const events = left(EVENTS);
      let calls = random.next() < KILLS_AT_CALLS ? random.int(1, events) : 0;
      const struck = new Promise<void>((resolve) => {
        onCall = () => {
          if (--calls === 0) resolve();
        };
      });
      await live(current, traffic, callbacks, random, { events, stops: left(STOPS), struck });
      address = null;
      current = await start(round + 1 < KILLS ? INNER_FAULTS : '0');
    }
    await countHits(current, hits);
    address = current.url;

    while (traffic.unanswered.length > 0)
      for (const request of traffic.unanswered.splice(0)) await traffic.post(current.url, request);
    await untilQuiet(current, callbacks);
    await callbacks.done();
    await callbacks.repeatReceipts();
    const sandbox = await current.query<{ reference: string }>('SELECT reference FROM sandbox_messages');
    await callbacks.reportForeign(sandbox.slice(0, 20).map(({ reference }) => reference));
    await untilQuiet(current, callbacks);

    const verdict = await settledVerdict(current, async () => ({
      seed: SEED,
      messages: await readLog(current.url),
      gateway,
      sandbox: sandbox.map(({ reference }) => reference),
      accepted: [...traffic.accepted.values()],
      events: traffic.eventsMade,
      optOuts: callbacks.optOuts,
      optedOut: await readOptedOut(current.url),
    }));
    const log = readFileSync(current.logFile, 'utf8').split('\n');
    const leaks = leaksIn(log, [GATEWAY_SECRET, SANDBOX_SECRET, SANDBOX_SECRET.slice(6), 'ot_demo']);
    const total = Object.values(verdict.states).reduce((sum, n) => sum + n, 0);

    say(
      `${traffic.eventsMade} events, all answered 202 (${traffic.duplicates} of the answers to duplicates); ${total} messages: ${figures(verdict.states)}`,
    );
    say(
      `${gateway.calls.length} calls of the gateway: ${figures(tally(gateway.calls.map(({ fault }) => ('taken' in fault && fault.taken ? `${fault.kind} after taking` : fault.kind))))}; ${gateway.lookups.length} look-ups; ${sandbox.length} texts through the second provider`,
    );
    say(
      `${KILLS} kills: ${hits.kills} met messages in sending (${hits.sending} messages, ${hits.taken} of them taken by the gateway already); ${hits.queued} queued ones lost their pointers`,
    );
    say(
      `callbacks: ${figures(callbacks.figures)}; ${callbacks.optOuts.length} STOPs, ${callbacks.optOuts.filter(({ startPostedAt }) => startPostedAt !== null).length} of them taken back by START; they stopped ${verdict.stopped} messages on their way, ${verdict.stoppedInBackOff} of those between two attempts`,
    );
    say(
      `${verdict.texts} texts went out; sent twice ${verdict.twice.length} (and ${verdict.twiceByWish} where the campaign prefers that to a loss), lost ${verdict.lost.length}, claimed or sent after STOP ${verdict.disregarded.length}; ${log.length} log lines, ${leaks.length} with a number or a secret; ${Math.round((Date.now() - began) / 1000)} s`,
    );

    expect(verdict.twice, 'texts that went out twice').toEqual([]);
    expect(verdict.lost, 'lost messages').toEqual([]);
    expect(verdict.untrue, 'messages that do not say what happened').toEqual([]);
    expect(verdict.disregarded, 'opt-outs that were disregarded').toEqual([]);
    expect(verdict.illegal, 'steps that states do not allow').toEqual([]);
    expect(leaks, 'log lines with a number or a secret').toEqual([]);
    expect(gateway.unsigned()).toBe(0);
    expect(traffic.eventsAccepted.size).toBe(traffic.eventsMade);
    expect(total).toBeGreaterThanOrEqual(MESSAGES);
    // A run that met nothing proves nothing.
    expect(hits.kills, 'kills that met messages in sending').toBeGreaterThanOrEqual(2);
    expect(verdict.stopped, 'messages that a STOP met on their way').toBeGreaterThan(0);
  });
});

async function start(faults: string): Promise<Server> {
  const vars = { ...VARS, WEBHOOK_URL: gateway.url, FAULTS: faults };
  server = await startServer({ build, dataDir, vars, port: 0 });
  return server;
}

async function setUp(current: Server): Promise<void> {
  // The database may fail here, too.
  for (let left = CHAOS_CAMPAIGNS.length * 10; ; left--) {
    try {
      await putCampaigns(current.url, CHAOS_CAMPAIGNS);
      break;
    } catch (error) {
      if (left === 0) throw error;
    }
  }
  await current.query('UPDATE campaigns SET unknown_after_seconds = ?1', UNKNOWN_AFTER_SECONDS);
}

interface Life {
  readonly events: number;
  readonly stops: number;
  /** Ends it before its time. */
  readonly struck: Promise<void>;
}

/** One life of a server: clients post, some twice; people opt out; cron ticks; and before all is done, it ends. */
async function live(
  current: Server,
  traffic: Traffic,
  callbacks: Callbacks,
  random: Random,
  { events, stops, struck }: Life,
): Promise<void> {
  const again = traffic.unanswered.splice(0, Math.ceil(traffic.unanswered.length / 2));
  const batch = Math.floor(events / 3);
  const fresh = traffic.requests(events - 2 * batch, batch > 0 ? [batch, batch] : []);
  const twice = fresh.filter(() => random.next() < 0.15);
  const queue = [...again, ...fresh, ...twice].values();
  const lifeMs = random.int(LIFE_MS.min, LIFE_MS.max);
  const stopsAfter = Array.from({ length: stops }, () => random.int(0, lifeMs)).sort((a, b) => a - b);
  let over = false;

  const client = async (): Promise<void> => {
    for (const request of queue) {
      if (over) traffic.unanswered.push(request);
      else await traffic.post(current.url, request);
    }
  };
  const cron = async (): Promise<void> => {
    while (!over) {
      await operate(current).catch(() => undefined); // the kill may cut it short
      await sleep(CRON_MS);
    }
  };
  const people = async (): Promise<void> => {
    const began = Date.now();
    for (const after of stopsAfter) {
      await sleep(Math.max(0, began + after - Date.now()));
      callbacks.stop(phone(random.int(1, PHONES)), random);
    }
  };
  const all = Promise.all(Array.from({ length: CLIENTS }, client));
  const others = [people(), cron()];
  await Promise.race([sleep(lifeMs), struck]);
  over = true;
  await current.kill();
  await Promise.all([all, ...others]);
}

/** Cron fires; and somebody who sees a paused sender on /health has mended it and lets it go on. */
async function operate(current: Server): Promise<void> {
  await current.tick();
  const headers = { authorization: KEY };
  const response = await fetch(`${current.url}/v1/senders`, { headers });
  if (!response.ok) return;
  const { paused } = (await response.json()) as { paused: { provider: string; sender: string }[] };
  for (const { provider, sender } of paused) {
    const path = `/v1/senders/${provider}/${encodeURIComponent(sender)}/resume`;
    await (await fetch(`${current.url}${path}`, { method: 'POST', headers })).arrayBuffer();
  }
}

interface Hits {
  kills: number;
  sending: number;
  taken: number;
  queued: number;
}

/** What the last kill interrupted: in a new server nothing runs until somebody asks or cron ticks. */
async function countHits(current: Server, hits: Hits): Promise<void> {
  const rows = await current.query<{ id: string; state: string }>(
    `SELECT id, state FROM messages WHERE state IN ('sending', 'queued')`,
  );
  const sending = rows.filter(({ state }) => state === 'sending');
  if (sending.length > 0) hits.kills++;
  hits.sending += sending.length;
  hits.taken += sending.filter(({ id }) => gateway.accepted.has(id)).length;
  hits.queued += rows.length - sending.length;
}

async function untilQuiet(current: Server, callbacks: Callbacks): Promise<void> {
  const until = Date.now() + QUIET_WITHIN_MS;
  for (;;) {
    await operate(current);
    const open = await current.query<{ state: string; reason: string | null; n: number }>(
      `SELECT state, reason, count(*) AS n FROM messages WHERE state IN ('queued', 'sending', 'held')
        OR (state = 'unknown' AND reason IS NOT 'outcome_unknowable') GROUP BY state, reason`,
    );
    if (open.length === 0) return;
    expect(
      Date.now(),
      `still open: ${JSON.stringify(open)}, ${JSON.stringify(callbacks.figures)}`,
    ).toBeLessThan(until);
    await sleep(CRON_MS);
  }
}

/** Receipts go over a queue: what the log says of the last ones becomes true a moment later. */
async function settledVerdict(
  current: Server,
  read: () => Promise<Parameters<typeof judge>[0]>,
): Promise<Verdict> {
  for (let tries = 8; ; tries--) {
    const verdict = judge(await read());
    if (verdict.untrue.length === 0 || tries === 0) return verdict;
    await current.tick();
    await sleep(1000);
  }
}

function figures(counts: object): string {
  return Object.entries(counts)
    .map(([name, n]) => `${name} ${n}`)
    .join(', ');
}

/** Not a log line of the product: what a reader of the test's output needs to judge and repeat it. */
function say(text: string): void {
  process.stdout.write(`[chaos] ${text}\n`);
}
