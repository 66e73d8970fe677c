/** `npm start` as a newcomer meets it: the process, its demo, its page in a browser, and what it promises about time. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import chromium from '@sparticuz/chromium';
import { type Browser, chromium as launcher, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, type Place, start, stop } from './harness/npm-start.ts';

const state = mkdtempSync(join(tmpdir(), 'optitext-start-'));
let place: Place = { port: 0, state };
let base = '';
let app: ChildProcess;
let startedInMs = 0;

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(base + path, {
    method,
    headers: { authorization: 'Bearer ot_demo', 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}

interface Answer {
  readonly duplicate: boolean;
  readonly messages: readonly { id: string; state: string; reason: string | null }[];
}
interface Text {
  readonly reference: string;
  readonly body: string;
}
interface Profile {
  readonly MOBILE_NUMBER: string | null;
  readonly SMS_CONSENT: boolean | null;
  readonly SMS_VALID: boolean | null;
}

const signup = (id: string, data: Record<string, unknown>) => ({
  id,
  type: 'signup.converted',
  customer_id: `of-${id}`,
  data: { SMS_VALID: true, first_name: 'Ada', ...data },
});
const post = (event: unknown): Promise<Answer> => call('POST', '/v1/events', event);
const phone = (number: string): Promise<Text[]> =>
  call('GET', `/sandbox/messages?to=${encodeURIComponent(number)}`);
/** Fictional numbers, one for each event, in areas from which the page takes none. */
const numberOf = (area: number, index: number): string => `+1${area}55501${String(index).padStart(2, '0')}`;

beforeAll(async () => {
  place = { port: await freePort(), state };
  base = `http://127.0.0.1:${place.port}`;
  const before = performance.now();
  app = await start(place);
  startedInMs = performance.now() - before;
});

afterAll(async () => {
  if (app?.exitCode === null) await stop(app);
  rmSync(state, { recursive: true, force: true });
});

describe('the demo', () => {
  it('serves within a minute', () => {
    process.stdout.write(`npm start served after ${(startedInMs / 1000).toFixed(1)} s\n`);
    expect(startedInMs).toBeLessThan(60_000);
  });

  it('has imported a feed that covers the profile side of every table', async () => {
    const { runs } = await call<{ runs: { state: string; rows_read: number; rows_written: number }[] }>(
      'GET',
      '/v1/sync/runs',
    );
    expect(runs).toMatchObject([{ state: 'done', rows_read: 22, rows_written: 22, rows_rejected: 0 }]);
    const ids = Array.from({ length: 22 }, (_, index) => `c-${1001 + index}`);
    const profiles = await Promise.all(ids.map((id) => call<Profile>('GET', `/v1/profiles/${id}`)));
    const flags = [true, false, null];
    const seen = new Set(
      profiles.map(({ MOBILE_NUMBER: number, SMS_CONSENT, SMS_VALID }) => {
        const kind = number === null ? 'missing' : /^\+\d+$/.test(number) ? 'usable' : 'unusable';
        return `${kind} ${SMS_CONSENT} ${SMS_VALID}`;
      }),
    );
    for (const kind of ['missing', 'usable']) {
      for (const consent of flags) {
        for (const valid of flags) expect(seen).toContain(`${kind} ${consent} ${valid}`);
      }
    }
    expect(seen).toContain('unusable true true');
  });

  it('says so where the port is taken', async () => {
    await expect(start(place)).rejects.toThrow(
      `Port ${place.port} is taken by another program. Choose another one: PORT=`,
    );
  });
});

describe('the promises about time and number', () => {
  it('a signup with number and consent is on the phone within half a second; one without never is', async () => {
    const refusals = { false: 'consent_denied', missing: 'consent_missing' } as const;
    const times: number[] = [];
    for (let i = 0; i < 50; i++) {
      const number = numberOf(225, i);
      const before = performance.now();
      await post(signup(`time-${i}`, { MOBILE_NUMBER: number, SMS_CONSENT: true }));
      while ((await phone(number)).length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      times.push(performance.now() - before);

      const said = i % 2 === 0 ? 'false' : 'missing';
      const refused = signup(`no-${i}`, {
        MOBILE_NUMBER: numberOf(229, i),
        ...(said === 'false' && { SMS_CONSENT: false }),
      });
      expect((await post(refused)).messages).toMatchObject([{ state: 'suppressed', reason: refusals[said] }]);
    }
    const sorted = times.toSorted((a, b) => a - b);
    const median = ((sorted[24] ?? 0) + (sorted[25] ?? 0)) / 2;
    process.stdout.write(
      `signup to phone: median ${median.toFixed(0)} ms, slowest of 50 ${(sorted[49] ?? 0).toFixed(0)} ms\n`,
    );
    expect(median).toBeLessThanOrEqual(500);
    const texts = await Promise.all(Array.from({ length: 50 }, (_, i) => phone(numberOf(229, i))));
    expect(texts.flat()).toEqual([]);
  });

  it('the same event 50 times at once: one message, 49 duplicates, one text', async () => {
    const event = signup('at-once', { MOBILE_NUMBER: numberOf(251, 1), SMS_CONSENT: true });
    const answers = await Promise.all(Array.from({ length: 50 }, () => post(event)));
    expect(answers.filter((answer) => answer.duplicate)).toHaveLength(49);
    expect(new Set(answers.flatMap(({ messages }) => messages.map(({ id }) => id))).size).toBe(1);
    await expect.poll(() => phone(numberOf(251, 1)), { timeout: 10_000 }).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await phone(numberOf(251, 1))).toHaveLength(1);
  });
});

describe('the page', () => {
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    // These two make one process of all and switch the browser's own protections off; the page must stand with them on.
    const args = chromium.args.filter((arg) => !['--single-process', '--disable-web-security'].includes(arg));
    browser = await launcher.launch({
      args,
      executablePath: await chromium.executablePath(),
      headless: true,
    });
    page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    await page.goto(`${base}/`);
    await page.locator('html[data-ready]').waitFor();
  });

  afterAll(async () => {
    await browser?.close();
  });

  const texts = () => page.locator('#thread .in .bubble');
  const headline = () => page.locator('#decisions .headline').textContent();
  const tell = async (story: string): Promise<void> => {
    await page.getByRole('button', { name: story, exact: true }).click();
    await page.locator(`.chip[aria-pressed="true"]:text-is("${story}")`).waitFor();
  };
  const signUp = () => page.getByRole('button', { name: 'Sign up' }).click();

  it('shows the text on the phone after a signup with consent', async () => {
    await tell('A new customer');
    await signUp();
    await texts().waitFor();
    expect(await texts().textContent()).toBe('Hi Ada, welcome to Harbor Bank! Reply STOP to opt out.');
    await expect.poll(headline, { timeout: 10_000 }).toBe('Delivered');
    expect(await page.locator('#thread .state').textContent()).toBe('Delivered');
    expect(await page.locator('#decisions .rule .result').allTextContents()).toEqual([
      'use event',
      'clear',
      'allow',
      'allow',
    ]);
  });

  it('shows no text and says why after a signup without consent', async () => {
    await tell('A new customer');
    await page.locator('.segments label:has([name="consent"][value="false"])').click();
    await signUp();
    await page.locator('#thread .note').waitFor();
    expect(await page.locator('#thread .note').textContent()).toContain('SMS_CONSENT is false');
    expect(await texts().count()).toBe(0);
    expect(await headline()).toBe('Not sent');
    expect(await page.locator('.rule.decided code').textContent()).toBe('profile missing × event false');
    expect(await page.locator('.changes').first().textContent()).toContain('SMS_CONSENT');
  });

  it('refuses the next signup after STOP, and allows it again after START', async () => {
    await tell('STOP');
    await signUp();
    await texts().waitFor();
    await page.getByRole('button', { name: 'Answer STOP' }).click();
    await page.getByText('This number has opted out. Nothing more').waitFor();
    // One confirmation, and nothing after it.
    await texts().nth(1).waitFor();
    await signUp();
    await page.getByText('No text. This number has opted out').waitFor();
    expect(await texts().count()).toBe(2);
    await page.getByRole('button', { name: 'Answer START' }).click();
    await page.getByText('has opted in again').waitFor();
    await texts().nth(2).waitFor();
    await signUp();
    await texts().nth(3).waitFor();
  });

  it('fills the gap when the batch brings the number later', async () => {
    await tell('The batch comes later');
    await signUp();
    await page.locator('#thread .note').waitFor();
    await page.getByRole('button', { name: 'Let tonight’s batch bring it' }).click();
    await page.getByText('It has arrived.').waitFor();
    await signUp();
    await texts().waitFor();
  });

  it('fits a small phone and makes the browser complain of nothing', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    expect(complaints).toEqual([]);
  });
});

describe('an end and a new start', () => {
  it('keeps the state, and a campaign as somebody left it', async () => {
    const event = signup('kept', { MOBILE_NUMBER: numberOf(253, 1), SMS_CONSENT: true });
    await post(event);
    await expect.poll(() => phone(numberOf(253, 1)), { timeout: 10_000 }).toHaveLength(1);
    const {
      id: _,
      created_at: __,
      updated_at: ___,
      ...campaign
    } = await call<Record<string, unknown>>('GET', '/v1/campaigns/welcome');
    await call('PUT', '/v1/campaigns/welcome', { ...campaign, name: 'Changed' });

    const children = descendants(app.pid ?? 0);
    expect(children.length).toBeGreaterThan(1);
    expect(await stop(app)).toBe(0);
    expect(children.filter(isRunning)).toEqual([]);

    app = await start(place);
    expect(await phone(numberOf(253, 1))).toHaveLength(1);
    expect(await post(event)).toMatchObject({ duplicate: true });
    expect(await call('GET', '/v1/campaigns/welcome')).toMatchObject({ name: 'Changed' });
  });

  it('begins anew with --reset', async () => {
    await stop(app);
    app = await start(place, '--reset');
    expect(await call('GET', '/sandbox/messages')).toEqual([]);
    expect(await call('GET', '/v1/campaigns/welcome')).toMatchObject({ name: 'Welcome' });
    expect(await call('GET', '/v1/profiles/c-1001')).toMatchObject({ MOBILE_NUMBER: '+12125550101' });
  });
});

function processes(): { pid: number; parent: number; state: string }[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' });
  return table
    .trim()
    .split('\n')
    .map((line) => {
      const [pid, parent, status = ''] = line.trim().split(/\s+/);
      return { pid: Number(pid), parent: Number(parent), state: status };
    });
}

function descendants(root: number): number[] {
  const all = processes();
  const found = [root];
  for (const pid of found)
    found.push(...all.filter(({ parent }) => parent === pid).map((child) => child.pid));
  return found.slice(1);
}

/** A zombie has ended; that nobody has collected it yet is not ours to mend. */
function isRunning(pid: number): boolean {
  return processes().some((process) => process.pid === pid && !process.state.startsWith('Z'));
}
