/**
 * Accepted is durable, and once: the server is killed with SIGKILL again and again at random moments, and in the end
 * every accepted deliverable event has reached the provider exactly once.
 *
 * The real built Worker on real workerd with real files. The queue lives in memory here, so each kill also loses every
 * pointer that was on its way: what the ledger does not know is gone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MessageState, STATE_RANK } from '../../src/domain/states.ts';
import { type Build, buildWorker, removeBuild } from './harness/build.ts';
import { type Server, startServer } from './harness/process.ts';
import { type Random, seededRandom } from './harness/random.ts';
import { setUp, Traffic } from './harness/traffic.ts';

const KILLS = 24;
const SINGLES = 30;
const BATCHES = [40, 20, 10];
const CLIENTS = 4;
/** The longest that a server lives after its first 202 of a round. */
const MAX_LIFE_MS = 500;
const QUIET_WITHIN_MS = 60_000;

const VARS = {
  DEMO: '1',
  CALLBACK_SECRET: 'whsec_dGVzdC1zZWNyZXQtb2YtdGhlLXRlc3QtcnVu',
  LEASE_SECONDS: 3,
  PROVIDER_TIMEOUT_MS: 250,
  SWEEP_GRACE_SECONDS: 1,
  RECONCILE_SECONDS: 1,
  RETRY_BASE_MS: 50,
  // A kill costs the attempt that it interrupts. This test kills more often than anybody should.
  MAX_ATTEMPTS: 50,
};

let build: Build;
let dataDir: string;
let server: Server | null = null;

beforeAll(async () => {
  build = await buildWorker();
  dataDir = mkdtempSync(join(tmpdir(), 'optitext-kill-'));
});

afterAll(async () => {
  await server?.kill();
  removeBuild(build);
  rmSync(dataDir, { recursive: true, force: true });
});

const start = async (): Promise<Server> => {
  server = await startServer({ build, dataDir, vars: VARS, port: 0 });
  return server;
};

describe('a server that is killed', () => {
  it(`loses and doubles nothing over ${KILLS} kills`, async () => {
    const seed = Number(process.env.KILL_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const began = Date.now();
    say(`seed ${seed} (KILL_SEED=${seed} sends the same events and kills after the same delays)`);
    const random = seededRandom(seed);
    const traffic = new Traffic(random);
    const bites = { kills: 0, sending: 0, takenUnsettled: 0, queued: 0, storedUnanswered: 0 };

    let current = await start();
    await setUp(current.url);
    for (let round = 0; round < KILLS; round++) {
      const since = Date.now();
      await liveAndDie(current, traffic, random);
      current = await start();
      await countBites(current, traffic, since, bites);
    }

    for (const request of traffic.unanswered.splice(0)) await traffic.post(current.url, request);
    const ticks = await untilQuiet(current);
    const states = await verify(current, traffic);
    say(
      `${traffic.eventsMade} events, ${traffic.eventsAccepted.size} answered 202, ${traffic.duplicates} of them as duplicates; ` +
        `quiet after ${ticks} ticks; ${JSON.stringify(states)}; ${Math.round((Date.now() - began) / 1000)} s`,
    );
    say(
      `${KILLS} kills; with messages in sending: ${bites.kills} (${bites.sending} messages, ${bites.takenUnsettled} of them already ` +
        `taken by the provider); ${bites.queued} queued messages lost their pointer; ${bites.storedUnanswered} events stored but not answered`,
    );
    expect(traffic.eventsAccepted.size).toBeGreaterThanOrEqual(2_000);
    expect(bites.kills, 'kills that met messages in sending').toBeGreaterThanOrEqual(5);
  });
});

/**
 * A round: clients post, cron may fire, and after some are answered 202 the server is killed: at any moment, or in the
 * very moment in which an answer arrives, when a server that answers before it has stored would be caught.
 */
async function liveAndDie(current: Server, traffic: Traffic, random: Random): Promise<void> {
  // A client repeats what got no answer, for about half of it at once; the rest follows at the end.
  const again = traffic.unanswered.splice(0, Math.ceil(traffic.unanswered.length / 2));
  const requests = [...again, ...traffic.requests(SINGLES, BATCHES)];
  const life = random.int(0, MAX_LIFE_MS);
  const cronAfter = random.next() < 0.5 ? random.int(0, life) : null;
  const killAtAnswer = random.next() < 0.5 ? random.int(1, requests.length) : null;

  let killed: Promise<void> | null = null;
  const kill = (): void => {
    killed ??= current.kill();
  };
  let answers = 0;
  let onFirst = (): void => undefined;
  const first = new Promise<void>((resolve) => {
    onFirst = resolve;
  });
  const onAnswer = (): void => {
    if (++answers === killAtAnswer) kill();
    onFirst();
  };
  const queue = requests.values();
  const client = async (): Promise<void> => {
    for (const request of queue) {
      if (killed) traffic.unanswered.push(request);
      else await traffic.post(current.url, request, onAnswer);
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, client));
  await Promise.race([first, clients]);
  // The kill may cut the run short; that is the point.
  const tick = (): Promise<void> => current.tick().catch(() => undefined);
  const cron = cronAfter === null ? null : sleep(cronAfter).then(tick);
  if (killAtAnswer === null) await sleep(life);
  else await clients;
  kill();
  await Promise.all([killed, clients, cron]);
}

interface Bites {
  kills: number;
  sending: number;
  takenUnsettled: number;
  queued: number;
  storedUnanswered: number;
}

/** What this kill interrupted, read before anything of it is mended: in a new server nothing runs until cron ticks. */
async function countBites(current: Server, traffic: Traffic, since: number, bites: Bites): Promise<void> {
  const [row] = await current.query<Omit<Bites, 'kills' | 'storedUnanswered'>>(
    `SELECT count(*) FILTER (WHERE state = 'sending') AS sending,
       count(*) FILTER (WHERE state = 'sending' AND reference IS NOT NULL) AS takenUnsettled,
       count(*) FILTER (WHERE state = 'queued') AS queued
     FROM messages LEFT JOIN sandbox_messages ON reference = messages.id WHERE updated_at >= ?1`,
    since,
  );
  if (!row) throw new Error('a count has one row');
  if (row.sending > 0) bites.kills++;
  bites.sending += row.sending;
  bites.takenUnsettled += row.takenUnsettled;
  bites.queued += row.queued;
  const events = await current.query<{ id: string }>('SELECT id FROM events WHERE received_at >= ?1', since);
  bites.storedUnanswered += events.filter((event) => !traffic.eventsAccepted.has(event.id)).length;
}

/** Lets cron tick until nothing is left to do. @returns how many ticks that took. */
async function untilQuiet(current: Server): Promise<number> {
  const until = Date.now() + QUIET_WITHIN_MS;
  for (let ticks = 1; ; ticks++) {
    await current.tick();
    const open = await current.query<{ state: string; n: number }>(
      `SELECT state, count(*) AS n FROM messages WHERE state IN ('queued', 'sending', 'unknown', 'held') GROUP BY state`,
    );
    if (open.length === 0) return ticks;
    expect(Date.now(), `still open: ${JSON.stringify(open)}`).toBeLessThan(until);
    await sleep(400);
  }
}

/** @returns how many messages stand in which state. */
async function verify(current: Server, traffic: Traffic): Promise<Record<string, number>> {
  const messages = await current.query<{ id: string; event_id: string; decision: string; state: string }>(
    `SELECT id, event_id, decision ->> 'outcome' AS decision, state FROM messages`,
  );
  const events = await current.query<{ id: string }>('SELECT id FROM events');
  const taken = await current.query<{ reference: string; n: number }>(
    'SELECT reference, count(*) AS n FROM sandbox_messages GROUP BY reference',
  );

  // What was answered 202 stands in the ledger, with every message that the answer named.
  const stored = new Set(events.map((row) => row.id));
  expect([...traffic.eventsAccepted].filter((id) => !stored.has(id))).toEqual([]);
  const byId = new Map(messages.map((row) => [row.id, row]));
  expect([...traffic.accepted.values()].filter((message) => !byId.has(message.messageId))).toEqual([]);

  // Every deliverable message was taken exactly once, those of unanswered but stored events too; no other ever.
  const deliverable = messages.filter((row) => row.decision === 'deliver').map((row) => row.id);
  expect(deliverable.length).toBeGreaterThan(1_000);
  const count = new Map(taken.map((row) => [row.reference, row.n]));
  expect(taken.filter((row) => row.n !== 1)).toEqual([]);
  expect(deliverable.filter((id) => !count.has(id))).toEqual([]);
  const suppressed = messages.filter((row) => row.decision === 'suppress');
  expect(suppressed.length).toBeGreaterThan(200);
  expect(suppressed.filter((row) => row.state !== 'suppressed' || count.has(row.id))).toEqual([]);
  expect(taken.length).toBe(deliverable.length);
  for (const { messageId, state } of traffic.accepted.values()) {
    expect(count.get(messageId) ?? 0, messageId).toBe(state === 'queued' ? 1 : 0);
  }

  const states: Record<string, number> = {};
  for (const { state } of messages) states[state] = (states[state] ?? 0) + 1;
  expect(Object.keys(states).filter((state) => !ENDED.has(state))).toEqual([]);
  expect(await illegalSteps(current)).toEqual([]);
  return states;
}

/** `sent` is an end too: a kill may take a receipt with it that waited in the local queue's memory. */
const ENDED = new Set(['sent', 'delivered', 'suppressed']);

/** Reasons that say “the provider definitely has not sent”: the only way back to `queued`. */
const NOT_SENT = new Set(['provider_busy', 'not_taken']);

async function illegalSteps(current: Server): Promise<string[]> {
  const rows = await current.query<{ message_id: string; state: MessageState; reason: string | null }>(
    'SELECT message_id, state, reason FROM message_transitions ORDER BY message_id, seq',
  );
  return rows.flatMap((row, index) => {
    const before = rows[index - 1];
    if (!before || before.message_id !== row.message_id) {
      return row.state === 'queued' || row.state === 'suppressed'
        ? []
        : [`${row.message_id} began ${row.state}`];
    }
    const forward = STATE_RANK[row.state] > STATE_RANK[before.state];
    const back =
      row.state === 'queued' &&
      (before.state === 'sending' || before.state === 'unknown') &&
      NOT_SENT.has(row.reason ?? '');
    return forward || back ? [] : [`${row.message_id}: ${before.state} → ${row.state} (${row.reason})`];
  });
}

/** Not a log line of the product: what a reader of the test's output needs to judge and repeat it. */
function say(text: string): void {
  process.stdout.write(`[kill test] ${text}\n`);
}
