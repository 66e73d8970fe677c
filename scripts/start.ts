/**
 * `npm start`: the whole of OptiText on this machine, with a demo in it. No account, no network.
 *
 * Migrations are applied, the demo's feed is put into local R2, `wrangler dev` serves, cron ticks every ten seconds.
 * The state stays in `.wrangler/state` (or the folder that OPTITEXT_STATE names) until `npm start -- --reset`.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Complaint, wordsOf } from './lib/complaint.ts';
import { seedCampaigns, tick, untilHealthy } from './lib/demo.ts';
import { type DevServer, startDevServer } from './lib/dev-server.ts';
import { openState, putOnce, resetState, type State, takeState } from './lib/state.ts';
import { endCommands, ROOT, wrangler } from './lib/wrangler.ts';

const FEED = join(ROOT, 'scripts', 'demo', 'profiles.csv');
const TICK_MS = 10_000;
const START_LIMIT_MS = 60_000;
const USAGE = `npm start                 serve on port 8787
PORT=3000 npm start       serve on another port
npm start -- --reset      forget everything and begin anew`;

const bold = style(1);
const dim = style(2);

let server: DevServer | undefined;
let ending = false;
let giveBack = (): void => {};

try {
  await main();
} catch (error) {
  if (!ending) {
    await server?.stop();
    console.error(`\n  ${wordsOf(error).replace(/\n(?=.)/g, '\n  ')}\n`);
  }
  giveBack();
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { reset } = readArgs();
  const port = readPort();
  await requireFree(port);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end());

  giveBack = takeState();
  if (reset) resetState();
  const state = openState();
  progress('Preparing the database');
  await wrangler('d1', 'migrations', 'apply', 'DB', '--local', '--persist-to', state.folder);
  await putOnce(state, FEED, () => putFeed(state));
  if (ending) return;

  progress('Starting');
  const base = `http://127.0.0.1:${port}`;
  server = startDevServer(port, state, createFilter());
  const crash = server.ended.then((words) => {
    if (!ending)
      throw new Complaint(
        `The server ended by itself. ${words ? `Its last words:\n\n${words}` : 'It said nothing.'}`,
      );
  });
  await Promise.race([crash, serve(base, state, port)]);
  await crash;
}

async function serve(base: string, state: State, port: number): Promise<void> {
  if (!(await untilHealthy(base, Date.now() + START_LIMIT_MS))) {
    if (ending) return;
    throw new Complaint(`The server did not answer within ${START_LIMIT_MS / 1000} s.`);
  }
  server?.forgetLines();
  await seedCampaigns(base);
  // The first tick imports the feed, so that its customers are there when the page opens.
  await tick(base);
  if (!ending) welcome(port, state);
  let failing = false;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS).unref());
    if (ending) return;
    try {
      await tick(base);
      failing = false;
    } catch (error) {
      if (!failing && !ending)
        console.error(dim(`  cron: ${error instanceof Error ? error.message : error}`));
      failing = true;
    }
  }
}

async function putFeed(state: State): Promise<void> {
  const target = 'optitext-feeds/profiles/demo.csv';
  await wrangler('r2', 'object', 'put', target, '--file', FEED, '--local', '--persist-to', state.folder);
}

async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  progress('');
  endCommands();
  await server?.stop();
  giveBack();
  process.exit(0);
}

function readArgs(): { reset: boolean } {
  try {
    const { values } = parseArgs({ options: { reset: { type: 'boolean' }, help: { type: 'boolean' } } });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    return { reset: values.reset ?? false };
  } catch (error) {
    throw new Complaint(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

function readPort(): number {
  const text = process.env.PORT || '8787';
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new Complaint(`PORT must be a number from 1 to 65535, not "${text}".`);
  return port;
}

/** Says early and plainly what wrangler would say late, or not at all. */
async function requireFree(port: number): Promise<void> {
  const code = await new Promise<string | null>((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(null)));
  });
  if (code === null) return;
  const why = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${code})`;
  throw new Complaint(
    `Port ${port} ${why}. Choose another one: PORT=${port === 65_535 ? 8787 : port + 1} npm start`,
  );
}

/** Passes on the Worker's own warnings and errors, and what wrangler says of broken code; the rest is noise. */
function createFilter(): (line: string) => void {
  let explaining = false;
  return (line) => {
    const [, level, words = ''] = /\[(WARNING|ERROR)\] (.*)$/.exec(line) ?? [];
    const json = words.startsWith('{"level"');
    explaining = level === undefined ? explaining && /^\s+\S/.test(line) : level === 'ERROR' && !json;
    if (json) console.error(dim(`  ${words}`));
    else if (explaining) console.error(`  ${line}`);
  };
}

/** One line that is overwritten, on a terminal; nothing elsewhere. */
function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text && `  ${text} …`}`);
}

function welcome(port: number, state: State): void {
  progress('');
  const url = `http://localhost:${port}`;
  const folder = relative(process.cwd(), state.folder);
  const id = `signup-${randomBytes(3).toString('hex')}`;
  const event = {
    id,
    type: 'signup.converted',
    customer_id: id.replace('signup', 'c'),
    data: { MOBILE_NUMBER: '+14155550123', SMS_CONSENT: true, SMS_VALID: true, first_name: 'Ada' },
  };
  console.log(`
  ${bold('OptiText is running.')} It texts nobody: the carrier is a sandbox.

  Open     ${bold(`${url}/`)}     a signup form, and the phone it texts
  Key      ot_demo
  State    ${folder.startsWith('..') ? state.folder : folder}  (npm start -- --reset begins anew)

  Or post a signup yourself, and read the answer:

curl ${url}/v1/events -H 'authorization: Bearer ot_demo' -H 'content-type: application/json' \\
  -d '${JSON.stringify(event)}'

  and then the phone:

curl '${url}/sandbox/messages?to=%2B14155550123'

  ${dim('Ctrl-C ends it.')}
`);
}

function style(code: number): (text: string) => string {
  const plain = !process.stdout.isTTY || process.env.NO_COLOR !== undefined;
  return (text) => (plain ? text : `\x1b[${code}m${text}\x1b[0m`);
}
