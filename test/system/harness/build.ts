/**
 * Builds a Worker the way a deployment does and derives its local options from wrangler.toml, so that nothing about
 * bindings, queues or settings is written twice.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { readD1Migrations } from '@cloudflare/vitest-plugin';
import { unstable_getMiniflareWorkerOptions } from 'wrangler';

/** The repository: this file lies three folders below it. */
export const ROOT = resolve(import.meta.dirname, '../../..');

export interface Migration {
  readonly name: string;
  readonly queries: readonly string[];
}

/** A built Worker. Plain data, so that it can be handed to the server's process. */
export interface Build {
  readonly dir: string;
  readonly modules: readonly { readonly type: 'ESModule' | 'Text'; readonly path: string }[];
  /** What wrangler.toml says, in Miniflare's words. */
  readonly workerOptions: Readonly<Record<string, unknown>>;
  readonly migrations: readonly Migration[];
}

/** @param entry another entry module than wrangler.toml names, relative to the repository. */
export async function buildWorker(entry?: string): Promise<Build> {
  const dir = mkdtempSync(join(tmpdir(), 'optitext-build-'));
  const wrangler = join(ROOT, 'node_modules/wrangler/bin/wrangler.js');
  const args = [wrangler, 'deploy', ...(entry ? [entry] : []), '--dry-run', '--outdir', dir];
  await promisify(execFile)(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_LOG_PATH: join(dir, 'wrangler.log') },
  });
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(ROOT, 'wrangler.toml'));
  return {
    dir,
    modules: modulesIn(dir, `${basename(entry ?? 'index.ts', '.ts')}.js`),
    workerOptions: { ...workerOptions },
    migrations: await readD1Migrations(join(ROOT, 'migrations')),
  };
}

export function removeBuild(build: Build): void {
  rmSync(build.dir, { recursive: true, force: true });
}

/** The entry comes first. Pages, styles and browser scripts are text, as wrangler.toml says. */
function modulesIn(dir: string, main: string): Build['modules'] {
  const texts = readdirSync(dir).filter((name) => /\.(html|css|client\.js)$/.test(name));
  return [
    { type: 'ESModule', path: join(dir, main) },
    ...texts.map((name) => ({ type: 'Text' as const, path: join(dir, name) })),
  ];
}
