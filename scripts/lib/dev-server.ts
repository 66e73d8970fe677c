/** `wrangler dev` as a child: started quietly, watched, and ended together with everything it started. */
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import type { State } from './state.ts';
import { spawnWrangler } from './wrangler.ts';

const TAIL_LINES = 30;
/** After this long a child that was asked to end is killed. */
const PATIENCE_MS = 5000;

export interface DevServer {
  /** Resolves when the process has ended, with its last words. */
  readonly ended: Promise<string>;
  /** Forgets the lines so far: what wrangler says while it starts well explains no later end. */
  forgetLines(): void;
  stop(): Promise<void>;
}

/** @param onLine gets each line that wrangler or the Worker writes, without colours. */
export function startDevServer(port: number, state: State, onLine: (line: string) => void): DevServer {
  const child = spawnWrangler(
    [
      'dev',
      ...['--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0'],
      ...['--persist-to', state.folder, '--env-file', state.envFile],
      ...['--log-level', 'warn', '--show-interactive-dev-session', 'false'],
    ],
    // A group of its own: Ctrl-C reaches this script alone, which then ends the group in order.
    { detached: true, env: { WRANGLER_REGISTRY_PATH: state.registry } },
  );
  const tail: string[] = [];
  const take = (line: string): void => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    onLine(line);
  };
  for (const stream of [child.stdout, child.stderr]) if (stream) readLines(stream, take);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', () => resolve(tail.join('\n').trim()));
  });
  return { ended, forgetLines: () => tail.splice(0), stop: () => stop(child, ended) };
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  signalGroup(child, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), PATIENCE_MS);
  await ended;
  clearTimeout(timer);
  // What outlived its parent, such as a workerd that was busy.
  signalGroup(child, 'SIGKILL');
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Nobody is left; or there are no process groups here (Windows), where ending the child must do.
    child.kill(signal);
  }
}

function readLines(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(stripVTControlCharacters(line));
  });
  stream.on('end', () => {
    if (rest) take(rest);
  });
}
