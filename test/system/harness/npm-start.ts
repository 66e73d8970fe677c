/** `npm start` as a child process of a test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../../..');

export interface Place {
  readonly port: number;
  /** The state folder. */
  readonly state: string;
}

export const environment = ({ port, state }: Place): NodeJS.ProcessEnv => ({
  ...process.env,
  PORT: String(port),
  OPTITEXT_STATE: state,
  NODE_OPTIONS: '',
});

/** Starts it and waits until it says that it is running. @throws with its output where it ends instead. */
export async function start(place: Place, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['scripts/start.ts', ...args], {
    cwd: ROOT,
    env: environment(place),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      if (output.includes('OptiText is running.')) resolve();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('close', (code) => reject(new Error(`ended with ${code}: ${output}`)));
  });
  return child;
}

/** Ends it as Ctrl-C does. @returns its exit code. */
export async function stop(child: ChildProcess): Promise<number | null> {
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.kill('SIGINT');
  return await closed;
}

export async function freePort(): Promise<number> {
  return await new Promise<number>((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
