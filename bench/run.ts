/**
 * `npm run bench`: one table from one run against the built Worker on local workerd, without the development proxy.
 * Repeatable: fresh data, the same events, a warm-up, several runs, the median. It takes about a minute and a half.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { type Build, buildWorker, removeBuild } from '../test/system/harness/build.ts';
import { type Server, startServer } from '../test/system/harness/process.ts';
import { seed } from './data.ts';
import { latency, replay, resolutions, throughput } from './speed.ts';
import { storage } from './storage.ts';
import { type Line, print } from './table.ts';

const VARS = { DEMO: '1', CALLBACK_SECRET: 'whsec_YmVuY2gtc2VjcmV0LW9mLXRoZS1iZW5jaC1ydW4=' };

const began = performance.now();
const folder = mkdtempSync(join(tmpdir(), 'optitext-bench-'));
const builds: Build[] = [];
const servers: Server[] = [];

async function start(name: string, entry?: string): Promise<Server> {
  progress(`building and starting ${name}`);
  const build = await buildWorker(entry);
  builds.push(build);
  const server = await startServer({ build, dataDir: join(folder, name), vars: VARS, port: 0 });
  servers.push(server);
  return server;
}

try {
  machine();
  const bare = await start('bare', 'bench/workers/bare.ts');
  const server = await start('optitext');
  await seed(server);
  progress('latency');
  const latencies = await latency(server);
  progress('throughput');
  const speeds = await throughput(server, bare);
  await bare.stop();
  progress('replay');
  const replays = await replay(server);
  await server.stop();
  const counting = await start('counting', 'bench/workers/entry.ts');
  await seed(counting);
  progress('resolutions');
  const resolved = await resolutions(counting);
  progress('storage');
  const sections: Record<string, Line[]> = {
    'Throughput, client on the same machine': speeds,
    Latency: latencies,
    Rules: [...resolved, replays],
    'Storage, as D1 reports it, without the sandbox carrier’s own': await storage(counting),
  };
  progress('');
  print(sections);
  console.log(`\n${Math.round((performance.now() - began) / 1000)} s`);
} finally {
  await Promise.all(servers.map((server) => server.kill()));
  for (const build of builds) removeBuild(build);
  rmSync(folder, { recursive: true, force: true });
}

/** What a reader must know to judge the numbers. */
function machine(): void {
  const require = createRequire(import.meta.url);
  const version = (name: string): string => (require(`${name}/package.json`) as { version: string }).version;
  const cores = cpus();
  const [load = 0] = loadavg();
  console.log(
    `${cores.length} × ${cores[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()}`,
  );
  console.log(`Node ${process.version}, workerd ${version('workerd')}, wrangler ${version('wrangler')}`);
  console.log(
    `load before the run: ${load.toFixed(2)}${load > 0.5 ? ' — others use this machine too' : ''}\n`,
  );
}

/** One line that is overwritten, on a terminal only. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
