/** What tests of the whole Worker share: calling it as a client does, and its parts with a runtime of their own. */
import { createExecutionContext, env, SELF } from 'cloudflare:test';
import { app } from '../src/app.ts';
import { createRuntime, type Pointer, type Runtime } from '../src/platform/runtime.ts';

export const DEMO_KEY = 'ot_demo';
export const NUMBER = '+14155550123';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

/** One call through the front door. `body` is sent as JSON unless it is text or bytes already. */
export async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await SELF.fetch(`https://optitext.test${path}`, {
    method,
    headers: {
      authorization: `Bearer ${DEMO_KEY}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

let serial = 0;
/** An id that no other test uses. */
export function unique(prefix: string): string {
  serial++;
  return `${prefix}-${serial}-${crypto.randomUUID().slice(0, 8)}`;
}

/** A fictional number that no other test uses. */
export function uniqueNumber(): string {
  serial++;
  return `+1415${String(2_000_000 + Math.floor(Math.random() * 7_000_000))}`;
}

export async function putCampaign(
  fields: Record<string, unknown> = {},
): Promise<{ id: string; trigger: string }> {
  const id = (fields.id as string | undefined) ?? unique('campaign');
  const trigger = (fields.trigger as string | undefined) ?? unique('signup');
  const { id: _, ...rest } = fields;
  const answer = await call('PUT', `/v1/campaigns/${id}`, {
    name: 'Welcome',
    trigger,
    channel: 'sms',
    sender: '+18005550100',
    body: 'Hi {{ first_name }}, welcome!',
    state: 'live',
    ...rest,
  });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return { id, trigger };
}

/** An event that every rule lets pass. */
export function goodEvent(type: string, fields: Record<string, unknown> = {}): Record<string, unknown> {
  const { data, ...rest } = fields;
  return {
    id: unique('event'),
    type,
    customer_id: unique('customer'),
    data: {
      MOBILE_NUMBER: uniqueNumber(),
      SMS_CONSENT: true,
      SMS_VALID: true,
      first_name: 'Ada',
      ...(data as object | undefined),
    },
    ...rest,
  };
}

export interface TestRuntime extends Runtime {
  /** Moves the clock. Unit: milliseconds. */
  advance(ms: number): void;
  /** Pointers that were sent to the outbox instead of the real queue. */
  readonly sent: { pointer: Pointer; delaySeconds: number }[];
  /** Waits for everything that was left in the background. */
  settled(): Promise<void>;
}

/** A runtime on the real D1, KV and R2, with a clock in hand and an outbox that only notes what it was given. */
export function testRuntime(changes: Partial<Runtime> = {}): TestRuntime {
  const background: Promise<unknown>[] = [];
  const sent: TestRuntime['sent'] = [];
  let offset = 0;
  const ctx = createExecutionContext();
  const base = createRuntime(
    env,
    (promise) => void background.push(promise),
    async (request) => await app.fetch(request, env, ctx),
  );
  const outbox = {
    sendBatch: async (messages: Iterable<{ body: Pointer }>, options?: { delaySeconds?: number }) => {
      for (const { body } of messages) sent.push({ pointer: body, delaySeconds: options?.delaySeconds ?? 0 });
    },
  } as unknown as Queue<Pointer>;
  return {
    ...base,
    outbox,
    now: () => Date.now() + offset,
    ...changes,
    advance: (ms) => {
      offset += ms;
    },
    sent,
    settled: async () => {
      await Promise.all(background.splice(0));
    },
  };
}

export interface StoredMessage {
  readonly state: string;
  readonly reason: string | null;
  readonly detail: string | null;
  readonly attempts: number;
  readonly due_at: number | null;
  readonly claim_id: string | null;
  readonly provider_message_id: string | null;
}

export async function storedMessage(id: string): Promise<StoredMessage> {
  const row = await env.DB.prepare('SELECT * FROM messages WHERE id = ?1').bind(id).first<StoredMessage>();
  if (!row) throw new Error(`no message ${id}`);
  return row;
}

/** The states that a message went through, in order. */
export async function timeline(id: string): Promise<string[]> {
  const { results } = await env.DB.prepare(
    'SELECT state FROM message_transitions WHERE message_id = ?1 ORDER BY seq',
  )
    .bind(id)
    .all<{ state: string }>();
  return results.map((row) => row.state);
}

/** What the sandbox carrier took of a message: two entries would be two texts on one phone. */
export async function takenBySandbox(messageId: string): Promise<number> {
  const row = await env.DB.prepare('SELECT count(*) AS n FROM sandbox_messages WHERE reference = ?1')
    .bind(messageId)
    .first<{ n: number }>();
  return row?.n ?? 0;
}

/** Waits until a probe gives a value other than `undefined` or `false`. */
export async function until<T>(probe: () => Promise<T | undefined | false>, timeoutMs = 10_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resume) => setTimeout(resume, 25));
  }
}
