/** The snippet of docs/sources/form.md on pages of other origins, in a real browser, with and without JavaScript. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import chromium from '@sparticuz/chromium';
import { type Browser, type BrowserContext, chromium as launcher, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, ROOT, start, stop } from './harness/npm-start.ts';

const SNIPPET = readFileSync(join(ROOT, 'src/console/snippet.html'), 'utf8');
const EXAMPLE_ACTION = 'https://optitext.example.com/in/signup/pk_your_key';
const EXAMPLE_REDIRECT = 'https://www.example.com/thank-you';

const state = mkdtempSync(join(tmpdir(), 'optitext-form-'));
let base = '';
let app: ChildProcess;
let browser: Browser;
let key = '';
const pages: Server[] = [];
/** The origin that the source allows, and another one with the same page. */
let allowed = '';
let foreign = '';

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(base + path, {
    method,
    headers: { authorization: 'Bearer ot_demo', 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}

/** A site with the form at / and a page to go on to. @returns its origin. */
async function serve(): Promise<string> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    const form = SNIPPET.replace(EXAMPLE_ACTION, `${base}/in/signup/${key}`).replace(
      EXAMPLE_REDIRECT,
      `${origin}/thank-you`,
    );
    const body = request.url === '/thank-you' ? '<h1>Thank you</h1>' : form;
    response.end(
      `<!doctype html><html lang="en"><title>Signup</title><link rel="icon" href="data:,">${body}</html>`,
    );
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  pages.push(server);
  return origin;
}

beforeAll(async () => {
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  app = await start({ port, state });
  allowed = await serve();
  foreign = await serve();
  const source = await call<{ publishable_key: string }>('PUT', '/v1/sources/signup', {
    kind: 'form',
    event_type: 'signup.converted',
    allowed_origins: [allowed],
    default_country: 'US',
    mapping: { MOBILE_NUMBER: '/MOBILE_NUMBER', SMS_CONSENT: '/SMS_CONSENT', SMS_VALID: { const: true } },
  });
  key = source.publishable_key;
  // These two make one process of all and switch the browser's own protections off, which are what is tried here.
  const args = chromium.args.filter((arg) => !['--single-process', '--disable-web-security'].includes(arg));
  browser = await launcher.launch({
    args,
    executablePath: await chromium.executablePath(),
    headless: true,
  });
});

afterAll(async () => {
  await browser?.close();
  for (const server of pages) server.close();
  if (app?.exitCode === null) await stop(app);
  rmSync(state, { recursive: true, force: true });
});

interface Message {
  readonly number: string | null;
  readonly state: string;
  readonly reason: string | null;
  readonly text: string;
}
interface Delivery {
  readonly outcome: string;
  readonly status: number;
  readonly reason: string | null;
  readonly events: readonly { readonly messages?: readonly { readonly id: string }[] }[];
}

const phone = (number: string): Promise<{ body: string }[]> =>
  call('GET', `/sandbox/messages?to=${encodeURIComponent(number)}`);
const deliveries = async (): Promise<readonly Delivery[]> =>
  (await call<{ deliveries: Delivery[] }>('GET', '/v1/sources/signup/deliveries')).deliveries;

async function fillIn(page: Page, name: string, number: string, consents: boolean): Promise<void> {
  await page.getByLabel('First name').fill(name);
  await page.getByLabel('Mobile number').fill(number);
  const box = page.getByRole('checkbox', { name: 'Text me' });
  expect(await box.isChecked()).toBe(false);
  if (consents) await box.check();
}

const send = (page: Page): Promise<void> => page.getByRole('button', { name: 'Sign up' }).click();

/** The newest delivery, once there are more of them than before. */
async function recorded(before: number): Promise<Delivery> {
  await expect.poll(async () => (await deliveries()).length, { timeout: 10_000 }).toBe(before + 1);
  const [newest] = await deliveries();
  if (!newest) throw new Error('no delivery');
  return newest;
}

async function messageOf(delivery: Delivery): Promise<Message> {
  const id = delivery.events[0]?.messages?.[0]?.id;
  if (id === undefined) throw new Error(`no message: ${JSON.stringify(delivery)}`);
  return await call('GET', `/v1/messages/${id}`);
}

describe.each([
  { name: 'with JavaScript', javaScriptEnabled: true },
  { name: 'without JavaScript', javaScriptEnabled: false },
])('the snippet in a browser, $name', ({ javaScriptEnabled }) => {
  let context: BrowserContext;
  let page: Page;
  const area = javaScriptEnabled ? '212' : '415';
  const numberOf = (index: number): string => `+1${area}555017${index}`;
  /** As people type it. */
  const typed = (index: number): string => `(${area}) 555-017${index}`;

  beforeAll(async () => {
    context = await browser.newContext({ javaScriptEnabled });
    page = await context.newPage();
  });
  afterAll(async () => {
    await context?.close();
  });

  /** The form's answer to whoever filled it in. */
  async function thanked(): Promise<void> {
    if (javaScriptEnabled) {
      await page.getByRole('status').getByText('Thank you.').waitFor();
      expect(new URL(page.url()).pathname).toBe('/');
    } else {
      await page.waitForURL(`${allowed}/thank-you`);
      expect(await page.getByRole('heading').textContent()).toBe('Thank you');
    }
  }

  it('texts the phone of somebody who ticks the box', async () => {
    const before = (await deliveries()).length;
    await page.goto(allowed);
    await fillIn(page, 'Ada', typed(0), true);
    await send(page);
    await thanked();
    await expect.poll(() => phone(numberOf(0)), { timeout: 10_000 }).toHaveLength(1);
    expect(await phone(numberOf(0))).toMatchObject([
      { body: 'Hi Ada, welcome to Harbor Bank! Reply STOP to opt out.' },
    ]);
    expect(await recorded(before)).toMatchObject({ outcome: 'accepted', reason: null });
  });

  it('texts nobody who leaves the box unticked, and the message log says why', async () => {
    const before = (await deliveries()).length;
    await page.goto(allowed);
    await fillIn(page, 'Grace', typed(1), false);
    await send(page);
    await thanked();
    expect(await messageOf(await recorded(before))).toMatchObject({
      number: numberOf(1),
      state: 'suppressed',
      reason: 'consent_missing',
    });
    expect(await phone(numberOf(1))).toEqual([]);
  });

  it('is refused on a page of another origin', async () => {
    const before = (await deliveries()).length;
    await page.goto(foreign);
    await fillIn(page, 'Eve', typed(2), true);
    if (javaScriptEnabled) {
      const blocked = page.waitForEvent('console', (line) => line.text().includes('blocked by CORS policy'));
      await send(page);
      expect((await blocked).text()).toContain(`from origin '${foreign}'`);
      await page.getByRole('status').getByText('That did not work.').waitFor();
    } else {
      const answered = page.waitForResponse((response) => response.url().includes('/in/signup'));
      await send(page);
      expect((await answered).status()).toBe(403);
      await page.getByText('Pages of this origin may not use this source').waitFor();
    }
    expect(await recorded(before)).toMatchObject({ outcome: 'refused', reason: 'origin_not_allowed' });
    expect(await phone(numberOf(2))).toEqual([]);
  });

  it('pretends to a program that fills in everything, and texts nobody', async () => {
    const before = (await deliveries()).length;
    await page.goto(allowed);
    await fillIn(page, 'Bot', typed(3), true);
    await page.locator('[name="website"]').fill('https://spam.example', { force: true });
    await send(page);
    await thanked();
    expect(await recorded(before)).toMatchObject({ outcome: 'refused', reason: 'honeypot' });
    expect(await phone(numberOf(3))).toEqual([]);
  });
});

describe('the snippet', () => {
  it('hides its trap from eyes, keyboard and screen readers, and from nobody its fields', async () => {
    const page = await browser.newPage();
    await page.goto(allowed);
    const box = await page.locator('div:has(> [name="website"])').boundingBox();
    expect([box?.width, box?.height]).toEqual([1, 1]);
    expect(await page.getByRole('textbox').count()).toBe(2);
    const stops: (string | null)[] = [];
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press('Tab');
      stops.push(await page.locator(':focus').getAttribute('name'));
    }
    expect(stops).toEqual(['first_name', 'MOBILE_NUMBER', 'SMS_CONSENT', null]);
    await page.close();
  });

  it('says so where the number is of a country that is not texted', async () => {
    const page = await browser.newPage();
    await page.goto(allowed);
    await fillIn(page, 'Kim', '+442079460123', true);
    await send(page);
    await page.getByRole('status').getByText('We cannot text this number.').waitFor();
    await page.close();
  });
});

describe('the demo page', () => {
  it('has the form to copy, and its own at work', async () => {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    await page.goto(base);
    await page.locator('html[data-ready]').waitFor();
    await page.getByText('A form for your own page').click();
    const frame = page.frameLocator('#own-frame');
    const number = frame.getByLabel('Mobile number');
    await expect.poll(() => number.inputValue()).toMatch(/^\+1 /);
    const copied = (await page.locator('#own-snippet').textContent()) ?? '';
    const action = (await frame.locator('form').getAttribute('action')) ?? '';
    expect(action).toMatch(new RegExp(`^${base}/in/demo-form-[0-9a-f]{8}/pk_[0-9a-f]{32}$`));
    const redirect = `${action.replace('/in/', '/sandbox/forms/')}?sent`;
    expect(copied).toBe(SNIPPET.replace(EXAMPLE_ACTION, action).replace(EXAMPLE_REDIRECT, redirect));

    await frame.getByRole('button', { name: 'Sign up' }).click();
    await frame.getByRole('status').getByText('Thank you.').waitFor();
    await page.getByText('SMS_CONSENT is missing').first().waitFor();
    expect(await page.locator('#thread .in').count()).toBe(0);

    await number.fill('+1 646 555 0188');
    await frame.getByLabel('First name').fill('Lin');
    await frame.getByRole('checkbox').check();
    await frame.getByRole('button', { name: 'Sign up' }).click();
    await page.locator('#thread .in .bubble').waitFor();
    expect(await page.locator('#thread .in .bubble').textContent()).toContain('Hi Lin, welcome');
    expect(complaints).toEqual([]);

    await page.reload();
    await page.locator('html[data-ready]').waitFor();
    await page.getByText('A form for your own page').click();
    await frame.locator('form').waitFor();
    expect(await frame.locator('form').getAttribute('action')).toBe(action);
    await page.close();
  });

  it('has its form on a page that works without JavaScript', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    const { publishable_key } = await call<{ publishable_key: string }>('PUT', '/v1/sources/plain', {
      kind: 'form',
      allowed_origins: [base],
      default_country: 'US',
    });
    await page.goto(`${base}/sandbox/forms/plain/${publishable_key}`);
    await fillIn(page, 'Ada', '+16465550189', true);
    await send(page);
    await page.getByRole('status').getByText('Thank you.').waitFor();
    expect(page.url()).toBe(`${base}/sandbox/forms/plain/${publishable_key}?sent`);
    await context.close();
  });
});
