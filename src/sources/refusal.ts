/** Why a delivery was not taken, and what its sender is told: tools stop on some codes and come again on others. */
import type { FieldProblem } from '../platform/problem.ts';
import { Problem } from '../platform/problem.ts';
import type { VerifyRefusal } from './kind.ts';

export type Stage = 'guards' | 'verify' | 'map' | 'event' | 'limits' | 'decide';

export type RefusalReason =
  | VerifyRefusal
  | 'source_off'
  | 'body_too_large'
  | 'secrets_unreadable'
  | 'origin_not_allowed'
  | 'key_unknown'
  | 'honeypot'
  | 'turnstile_failed'
  | 'turnstile_unreachable'
  | 'redirect_not_allowed'
  | 'rate_limited'
  | 'country_not_allowed'
  | 'calling_code_limited'
  | 'unreadable'
  | 'invalid_event';

export interface Refusal {
  readonly ok: false;
  readonly stage: Stage;
  readonly reason: RefusalReason;
  /** In our words, free of personal data. */
  readonly detail?: string | null;
  readonly hint?: string | null;
  readonly errors?: readonly FieldProblem[];
}

export function refuse(
  stage: Stage,
  reason: RefusalReason,
  more: Omit<Refusal, 'ok' | 'stage' | 'reason'> = {},
): Refusal {
  return { ok: false, stage, reason, ...more };
}

/** The answer to a refusal. `honeypot` has none: a program is not told that it was seen. */
export function problemOf(
  refusal: Refusal & { readonly reason: Exclude<RefusalReason, 'honeypot'> },
): Problem {
  const { status, detail, headers } = answerOf(refusal.reason);
  return new Problem(status, refusal.detail ?? detail, {
    ...(refusal.errors && { errors: refusal.errors }),
    ...(headers && { headers }),
    members: { reason: refusal.reason, ...(refusal.hint && { hint: refusal.hint }) },
  });
}

interface Answer {
  readonly status: number;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function answerOf(reason: Exclude<RefusalReason, 'honeypot'>): Answer {
  switch (reason) {
    case 'source_off':
      return { status: 404, detail: 'This source is switched off.' };
    case 'body_too_large':
      return { status: 413, detail: 'The body is larger than 1000000 bytes.' };
    case 'secrets_unreadable':
      return again(
        503,
        'The secrets of this source cannot be opened here: SOURCES_KEY is not the one they were stored under.',
        60,
      );
    case 'secret_not_set':
      return {
        status: 401,
        detail:
          'This source has no secret, so nothing that it is sent can be believed. Set one with PUT /v1/sources/{id}.',
      };
    case 'signature_missing':
      return { status: 401, detail: 'The request carries no signature or token of this kind of source.' };
    case 'signature_mismatch':
      return {
        status: 401,
        detail:
          'The signature or token does not match. Check the secret, and PUBLIC_URL where a proxy stands in front.',
      };
    case 'timestamp_out_of_range':
      return { status: 401, detail: 'The signature is too old, or its time lies in the future.' };
    case 'origin_not_allowed':
      return {
        status: 403,
        detail: 'Pages of this origin may not use this source; see its allowed_origins.',
      };
    case 'key_unknown':
      return { status: 401, detail: 'The publishable key is missing or not the one of this source.' };
    case 'turnstile_failed':
      return { status: 403, detail: 'The Turnstile challenge was not passed, or its token was used before.' };
    case 'turnstile_unreachable':
      return again(503, 'Turnstile cannot be asked at the moment. Send the form again.', 5);
    case 'redirect_not_allowed':
      return { status: 422, detail: '_redirect must lead to one of the allowed origins of this source.' };
    case 'rate_limited':
      return again(429, 'Too many requests to this source at the moment.', 60);
    case 'calling_code_limited':
      return again(429, 'Too many numbers of this calling code within an hour.', 3600);
    case 'country_not_allowed':
      return { status: 422, detail: 'This source does not text numbers of that country; see its countries.' };
    case 'unreadable':
      return { status: 400, detail: 'The body is not what this kind of source sends.' };
    case 'invalid_event':
      return { status: 422, detail: 'The body does not become a valid event; see errors.' };
  }
}

function again(status: number, detail: string, seconds: number): Answer {
  return { status, detail, headers: { 'retry-after': String(seconds) } };
}
