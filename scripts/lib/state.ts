/** The folder in which a local OptiText keeps everything: the databases that wrangler writes, and the demo's own files. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Complaint } from './complaint.ts';
import { ROOT } from './wrangler.ts';

/** Wrangler's own default, so that `wrangler d1 execute --local` looks at the same data. */
const DEFAULT_STATE = join(ROOT, '.wrangler', 'state');

export interface State {
  readonly folder: string;
  /** Variables for the Worker that must not stand in wrangler.toml. */
  readonly envFile: string;
  /** Where wrangler notes its running Workers; by default that is one place for the whole machine. */
  readonly registry: string;
}

/** `OPTITEXT_STATE` names another folder. */
export function stateFolder(): string {
  const given = process.env.OPTITEXT_STATE;
  return given ? resolve(given) : DEFAULT_STATE;
}

/**
 * Takes the folder for this process: two servers on one SQLite file lock each other out, and a reset under a running
 * server destroys it. @returns what gives the folder back.
 * @throws Complaint where another server has it.
 */
export function takeState(): () => void {
  const folder = stateFolder();
  const lock = join(folder, 'optitext.pid');
  const owner = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
  if (owner > 0 && owner !== process.pid && isAlive(owner)) {
    throw new Complaint(
      `Another npm start (process ${owner}) uses the state folder ${folder}. End it first, or name another folder:\n` +
        'OPTITEXT_STATE=/some/folder npm start',
    );
  }
  makeFolder(folder);
  writeFileSync(lock, String(process.pid));
  return () => rmSync(lock, { force: true });
}

/** Whether that process is still there and an `npm start`: its number may belong to another program by now. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('start.ts');
  } catch {
    return true; // no /proc here, so its number has to do
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new Complaint(
      `The state folder ${folder} cannot be used: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** Removes what OptiText and wrangler put there, and nothing else: the folder may be somebody's home. */
export function resetState(): void {
  for (const name of ['v3', 'demo']) rmSync(join(stateFolder(), name), { recursive: true, force: true });
}

export function openState(): State {
  const folder = stateFolder();
  const own = join(folder, 'demo');
  makeFolder(own);
  const envFile = join(own, 'worker.env');
  if (!existsSync(envFile)) {
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    // The demo key can text any number, so the demo must never meet a real provider.
    writeFileSync(envFile, `DEMO="1"\nPROVIDER="sandbox"\nCALLBACK_SECRET="${secret}"\n`, { mode: 0o600 });
  }
  return { folder, envFile, registry: join(own, 'registry') };
}

/** Runs `put` unless this very file was put here before; a feed that somebody deleted stays deleted. */
export async function putOnce(state: State, file: string, put: () => Promise<unknown>): Promise<void> {
  const marker = join(state.folder, 'demo', 'feed.sha256');
  const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (existsSync(marker) && readFileSync(marker, 'utf8') === hash) return;
  await put();
  writeFileSync(marker, hash);
}
