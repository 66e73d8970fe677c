/** Wrangler as these scripts use it: the pinned one, on this Node, silent, offline and without telemetry. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { Complaint } from './complaint.ts';

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WRANGLER = fileURLToPath(new URL('../../node_modules/wrangler/bin/wrangler.js', import.meta.url));

const QUIET = {
  // The banner is what checks for updates.
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: 'true',
  WRANGLER_WRITE_LOGS: 'false',
  // Else the location of this machine would be asked of a web service at every start.
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
} as const;

export function spawnWrangler(
  args: readonly string[],
  options: SpawnOptions & { readonly env?: Readonly<Record<string, string>> } = {},
): ChildProcess {
  return spawn(process.execPath, [WRANGLER, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
    env: { ...process.env, ...QUIET, ...options.env },
  });
}

const running = new Set<ChildProcess>();

/** Ends the commands that are still running. */
export function endCommands(): void {
  for (const child of running) child.kill();
}

/** Runs one wrangler command to its end. @throws Complaint with the command's own words where it fails. */
export async function wrangler(...args: readonly string[]): Promise<string> {
  const child = spawnWrangler(args);
  running.add(child);
  const stdout: string[] = [];
  const all: string[] = [];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout.push(text);
    all.push(text);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => all.push(text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => running.delete(child));
  if (code !== 0)
    throw new Complaint(
      `wrangler ${args.slice(0, 3).join(' ')} failed:\n${stripVTControlCharacters(all.join('')).trim()}`,
    );
  return stdout.join('');
}
