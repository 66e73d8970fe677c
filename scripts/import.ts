/**
 * `npm run import -- FILE`: streams a file of profiles to a running OptiText and follows the import to its end.
 *
 * Exit code 0 only where the import was done.
 */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { Complaint, wordsOf } from './lib/complaint.ts';
import { byteWords, type Progress, progressOn, timeWords } from './lib/progress.ts';
import { upload } from './lib/upload.ts';

const USAGE = `npm run import -- FILE [--url http://localhost:8787] [--key ot_…] [--feed push] [--dry-run] [--again]

  FILE        CSV or NDJSON, packed with gzip or not
  --url       where OptiText runs
  --key       a key with the scopes admin and read; by default OPTITEXT_KEY, else the demo's
  --feed      the push feed whose columns and mode apply
  --dry-run   count and check only; no profile is changed
  --again     import even what was imported before`;

const FOLLOW_MS = 500;
/** Answers in a row that tell nothing, before the run is given up on. It goes on by itself all the same. */
const MAX_SILENT = 120;
const SHOWN_REJECTS = 10;

const run = z.object({
  id: z.string(),
  state: z.string(),
  detail: z.string().nullish(),
  progress: z.number().nullish(),
  rows_read: z.number().default(0),
  rows_written: z.number().default(0),
  rows_unchanged: z.number().default(0),
  rows_stale: z.number().default(0),
  rows_rejected: z.number().default(0),
  rows_duplicate: z.number().default(0),
  rows_cleared: z.number().default(0),
  rows_per_second: z.number().nullish(),
  eta_seconds: z.number().nullish(),
  duplicate: z.boolean().default(false),
  errors: z.array(z.object({ line: z.number(), field: z.string(), reason: z.string() })).default([]),
});
type Run = z.output<typeof run>;

interface Options {
  readonly file: string;
  readonly url: URL;
  readonly key: string;
  readonly feed: string;
  readonly dryRun: boolean;
  readonly again: boolean;
}

async function main(): Promise<void> {
  const options = readArgs();
  const size = sizeOf(options.file);
  const progress = progressOn(process.stdout);
  const started = Date.now();
  const accepted = await send(options, size, progress);
  const ended = await follow(options, accepted, progress);
  progress.end();
  report(ended, options, accepted.duplicate, (Date.now() - started) / 1000);
  if (ended.state !== 'done') process.exitCode = 1;
}

async function send(options: Options, size: number, progress: Progress): Promise<Run> {
  const url = new URL('/v1/profiles/import', options.url);
  url.search = new URLSearchParams({
    feed: options.feed,
    dry_run: String(options.dryRun),
    again: String(options.again),
  }).toString();
  const headers = {
    authorization: `Bearer ${options.key}`,
    'content-type': typeOf(options.file),
    'content-length': size,
  };
  const answer = await upload(url, options.file, headers, (sent) =>
    progress.show('Sending', sent / size, `${byteWords(sent)} of ${byteWords(size)}`),
  );
  progress.end();
  return understood(answer.status, answer.text, 202);
}

async function follow(options: Options, accepted: Run, progress: Progress): Promise<Run> {
  let silent = 0;
  for (let known = accepted; ; ) {
    progress.show(labelOf(known), known.progress ?? null, detailsOf(known));
    if (!['running', 'queued'].includes(known.state))
      return known.errors.length > 0 ? known : await look(options, known.id);
    await pause(FOLLOW_MS);
    try {
      known = await look(options, known.id);
      silent = 0;
    } catch (error) {
      // It waits for its turn and is not known yet, or the server is busy or was restarted.
      if (++silent >= MAX_SILENT) throw error;
    }
  }
}

async function look(options: Options, id: string): Promise<Run> {
  const response = await fetch(new URL(`/v1/sync/runs/${encodeURIComponent(id)}`, options.url), {
    headers: { authorization: `Bearer ${options.key}` },
  });
  return understood(response.status, await response.text(), 200);
}

function understood(status: number, text: string, expected: number): Run {
  const value = jsonOf(text);
  if (status === expected) {
    const parsed = run.safeParse(value);
    if (parsed.success) return parsed.data;
  }
  const { detail } = z.object({ detail: z.string().optional() }).catch({}).parse(value);
  throw new Complaint(
    `The server answers HTTP ${status}: ${detail ?? 'in a way that is not understood. Is --url right?'}`,
  );
}

function labelOf({ state }: Run): string {
  return state === 'queued' ? 'Waiting' : 'Importing';
}

function detailsOf(known: Run): string {
  const { rows_read, rows_written, rows_rejected, rows_per_second, eta_seconds } = known;
  return [
    `${count(rows_read)} rows read, ${count(rows_written)} written`,
    rows_rejected > 0 ? `${count(rows_rejected)} rejected` : '',
    typeof rows_per_second === 'number' ? `${count(rows_per_second)} rows/s` : '',
    typeof eta_seconds === 'number' ? `${timeWords(eta_seconds)} left` : '',
  ]
    .filter((part) => part !== '')
    .join(', ');
}

function report(ended: Run, { file, dryRun, url }: Options, wasKnown: boolean, seconds: number): void {
  const rows: [string, number][] = [
    ['read', ended.rows_read],
    [dryRun ? 'would be written' : 'written', ended.rows_written],
    ['unchanged', ended.rows_unchanged],
    ['older than what is stored', ended.rows_stale],
    ['rejected', ended.rows_rejected],
    ['of a customer named before', ended.rows_duplicate],
    ['cleared', ended.rows_cleared],
  ];
  console.log(`
  ${basename(file)}: ${ended.state}${ended.state === 'done' ? ` after ${timeWords(seconds)}` : ''}  (${ended.id})`);
  if (typeof ended.detail === 'string' && ended.detail !== '') console.log(`  ${ended.detail}`);
  if (wasKnown)
    console.log('  The same bytes were imported before; this is what became of them then. See --again.');
  console.log('');
  for (const [name, number] of rows) {
    if (number > 0 || name === 'read') console.log(`  ${count(number).padStart(12)}  ${name}`);
  }
  if (ended.errors.length === 0) return;
  console.log('\n  The first rejected rows:');
  for (const { line, field, reason } of ended.errors.slice(0, SHOWN_REJECTS)) {
    console.log(`  line ${String(line).padStart(8)}  ${field} ${reason}`);
  }
  console.log(`  All of them: ${new URL(`/v1/sync/runs/${ended.id}/rejected.csv`, url).href}`);
}

function typeOf(file: string): string {
  const name = file.toLowerCase().replace(/\.gz$/, '');
  return /\.(ndjson|jsonl)$/.test(name) ? 'application/x-ndjson' : 'text/csv';
}

function sizeOf(file: string): number {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile()) throw new Complaint(`There is no file ${file}.`);
  if (stats.size === 0) throw new Complaint(`The file ${file} is empty.`);
  return stats.size;
}

const count = (number: number): string => Math.round(number).toLocaleString('en');

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function readArgs(): Options {
  const { values, positionals } = parsedArgs();
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new Complaint(`Name one file.\n\n${USAGE}`);
  if (!URL.canParse(values.url) || !/^https?:$/.test(new URL(values.url).protocol)) {
    throw new Complaint(`--url must be an address such as http://localhost:8787.`);
  }
  const { feed, again } = values;
  return {
    ...{ file, feed, again, dryRun: values['dry-run'], url: new URL(values.url) },
    key: values.key ?? process.env.OPTITEXT_KEY ?? 'ot_demo',
  };
}

function parsedArgs() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        url: { type: 'string', default: 'http://localhost:8787' },
        key: { type: 'string' },
        feed: { type: 'string', default: 'push' },
        'dry-run': { type: 'boolean', default: false },
        again: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new Complaint(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

try {
  await main();
} catch (error) {
  console.error(wordsOf(error));
  process.exitCode = 1;
}
