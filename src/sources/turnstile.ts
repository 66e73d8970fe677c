/** Cloudflare Turnstile: whether the browser passed its challenge. https://developers.cloudflare.com/turnstile/get-started/server-side-validation/ */
import { z } from 'zod';
import type { Runtime } from '../platform/runtime.ts';

const SITEVERIFY = 'https://challenges.cloudflare.com/turnstile/v0/siteverify';
const TIMEOUT_MS = 4000;
/** As its documentation says. */
const MAX_TOKEN_LENGTH = 2048;

const answer = z.object({ success: z.boolean() });

/** Any of the secrets may be the widget's: two stand while one replaces another. */
export async function passedTurnstile(
  runtime: Runtime,
  secrets: readonly string[],
  token: string | null,
): Promise<'passed' | 'failed' | 'unreachable'> {
  if (token === null || token.length > MAX_TOKEN_LENGTH) return 'failed';
  let unreachable = false;
  for (const secret of secrets) {
    try {
      const response = await runtime.fetch(SITEVERIFY, {
        method: 'POST',
        body: new URLSearchParams({ secret, response: token }),
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (answer.parse(await response.json()).success) return 'passed';
    } catch {
      unreachable = true;
    }
  }
  return unreachable ? 'unreachable' : 'failed';
}
