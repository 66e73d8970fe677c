/** Starts, asks, stops and kills server processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Build } from './build.ts';

export interface LaunchOptions {
  readonly build: Build;
  /** Where D1, KV, R2 live. The same folder again continues from what was there. */
  readonly dataDir: string;
  /** Over those of wrangler.toml. */
  readonly vars: Readonly<Record<string, string | number>>;
  /** 0: any free port. */
  readonly port: number;
}

export type ToServer =
  | { readonly kind: 'stop' }
  | {
      readonly kind: 'query';
      readonly id: number;
      readonly sql: string;
      readonly values: readonly unknown[];
    }
  | { readonly kind: 'put'; readonly id: number; readonly key: string; readonly file: string };

export type FromServer =
  | { readonly kind: 'ready'; readonly url: string; readonly directUrl: string }
  | { readonly kind: 'rows'; readonly id: number; readonly rows: readonly unknown[] }
  | { readonly kind: 'error'; readonly id: number; readonly error: string };

export interface Server {
  /** Leads the group of the server's processes. */
  readonly pid: number;
  /** Through Miniflare's router, which also takes the cron trigger. */
  readonly url: string;
  /** The Worker's own socket. */
  readonly directUrl: string;
  /** What the processes said since the data folder began. */
  readonly logFile: string;
  /** Lets cron fire once, and waits until the run is over. */
  readonly tick: () => Promise<void>;
  /** Reads or writes D1, past the Worker. */
  readonly query: <Row>(sql: string, ...values: readonly unknown[]) => Promise<Row[]>;
  /** Puts a file into the feed bucket. */
  readonly putFeed: (key: string, file: string) => Promise<void>;
  /** SIGKILL for Node and workerd at once; returns when both are gone. */
  readonly kill: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const START_TIMEOUT_MS = 90_000;

export async function startServer(options: LaunchOptions): Promise<Server> {
  mkdirSync(options.dataDir, { recursive: true });
  const logFile = join(options.dataDir, 'server.log');
  const output = openSync(logFile, 'a');
  const child = spawn(process.execPath, [join(import.meta.dirname, 'server.ts')], {
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
    env: { ...process.env, NODE_NO_WARNINGS: '1', NODE_OPTIONS: '' },
  });
  closeSync(output);
  const asked = new Map<number, (reply: FromServer) => void>();
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  void gone.then(() => {
    for (const [id, reply] of asked) reply({ kind: 'error', id, error: 'the server is gone' });
  });
  const ready = new Promise<{ url: string; directUrl: string }>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`${why}\n${tail(logFile)}`));
    const timer = setTimeout(() => fail('the server did not start in time'), START_TIMEOUT_MS);
    child.once('error', reject);
    void gone.then(() => fail('the server ended before it was ready'));
    child.on('message', (message: FromServer) => {
      if (message.kind !== 'ready') return asked.get(message.id)?.(message);
      clearTimeout(timer);
      resolve(message);
    });
  });
  child.send(options);
  const { url, directUrl } = await ready.catch(async (error: unknown) => {
    await killGroup(child, gone, null);
    throw error;
  });

  let lastId = 0;
  const ask = (question: (id: number) => ToServer): Promise<readonly unknown[]> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      asked.set(id, (reply) => {
        asked.delete(id);
        if (reply.kind === 'rows') resolve(reply.rows);
        else reject(new Error(reply.kind === 'error' ? reply.error : 'unexpected answer'));
      });
      child.send(question(id));
    });
  const kill = (): Promise<void> => killGroup(child, gone, Number(new URL(directUrl).port));
  return {
    pid: child.pid ?? 0,
    url,
    directUrl,
    logFile,
    tick: async () => {
      const response = await fetch(`${url}/cdn-cgi/local/scheduled`);
      if (!response.ok) throw new Error(`cron answered ${response.status}: ${await response.text()}`);
    },
    query: async <Row>(sql: string, ...values: readonly unknown[]) =>
      (await ask((id) => ({ kind: 'query', id, sql, values }))) as Row[],
    putFeed: async (key, file) => {
      await ask((id) => ({ kind: 'put', id, key, file }));
    },
    kill,
    stop: async () => {
      if (child.connected) child.send({ kind: 'stop' } satisfies ToServer);
      await gone;
    },
  };
}

/** The last lines of a server's output, for error messages. */
export function tail(logFile: string, lines = 20): string {
  return readFileSync(logFile, 'utf8').split('\n').slice(-lines).join('\n');
}

/** Node's end is seen at once. workerd is nobody's child by then; it is gone when its port is. */
async function killGroup(child: ChildProcess, gone: Promise<void>, port: number | null): Promise<void> {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    return; // nobody of the group is left
  }
  await gone;
  while (port !== null && (await isListening(port))) await new Promise((resume) => setTimeout(resume, 5));
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
