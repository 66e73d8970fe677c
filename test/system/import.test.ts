/** `npm run import` against a server that plays its part: what is sent, what is shown, and the exit code. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from './harness/npm-start.ts';

const RUN = { id: 'run_1', rows_read: 3, rows_written: 2, rows_unchanged: 0, rows_rejected: 1 };
const ERRORS = [{ page: 1, line: 4, field: 'SMS_CONSENT', reason: 'must be true or false' }];

let server: Server;
let url: string;
let folder: string;
let file: string;
let received: { url: string; headers: IncomingMessage['headers']; body: Buffer } | null;
/** Status and body for the POST, then for each GET; the last one stays. */
let accept: [number, unknown];
let looks: [number, unknown][];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'optitext-import-'));
  file = join(folder, 'customers.csv');
  writeFileSync(file, 'customer_id,phone\nc-1,+14155550123\n');
  server = createServer(async (request, response) => {
    const isPost = request.method === 'POST';
    if (isPost && accept[0] !== 413) {
      received = { url: request.url ?? '', headers: request.headers, body: await buffer(request) };
    }
    const [status, body] = isPost ? accept : ((looks.length > 1 ? looks.shift() : looks[0]) ?? [500, {}]);
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  received = null;
  accept = [202, { ...RUN, state: 'running', progress: 0 }];
  looks = [
    [200, { ...RUN, state: 'running', progress: 0.4, rows_per_second: 1000, eta_seconds: 95 }],
    [200, { ...RUN, state: 'done', progress: 1, errors: ERRORS }],
  ];
});

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['scripts/import.ts', ...args], { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

describe('npm run import', () => {
  it('streams the file, follows the run, and shows counts and rejected rows', async () => {
    const { code, stdout } = await run(file, '--url', url, '--key', 'ot_x');
    expect(code).toBe(0);
    expect(received?.url).toBe('/v1/profiles/import?feed=push&dry_run=false&again=false');
    expect(received?.headers).toMatchObject({
      authorization: 'Bearer ot_x',
      'content-type': 'text/csv',
      'content-length': '35',
    });
    expect(received?.body.toString()).toBe('customer_id,phone\nc-1,+14155550123\n');
    expect(stdout).toMatch(/Sending {2}100 % {2}35 bytes of 35 bytes/);
    expect(stdout).toMatch(/customers\.csv: done/);
    expect(stdout).toMatch(/ 2 {2}written\n/);
    expect(stdout).toMatch(/line +4 {2}SMS_CONSENT must be true or false/);
    // No terminal, no bar.
    expect(stdout).not.toMatch(/[\r█]/);
  });

  it('waits for its turn, and says so of a dry run what would be', async () => {
    accept = [202, { id: 'run_1', state: 'queued' }];
    looks.unshift([404, { detail: 'There is no sync run with this id.' }]);
    const { code, stdout } = await run(file, '--url', url, '--dry-run');
    expect(code).toBe(0);
    expect(received?.url).toContain('dry_run=true');
    expect(stdout).toMatch(/Waiting/);
    expect(stdout).toMatch(/would be written/);
  });

  it.each([
    [
      'a run that fails',
      [200, { ...RUN, state: 'failed', detail: 'The gzip is truncated or broken.' }],
      /The gzip is truncated/,
    ],
    [
      'a run that is refused',
      [200, { ...RUN, state: 'refused', detail: 'The feed is suspiciously small.' }],
      /suspiciously small/,
    ],
  ] as const)('ends with 1 after %s', async (_, look, words) => {
    looks = [[...look]];
    const { code, stdout } = await run(file, '--url', url);
    expect(code).toBe(1);
    expect(stdout).toMatch(words);
  });

  it('shows a server’s refusal though it comes before the file was read', async () => {
    const large = join(folder, 'large.ndjson');
    writeFileSync(large, `${'{"customer_id":"c"}\n'.repeat(200_000)}`);
    accept = [413, { detail: 'The body is larger than 1000 bytes.' }];
    const { code, stderr } = await run(large, '--url', url);
    expect(code).toBe(1);
    expect(stderr).toMatch(/HTTP 413: The body is larger than 1000 bytes/);
  });

  it.each([
    ['no file', () => [], /Name one file/],
    ['a file that is not there', () => [join(folder, 'none.csv')], /There is no file/],
    [
      'a server that is not there',
      () => [file, '--url', 'http://127.0.0.1:9'],
      /does not answer \(ECONNREFUSED\)/,
    ],
    ['an address that is none', () => [file, '--url', 'localhost:8787'], /--url must be an address/],
    ['an unknown option', () => [file, '--fast'], /fast/],
  ])('refuses %s in words', async (_, args, words) => {
    const { code, stderr } = await run(...args());
    expect(code).toBe(1);
    expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/\n +at /);
  });
});
