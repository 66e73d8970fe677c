/**
 * An import outlives SIGKILL: the server is killed at random moments while it imports a full feed, and in the end the profiles
 * are, byte for byte, those of a server that nobody disturbed. The feed is configured from a file, as operators do.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Build, buildWorker, ROOT, removeBuild } from './harness/build.ts';
import { type Server, startServer } from './harness/process.ts';
import { seededRandom } from './harness/random.ts';

const KILLS = 20;
const ROWS = 20_000;
const LEASE_MS = 1_000;
const VARS = {
  DEMO: '1',
  CALLBACK_SECRET: 'whsec_dGVzdC1zZWNyZXQtb2YtdGhlLXRlc3QtcnVu',
  LEASE_SECONDS: LEASE_MS / 1000,
  PROVIDER_TIMEOUT_MS: 250,
  SYNC_CHUNK_ROWS: 50,
  // So that no tick does more than a part of the work, and 20 kills find something to interrupt.
  SYNC_TICK_SUBREQUESTS: 60,
};
const KEY = { authorization: 'Bearer ot_demo', 'content-type': 'application/json' };

let build: Build;
let folder: string;
const servers: Server[] = [];

beforeAll(async () => {
  build = await buildWorker();
  folder = mkdtempSync(join(tmpdir(), 'optitext-sync-'));
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.kill()));
  removeBuild(build);
  rmSync(folder, { recursive: true, force: true });
});

async function start(name: string): Promise<Server> {
  const server = await startServer({ build, dataDir: join(folder, name), vars: VARS, port: 0 });
  servers.push(server);
  return server;
}

interface Run {
  readonly state: string;
  readonly detail: string | null;
  readonly phase: string | null;
}

async function runOf(server: Server): Promise<Run | undefined> {
  const response = await fetch(`${server.url}/v1/sync/runs?limit=1&feed=nightly`, { headers: KEY });
  return ((await response.json()) as { runs: Run[] }).runs[0];
}

/** Every row says its own time, because the time of an upload differs from server to server. */
function files(): { before: string; feed: string } {
  const line = (n: number, day: number): string =>
    `c-${String(n).padStart(6, '0')},+1415${2_000_000 + n},${n % 3 === 0 ? 'yes' : 'no'},Ada ${n % (day * 7)},2026-01-0${day}T00:00:00Z\n`;
  const csv = (name: string, lines: readonly string[]): string => {
    const file = join(folder, name);
    writeFileSync(file, gzipSync(`customer_id,phone,Allow_SMS,first_name,updated_at\n${lines.join('')}`));
    return file;
  };
  const all = Array.from({ length: ROWS }, (_, n) => n);
  return {
    before: csv(
      'before.csv.gz',
      all.map((n) => line(n, 1)),
    ),
    // One in nine is absent, one in four is unchanged, and some come twice.
    feed: csv(
      'feed.csv.gz',
      all
        .filter((n) => n % 9 !== 0)
        .flatMap((n) => (n % 100 === 1 ? [line(n, 2), line(n, 3)] : [line(n, n % 4 === 0 ? 1 : 2)])),
    ),
  };
}

async function prepare(server: Server, { before, feed }: { before: string; feed: string }): Promise<void> {
  const config = join(folder, 'feeds.json');
  writeFileSync(
    config,
    JSON.stringify({ feeds: { nightly: { kind: 'r2', prefix: 'nightly/', mode: 'full' } } }),
  );
  await server.putFeed('nightly/1.csv', before);
  expect(applied(server, config)).toContain('nightly: created');
  expect(applied(server, config)).toContain('nightly: unchanged');
  await toTheEnd(server);
  await server.putFeed('nightly/2.csv', feed);
}

const applied = (server: Server, file: string): string =>
  execFileSync(process.execPath, ['scripts/feeds.ts', 'apply', '--file', file, '--url', server.url], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });

async function toTheEnd(server: Server): Promise<Run> {
  for (;;) {
    await server.tick();
    const run = await runOf(server);
    if (run && run.state !== 'running') return run;
    await sleep(20);
  }
}

/** Waits until the run has made so many more steps (chunks that were staged, written or cleared), or has ended. */
async function afterSteps(server: Server, count: number): Promise<void> {
  const steps = async (): Promise<number | null> => {
    const [row] = await server.query<{ n: number | null }>(
      `SELECT max(chunks + absent_chunks + chunks_written + absent_cleared) AS n FROM sync_runs WHERE state = 'running'`,
    );
    return row?.n ?? null;
  };
  let before = await steps();
  for (const until = Date.now() + 20_000; Date.now() < until; await sleep(2)) {
    const now = await steps();
    if (now === null && before !== null) return;
    before ??= now;
    if (now !== null && now >= (before ?? 0) + count) return;
  }
}

const table = (server: Server) =>
  server.query(
    'SELECT customer_id, mobile_number, e164, sms_consent, sms_valid, attributes, sms_consent IS NULL AS cleared, iif(sms_consent IS NULL, 0, updated_at) AS at FROM profiles ORDER BY customer_id',
  );

describe('an import whose server is killed', () => {
  it(`ends like an undisturbed one after ${KILLS} kills`, { timeout: 600_000 }, async () => {
    const seed = Number(process.env.KILL_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const random = seededRandom(seed);
    const feeds = files();

    const calm = await start('calm');
    await prepare(calm, feeds);
    expect(await toTheEnd(calm)).toMatchObject({ state: 'done' });
    const expected = await table(calm);
    await calm.stop();

    let server = await start('killed');
    await prepare(server, feeds);
    const phases: Record<string, number> = {};
    let kills = 0;
    for (; kills < KILLS; kills++) {
      const tick = server.tick().catch(() => undefined);
      // A tick that is over before that is followed by a kill between ticks.
      await Promise.race([tick, afterSteps(server, random.int(1, 12))]);
      await sleep(random.int(0, 60));
      await server.kill();
      await tick;
      server = await start('killed');
      const run = await runOf(server);
      const phase = run?.state === 'running' ? (run.phase ?? '') : (run?.state ?? 'none');
      phases[phase] = (phases[phase] ?? 0) + 1;
      if (phase === 'done') break;
      await sleep(LEASE_MS);
    }
    expect(kills, `kills that met the run: ${JSON.stringify(phases)}`).toBe(KILLS);
    expect(await toTheEnd(server), `seed ${seed}`).toMatchObject({ state: 'done' });
    process.stdout.write(`[sync kill test] seed ${seed}; found after the kills: ${JSON.stringify(phases)}\n`);
    expect(await table(server), `seed ${seed}`).toEqual(expected);
    expect(expected).toHaveLength(ROWS);
  });
});
