/**
 * `npm run feeds -- apply`: makes the feeds of a running OptiText those of a file that is kept in git.
 *
 * The file goes through the API, which validates each feed as it does for anybody, so that this works on the local demo and on
 * a deployment alike.
 */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { Complaint, wordsOf } from './lib/complaint.ts';

const USAGE = `npm run feeds -- list
npm run feeds -- apply [--file feeds.json] [--prune] [--dry-run]

  --file      {"feeds": {"nightly": {"kind": "r2", "prefix": "nightly/", …}, …}}; feeds.json unless named
  --prune     also deletes feeds that are not in the file
  --dry-run   says what would be done, and does nothing
  --url       where OptiText runs; http://127.0.0.1:8787 unless named
  The key comes from the variable OPTITEXT_KEY (scope admin); ot_demo, the demo's, unless set.`;

type Settings = Readonly<Record<string, unknown>>;
type StoredFeed = Settings & { readonly id: string; readonly built_in: boolean };

interface Options {
  readonly file: string;
  readonly url: string;
  readonly prune: boolean;
  readonly dryRun: boolean;
}

async function main(): Promise<void> {
  const { command, options } = readArgs();
  const stored = await storedFeeds(options);
  if (command === 'list') {
    for (const { id, built_in, kind, mode, enabled } of stored) {
      console.log(
        `${id.padEnd(24)} ${kind}  ${mode}${enabled ? '' : '  disabled'}${built_in ? '  built in' : ''}`,
      );
    }
    return;
  }
  const wanted = readFile(options.file);
  for (const [id, settings] of Object.entries(wanted)) await apply(options, id, settings, stored);
  for (const { id, built_in } of stored) {
    if (!options.prune || built_in || id in wanted) continue;
    if (!options.dryRun) await call(options, 'DELETE', `/v1/feeds/${encodeURIComponent(id)}`);
    console.log(`${id}: ${options.dryRun ? 'would be deleted' : 'deleted'}`);
  }
}

/** A feed that says already what the file says stays as it is, and so does its schedule. */
async function apply(
  options: Options,
  id: string,
  settings: Settings,
  stored: readonly StoredFeed[],
): Promise<void> {
  const before = stored.find((feed) => feed.id === id && !feed.built_in);
  const isSame = before && Object.entries(settings).every(([name, value]) => includes(before[name], value));
  if (isSame) return console.log(`${id}: unchanged`);
  const verb = before ? 'changed' : 'created';
  if (options.dryRun) return console.log(`${id}: would be ${verb}`);
  await call(options, 'PUT', `/v1/feeds/${encodeURIComponent(id)}`, settings);
  console.log(`${id}: ${verb}`);
}

/** Whether the stored value is what the file says; the store fills in what the file leaves out. */
function includes(stored: unknown, wanted: unknown): boolean {
  if (!isObject(stored) || !isObject(wanted)) return isDeepStrictEqual(stored, wanted);
  return Object.entries(wanted).every(([name, value]) => includes(stored[name], value));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readFile(file: string): Readonly<Record<string, Settings>> {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Complaint(`${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  const feeds = isObject(document) ? document.feeds : undefined;
  if (!isObject(feeds)) throw new Complaint(`${file} must be {"feeds": {"<id>": {…}, …}}.`);
  const settings: Record<string, Settings> = {};
  for (const [id, feed] of Object.entries(feeds)) {
    if (!isObject(feed)) throw new Complaint(`${file}: the feed "${id}" must be an object.`);
    settings[id] = feed;
  }
  return settings;
}

async function storedFeeds(options: Options): Promise<readonly StoredFeed[]> {
  const { feeds } = (await call(options, 'GET', '/v1/feeds')) as { feeds: StoredFeed[] };
  return feeds;
}

async function call(options: Options, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(new URL(path, options.url), {
    method,
    headers: {
      authorization: `Bearer ${process.env.OPTITEXT_KEY ?? 'ot_demo'}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new Complaint(`Nothing answers at ${options.url}. Start it with npm start, or name another --url.`);
  });
  const text = await response.text();
  if (response.ok) return text === '' ? null : (JSON.parse(text) as unknown);
  throw new Complaint(`${method} ${path} was answered ${response.status}:\n${problemWords(text)}`);
}

/** The problem's own words, one line for each field. */
function problemWords(text: string): string {
  try {
    const { detail, errors = [] } = JSON.parse(text) as {
      detail: string;
      errors?: { path: string; message: string }[];
    };
    return errors.length > 0
      ? errors.map(({ path, message }) => `  ${path} ${message}`).join('\n')
      : `  ${detail}`;
  } catch {
    return text.slice(0, 300);
  }
}

function readArgs(): { command: 'list' | 'apply'; options: Options } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        file: { type: 'string', default: 'feeds.json' },
        url: { type: 'string', default: 'http://127.0.0.1:8787' },
        prune: { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const [command] = positionals;
    if (values.help || (command !== 'list' && command !== 'apply')) throw new Error('Say "list" or "apply".');
    const { file, url, prune } = values;
    return { command, options: { file, url, prune, dryRun: values['dry-run'] } };
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
