/** A world for adapters: variables in hand, a clock in hand, and a fetch that notes each request and answers by script. */
import type {
  CallbackRequest,
  OutboundMessage,
  Provider,
  ProviderDefinition,
  ProviderWorld,
} from '../../../src/delivery/provider.ts';

export interface SentRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly json: any;
}

type Answer = Response | Error;

export interface ScriptedWorld extends ProviderWorld {
  readonly requests: SentRequest[];
  /** The answers still to come, in order. */
  readonly answers: Answer[];
}

/** 2026-06-01T12:00:00Z, milliseconds since 1970. */
export const NOW = Date.UTC(2026, 5, 1, 12);

export function scriptedWorld(
  variables: Readonly<Record<string, string>>,
  answers: Answer[] = [],
  now: number = NOW,
): ScriptedWorld {
  const requests: SentRequest[] = [];
  return {
    requests,
    answers,
    now: () => now,
    variable: (name) => variables[name],
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const body = await request.text();
      requests.push({
        method: request.method,
        url: request.url,
        headers: request.headers,
        body,
        json: body.startsWith('{') ? JSON.parse(body) : undefined,
      });
      const answer = answers.shift();
      if (answer === undefined) throw new Error('no answer is scripted');
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

export function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers });
}

export const MESSAGE: OutboundMessage = {
  id: 'msg_01',
  channel: 'sms',
  sender: '+18005550100',
  number: '+14155550123',
  body: 'Hi Ada, welcome!',
  mediaUrls: [],
  validitySeconds: 3600,
};

export const MMS: OutboundMessage = {
  ...MESSAGE,
  channel: 'mms',
  mediaUrls: ['https://cdn.example/hello.png?v=2'],
};

export const signal = (): AbortSignal => AbortSignal.timeout(10_000);

/** Sends one message against one answer. */
export async function sendTo(
  definition: ProviderDefinition,
  variables: Readonly<Record<string, string>>,
  reply: Answer,
  message: OutboundMessage = MESSAGE,
): ReturnType<Provider['send']> {
  return await definition.connect(scriptedWorld(variables, [reply])).send(message, signal());
}

export function callback(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  method = 'POST',
): CallbackRequest {
  const bytes = typeof body === 'string' ? new Uint8Array(new TextEncoder().encode(body)) : body;
  return { method, url, headers: new Headers(headers), body: bytes };
}

export const LOOKUP = {
  id: 'msg_01',
  providerMessageId: null,
  sender: '+18005550100',
  number: '+14155550123',
  calledAt: NOW - 30_000,
};

/** A text with one byte changed. */
export function tampered(text: string): string {
  return text.replace('e', 'E');
}

/** What every adapter must make of HTTP alone. */
export const HTTP_TABLE: readonly [string, Answer, object][] = [
  [
    '429 without Retry-After',
    answer(429, ''),
    { kind: 'retry_later', afterMs: null, error: { code: 'throttled' } },
  ],
  ['429 with seconds', answer(429, '{}', { 'retry-after': '7' }), { kind: 'retry_later', afterMs: 7000 }],
  [
    '429 with a date',
    answer(429, '{}', { 'retry-after': 'Mon, 01 Jun 2026 12:00:30 GMT' }),
    { kind: 'retry_later', afterMs: 30_000 },
  ],
  ['500', answer(500, 'oops'), { kind: 'unknown', error: { code: 'no_answer', detail: 'HTTP 500' } }],
  ['502 from a proxy', answer(502, '<html>'), { kind: 'unknown' }],
  ['503', answer(503, '{}', { 'retry-after': '7' }), { kind: 'unknown' }],
  ['a redirect', answer(302, ''), { kind: 'unknown' }],
  ['a reset', new TypeError('connection reset'), { kind: 'unknown', error: { detail: 'connection lost' } }],
  [
    'a time-out',
    new DOMException('late', 'TimeoutError'),
    { kind: 'unknown', error: { detail: 'time-out' } },
  ],
  ['a 200 that is no JSON', answer(200, 'OK'), { kind: 'unknown' }],
  ['a 200 that is empty', answer(200, ''), { kind: 'unknown' }],
  ['a 200 without an id', answer(200, {}), { kind: 'unknown' }],
  ['a 200 that is null', answer(200, 'null'), { kind: 'unknown' }],
  ['401', answer(401, ''), { kind: 'rejected', error: { code: 'account_problem' } }],
  ['403', answer(403, ''), { kind: 'rejected', error: { code: 'account_problem' } }],
  ['400', answer(400, ''), { kind: 'rejected', error: { code: 'request_invalid', providerCode: '400' } }],
];
