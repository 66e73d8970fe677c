/** One request to a provider's API, and what its answer means before anybody reads the provider's own codes. */
import type { SendError, SendErrorCode } from '../errors.ts';
import type { ProviderWorld, SendOutcome } from '../provider.ts';

/** An answer that was read whole. `json` is `undefined` where the body is no JSON. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
}

/** No provider answers with more than this; a longer body is cut and then is no JSON. */
const MAX_ANSWER_CHARS = 200_000;

/** Sends one request. @returns the answer, or the outcome `unknown`: once a request was written, nobody knows. */
export async function request(
  world: ProviderWorld,
  url: string,
  init: RequestInit,
  signal: AbortSignal,
): Promise<{ readonly answer: HttpAnswer } | { readonly outcome: SendOutcome & { kind: 'unknown' } }> {
  try {
    const response = await world.fetch(url, { ...init, signal, redirect: 'manual' });
    const text = (await response.text()).slice(0, MAX_ANSWER_CHARS);
    return { answer: { status: response.status, headers: response.headers, text, json: parsed(text) } };
  } catch (error) {
    const detail = error instanceof Error && error.name === 'TimeoutError' ? 'time-out' : 'connection lost';
    return { outcome: unknown(detail, null) };
  }
}

/**
 * What HTTP alone says: 429 is “not sent, later”, 5xx and redirects are unknown. `null`: the provider's own answer decides.
 *
 * @param providerCode the provider's code where it gave one.
 */
export function byStatus(
  answer: HttpAnswer,
  now: number,
  providerCode: string | null = null,
): SendOutcome | null {
  if (answer.status === 429) return throttled(answer, now, providerCode);
  if (answer.status >= 500) return unknown(`HTTP ${answer.status}`, providerCode);
  if (answer.status >= 300 && answer.status < 400) return unknown(`HTTP ${answer.status}`, providerCode);
  return null;
}

export function throttled(answer: HttpAnswer, now: number, providerCode: string | null): SendOutcome {
  const error: SendError = { code: 'throttled', providerCode, detail: `HTTP ${answer.status}` };
  return { kind: 'retry_later', afterMs: retryAfterMs(answer.headers.get('retry-after'), now), error };
}

export function unknown(detail: string, providerCode: string | null): SendOutcome & { kind: 'unknown' } {
  return { kind: 'unknown', error: { code: 'no_answer', providerCode, detail } };
}

/** `Retry-After` (RFC 9110, 10.2.3): seconds or an HTTP date, as milliseconds from now; `null` where there is none. */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null;
  const text = header.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}

/** What these statuses mean at every provider where its own code says no more. */
export const ACCOUNT_STATUSES = {
  401: 'account_problem',
  402: 'no_credit',
  403: 'account_problem',
} as const satisfies Readonly<Record<number, SendErrorCode>>;

/** `Authorization: Basic` for a user and password. */
export function basicAuth(user: string, password: string): string {
  return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${user}:${password}`)))}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
