/**
 * `npm run key`: makes a key for `POST /v1/events` and the rest of the API, prints it once, and stores only its hash.
 *
 * Works on the local database of `npm start`, or with --remote on the deployed one.
 */
import { createHash, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type CountryCode, isSupportedCountry } from 'libphonenumber-js/max';
import { Complaint, wordsOf } from './lib/complaint.ts';
import { stateFolder } from './lib/state.ts';
import { wrangler } from './lib/wrangler.ts';

/** As in src/access/caller.ts, which only the Worker's runtime can load. */
const SCOPES = ['ingest', 'read', 'admin'] as const;
type Scope = (typeof SCOPES)[number];
const USAGE = `npm run key -- --name <name> --scopes <scopes> [--country <code>] [--remote]
npm run key -- --list [--remote]
npm run key -- --revoke <source id> [--remote]

  --name      who will use the key, such as web-form
  --scopes    ingest (post events), read (look things up), admin (change things); several with commas
  --country   ISO 3166 code such as US: the country of numbers that are written without a country code
  --remote    the deployed database, not the local one`;

const NOT_MIGRATED = {
  local: 'The local database has no tables yet. Start it once with npm start.',
  remote: 'The deployed database has no tables yet. Run npx wrangler d1 migrations apply DB --remote first.',
} as const;

async function main(): Promise<void> {
  const options = readArgs();
  if (options.list) return await list(options.remote);
  if (options.revoke !== undefined) return await revoke(options.revoke, options.remote);
  await create(options);
}

interface Options {
  readonly name: string | undefined;
  readonly scopes: string | undefined;
  readonly country: string | undefined;
  readonly revoke: string | undefined;
  readonly list: boolean;
  readonly remote: boolean;
}

async function create(options: Options): Promise<void> {
  const name = options.name?.trim() ?? '';
  if (name === '' || name.length > 100 || /\p{C}/u.test(name)) {
    throw new Complaint(
      `--name must be given: 1 to 100 characters that say who will use the key.\n\n${USAGE}`,
    );
  }
  const scopes = readScopes(options.scopes);
  const country = readCountry(options.country);
  const key = `ot_${randomBytes(32).toString('base64url')}`;
  const id = `src_${randomBytes(16).toString('hex')}`;
  const hash = createHash('sha256').update(key).digest('hex');
  await sql(
    `INSERT INTO api_keys (id, name, key_hash, scopes, default_country, created_at) VALUES
      ('${id}', ${text(name)}, '${hash}', ${text(JSON.stringify(scopes))}, ${country ? text(country) : 'NULL'}, ${Date.now()})`,
    options.remote,
  );
  // So that no event costs a D1 round trip for its key; see src/access/caller.ts.
  const entry = JSON.stringify({ id, scopes, default_country: country });
  await kv('put', cacheKey(hash), [entry], options.remote);
  console.log(`
  Key      ${key}
  Source   ${id}  (${name}; ${scopes.join(', ')}${country ? `; numbers without country code are from ${country}` : ''})

  Keep the key now: only its hash is stored, so nobody can show it again.
  Use it as "authorization: Bearer <key>". To revoke it: npm run key -- --revoke ${id}${options.remote ? ' --remote' : ''}
`);
}

async function revoke(id: string, remote: boolean): Promise<void> {
  if (!/^src_[0-9a-f]{32}$/.test(id)) {
    throw new Complaint(
      '--revoke takes a source id such as src_0123456789abcdef0123456789abcdef; see --list.',
    );
  }
  const rows = await sql(
    `UPDATE api_keys SET revoked_at = ${Date.now()} WHERE id = '${id}' AND revoked_at IS NULL RETURNING name, key_hash`,
    remote,
  );
  if (rows.length === 0)
    throw new Complaint('There is no key with this source id, or it was revoked before; see --list.');
  await kv('delete', cacheKey(String(rows[0]?.key_hash)), [], remote);
  console.log(`The key of ${rows[0]?.name} is revoked. A cache may let it work for one more minute.`);
}

async function list(remote: boolean): Promise<void> {
  const rows = await sql(
    'SELECT id, name, scopes, created_at, revoked_at FROM api_keys ORDER BY created_at',
    remote,
  );
  if (rows.length === 0) console.log('There are no keys yet.');
  for (const row of rows) {
    const scopes = (JSON.parse(String(row.scopes)) as string[]).join(',');
    const made = new Date(Number(row.created_at)).toISOString().slice(0, 10);
    const revoked = row.revoked_at === null ? '' : '  revoked';
    console.log(`${row.id}  ${made}  ${scopes.padEnd(17)}  ${row.name}${revoked}`);
  }
}

function readScopes(given: string | undefined): Scope[] {
  const words = (given ?? '').split(',').map((word) => word.trim());
  const scopes = SCOPES.filter((scope) => words.includes(scope));
  const wrong = words.filter((word) => !SCOPES.some((scope) => scope === word));
  if (scopes.length === 0 || wrong.length > 0) {
    throw new Complaint(`--scopes must be one or more of ${SCOPES.join(', ')}.\n\n${USAGE}`);
  }
  return scopes;
}

function readCountry(given: string | undefined): CountryCode | null {
  if (given === undefined) return null;
  const code = given.toUpperCase();
  if (!isSupportedCountry(code)) throw new Complaint(`--country must be an ISO 3166 code such as US.`);
  return code;
}

/** A text in SQL whose characters cannot be anything but its characters. */
function text(value: string): string {
  return `CAST(X'${Buffer.from(value, 'utf8').toString('hex')}' AS TEXT)`;
}

function cacheKey(hash: string): string {
  return `key:${hash}`;
}

async function kv(
  verb: 'put' | 'delete',
  key: string,
  rest: readonly string[],
  remote: boolean,
): Promise<void> {
  const where = remote ? ['--remote'] : ['--local', '--persist-to', stateFolder()];
  await wrangler('kv', 'key', verb, '--binding', 'CACHE', ...where, key, ...rest);
}

async function sql(statement: string, remote: boolean): Promise<Record<string, unknown>[]> {
  const where = remote ? ['--remote'] : ['--local', '--persist-to', stateFolder()];
  const output = await wrangler('d1', 'execute', 'DB', ...where, '--json', '--command', statement).catch(
    (error: unknown) => {
      const words = error instanceof Error ? error.message : String(error);
      if (/no such table/.test(words)) throw new Complaint(NOT_MIGRATED[remote ? 'remote' : 'local']);
      throw new Complaint(words);
    },
  );
  const [result] = JSON.parse(output) as { results: Record<string, unknown>[] }[];
  return result?.results ?? [];
}

function readArgs(): Options {
  try {
    const { values } = parseArgs({
      options: {
        name: { type: 'string' },
        scopes: { type: 'string' },
        country: { type: 'string' },
        revoke: { type: 'string' },
        list: { type: 'boolean', default: false },
        remote: { type: 'boolean', default: false },
        help: { type: 'boolean' },
      },
    });
    const { name, scopes, country, revoke, list, remote, help } = values;
    if (help) {
      console.log(USAGE);
      process.exit(0);
    }
    return { name, scopes, country, revoke, list, remote };
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
