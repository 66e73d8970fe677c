/** Guards of browser forms: origin, key, rate, trap and challenge, in the order of what they cost. */
import { sha256Hex } from '../platform/ids.ts';
import type { Runtime } from '../platform/runtime.ts';
import { equalTexts } from '../platform/signature.ts';
import { readForm } from './form-fields.ts';
import type { Delivery } from './kind.ts';
import { formOptions } from './kinds/form.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { Source } from './source.ts';
import { passedTurnstile } from './turnstile.ts';

export interface Browsed {
  readonly ok: true;
  /** With the fields as JSON, whatever their encoding was; without those that were meant for us. */
  readonly delivery: Delivery;
}

export interface Guarded {
  readonly verdict: Browsed | Refusal;
  /** Where a plain form's page goes on. */
  readonly redirect: string | null;
}

/** @param keyInPath the publishable key, where the address carries it. */
export async function guardForm(
  runtime: Runtime,
  source: Source,
  delivery: Delivery,
  keyInPath: string | null,
): Promise<Guarded> {
  const stop = (refusal: Refusal, redirect: string | null = null): Guarded => ({
    verdict: refusal,
    redirect,
  });
  const { headers, body } = delivery;
  if (allowedOrigin(source, headers) === null) return stop(refuse('guards', 'origin_not_allowed'));
  const address = headers.get('cf-connecting-ip');
  if (address !== null && !(await runtime.withinRate('FORM_ADDRESS_RATE', `${source.id}:${address}`)))
    return stop(refuse('guards', 'rate_limited'));

  const { honeypot } = formOptions.parse(source.options);
  const form = await readForm(body, headers.get('content-type') ?? '', honeypot);
  if (form === null)
    return stop(
      refuse('guards', 'unreadable', {
        detail: 'The body is no form.',
        hint: 'Send a JSON object, application/x-www-form-urlencoded or multipart/form-data.',
      }),
    );
  const key = keyInPath ?? form.key;
  if (key === null || !equalTexts(source.publishableHash ?? '', await sha256Hex(key)))
    return stop(refuse('guards', 'key_unknown'));
  if (!(await runtime.withinRate('FORM_KEY_RATE', source.id))) return stop(refuse('guards', 'rate_limited'));
  const redirect = isNavigation(headers) ? form.redirect : null;
  if (form.redirect !== null && !leadsToAllowed(source, form.redirect))
    return stop(refuse('guards', 'redirect_not_allowed'));
  if (form.trapped)
    return stop(
      refuse('guards', 'honeypot', {
        hint: `The field "${honeypot}" was filled in, which people do not see. Another name: options.honeypot.`,
      }),
      redirect,
    );
  if (source.secrets !== null && source.secrets.length > 0) {
    const passed = await passedTurnstile(runtime, source.secrets, form.turnstile);
    if (passed !== 'passed')
      return stop(refuse('guards', passed === 'failed' ? 'turnstile_failed' : 'turnstile_unreachable'));
  }
  return { verdict: { ok: true, delivery: asJson(delivery, form.fields) }, redirect };
}

/** The origin that asks, where it is one of the source's. */
export function allowedOrigin(source: Source, headers: Headers): string | null {
  const origin = headers.get('origin');
  return origin !== null && source.allowedOrigins.includes(origin) ? origin : null;
}

/** What a form's answer carries for the page's script. */
export function corsHeaders(source: Source, headers: Headers): Record<string, string> {
  const origin = allowedOrigin(source, headers);
  return origin === null ? { vary: 'origin' } : { 'access-control-allow-origin': origin, vary: 'origin' };
}

/** The form's fields as the body that the kind reads. */
export function asJson(delivery: Delivery, fields: Readonly<Record<string, unknown>>): Delivery {
  const headers = new Headers(delivery.headers);
  headers.set('content-type', 'application/json');
  return { ...delivery, headers, body: Uint8Array.from(new TextEncoder().encode(JSON.stringify(fields))) };
}

/** A page's script says so itself, and stays where it is. https://www.w3.org/TR/fetch-metadata/#sec-fetch-mode-header */
function isNavigation(headers: Headers): boolean {
  return (headers.get('sec-fetch-mode') ?? 'navigate') === 'navigate';
}

function leadsToAllowed(source: Source, redirect: string): boolean {
  return URL.canParse(redirect) && source.allowedOrigins.includes(new URL(redirect).origin);
}
