/**
 * `npm run bench:sync`: a large feed through R2 into local D1 on the built Worker, three times: new, unchanged, and with one
 * row in a hundred changed. Beside it sqlite3 on the same machine in the same run, with the same file into the same table.
 *
 *   --rows 1000000   another number of rows
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { buildWorker, removeBuild } from '../../test/system/harness/build.ts';
import { type Server, startServer } from '../../test/system/harness/process.ts';
import { CHANGED_IN_100, writeFeed } from './file.ts';
import { sqliteImport, sqliteVersion } from './sqlite.ts';

const { values } = parseArgs({ options: { rows: { type: 'string', default: '1000000' } } });
const ROWS = Number(values.rows);
if (!Number.isSafeInteger(ROWS) || ROWS < 100) throw new Error('--rows must be a whole number from 100');
const VARS = { DEMO: '1', CALLBACK_SECRET: 'whsec_YmVuY2gtc2VjcmV0LW9mLXRoZS1iZW5jaC1ydW4=' };
const KEY = { authorization: 'Bearer ot_demo' };

interface Run {
  readonly state: string;
  readonly detail: string | null;
  readonly document: string;
  readonly rows_read: number;
  readonly rows_written: number;
  readonly rows_unchanged: number;
}

const folder = mkdtempSync(join(tmpdir(), 'optitext-bench-sync-'));
const build = await buildWorker();
let server: Server | undefined;
try {
  console.log(`${cpus().length} × ${cpus()[0]?.model}, load before the run ${loadavg()[0]?.toFixed(2)}`);
  const first = await writeFeed(folder, ROWS, 1);
  const second = await writeFeed(folder, ROWS, 2);
  const [csvMb, gzMb] = [first.csv, first.gz].map((file) => (statSync(file).size / 1e6).toFixed(1));
  console.log(
    `${ROWS} rows, ${csvMb} MB of CSV, ${gzMb} MB packed; sqlite3 ${sqliteVersion() ?? 'is not installed'}\n`,
  );
  server = await startServer({ build, dataDir: join(folder, 'data'), vars: VARS, port: 0 });
  const changed = Math.ceil((ROWS * CHANGED_IN_100) / 100);
  await pass(server, 'new', first.gz, ROWS);
  await pass(server, 'unchanged', first.gz, 0);
  await pass(server, `${CHANGED_IN_100} % changed`, second.gz, changed);
  console.log(
    `\npeak memory of workerd: ${peakMemoryMb(server.pid)} MB (D1, R2 and the Worker in one process)`,
  );
} finally {
  await server?.kill();
  removeBuild(build);
  rmSync(folder, { recursive: true, force: true });
}

async function pass(server: Server, name: string, gz: string, expected: number): Promise<void> {
  const before = await lastWrite(server);
  await server.putFeed(`profiles/${name.replaceAll(/\W/g, '')}.csv.gz`, gz);
  const began = performance.now();
  let ticks = 0;
  let run: Run | undefined;
  do {
    await server.tick();
    ticks++;
    run = await newestRun(server);
  } while (run?.state === 'running');
  const seconds = (performance.now() - began) / 1000;
  if (run?.state !== 'done' || run.rows_read !== ROWS) throw new Error(JSON.stringify(run));
  const [row] = await server.query<{ n: number }>(
    'SELECT count(*) AS n FROM profiles WHERE written_at > ?1',
    before,
  );
  if (row?.n !== expected || run.rows_written !== expected) {
    throw new Error(`${name}: ${row?.n} rows written, ${run.rows_written} counted, ${expected} expected`);
  }
  const ours = `${seconds.toFixed(1)} s, ${Math.round(ROWS / seconds)} rows/s, ${ticks} ticks, ${expected} rows written`;
  if (sqliteVersion() === null) return console.log(`${name}: ${ours}`);
  const theirs = sqliteImport(join(folder, 'compare.db'), gz);
  if (theirs.written !== expected) throw new Error(`sqlite3 wrote ${theirs.written}`);
  console.log(
    `${name}: ${ours}; sqlite3 ${theirs.seconds.toFixed(1)} s, ${Math.round(ROWS / theirs.seconds)} rows/s; ratio ${(seconds / theirs.seconds).toFixed(1)}`,
  );
}

async function lastWrite(server: Server): Promise<number> {
  const [row] = await server.query<{ at: number | null }>('SELECT max(written_at) AS at FROM profiles');
  return row?.at ?? 0;
}

async function newestRun(server: Server): Promise<Run | undefined> {
  const response = await fetch(`${server.url}/v1/sync/runs?limit=1`, { headers: KEY });
  const { runs } = (await response.json()) as { runs: Run[] };
  return runs[0];
}

/** The highest resident memory that the server's workerd ever had. */
function peakMemoryMb(parent: number): number {
  const peaks = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const isOurs = new RegExp(`^PPid:\\s+${parent}$`, 'm').test(status);
        const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
        return isOurs && peak !== undefined ? [Number(peak) / 1000] : [];
      } catch {
        return []; // gone in the meantime
      }
    });
  return Math.round(Math.max(...peaks));
}
