/** `npm run key` beside a running server, and what else shares its state folder. */
import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environment, freePort, type Place, ROOT, start, stop } from './harness/npm-start.ts';

let place: Place;
let app: ChildProcess;

beforeAll(async () => {
  place = { port: await freePort(), state: mkdtempSync(join(tmpdir(), 'optitext-key-')) };
  app = await start(place);
});

afterAll(async () => {
  if (app?.exitCode === null) await stop(app);
  rmSync(place.state, { recursive: true, force: true });
});

async function script(name: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [`scripts/${name}`, ...args], {
    cwd: ROOT,
    env: environment(place),
  });
  return stdout;
}

async function post(key: string, data: Record<string, unknown>): Promise<Response> {
  const event = { id: crypto.randomUUID(), type: 'signup.converted', customer_id: 'c', data };
  return await fetch(`http://127.0.0.1:${place.port}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(event),
  });
}

describe('npm run key', () => {
  it('makes a key that works at once, within its scopes and its country, until it is revoked', async () => {
    const made = await script('key.ts', '--name', "o'form; --", '--scopes', 'ingest', '--country', 'us');
    const key = /ot_[\w-]{43}/.exec(made)?.[0] ?? '';
    const source = /src_[0-9a-f]{32}/.exec(made)?.[0] ?? '';
    expect(await script('key.ts', '--list')).toContain("o'form; --");

    const data = { MOBILE_NUMBER: '(415) 555-0123', SMS_CONSENT: true, SMS_VALID: true, first_name: 'Ada' };
    const answer = await post(key, data);
    expect(answer.status).toBe(202);
    const { messages } = (await answer.json()) as {
      messages: { state: string; decision: { number: unknown } }[];
    };
    expect(messages[0]).toMatchObject({
      state: 'queued',
      decision: { number: { value: '+1415•••0123', from: 'event' } },
    });
    const log = await fetch(`http://127.0.0.1:${place.port}/v1/messages`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(log.status).toBe(403);

    expect(await script('key.ts', '--revoke', source)).toContain('is revoked');
    expect((await post(key, data)).status).toBe(401);
    expect(await script('key.ts', '--list')).toMatch(/o'form; -- +revoked/);
  });

  it.each([
    ['no name', ['--scopes', 'ingest'], /--name must be given/],
    ['an unknown scope', ['--name', 'x', '--scopes', 'everything'], /one or more of ingest, read, admin/],
    ['an unknown country', ['--name', 'x', '--scopes', 'ingest', '--country', 'XX'], /ISO 3166/],
    ['a source that is none', ['--revoke', 'abc'], /source id/],
  ])('refuses %s in words', async (_, args, words) => {
    await expect(script('key.ts', ...args)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(words),
    });
  });
});

describe('one server a folder', () => {
  it.each([[[]], [['--reset']]])(
    'npm start %j beside a running one says so and touches nothing',
    async (args) => {
      const other = { ...place, port: await freePort() };
      await expect(start(other, ...args)).rejects.toThrow(
        /Another npm start \(process \d+\) uses the state folder/,
      );
      expect((await fetch(`http://127.0.0.1:${place.port}/health`)).status).toBe(200);
    },
  );
});
