/**
 * `X-Plivo-Signature-V3`: base64(HMAC-SHA256(token, URL and parameters in order + "." + nonce)); the header may hold
 * several. `X-Plivo-Signature-V2` covers neither query nor parameters and is taken only where a variable asks for it.
 * Source: https://www.plivo.com/docs/messaging/concepts/signature-validation.
 */
import { equalTexts, hmac, matchesAny, toBase64 } from '../../platform/signature.ts';
import type { CallbackRefusal, CallbackRequest } from '../provider.ts';
import { bodyParameters, type Parameters, queryParameters } from './form.ts';

/** @returns the refusal, or `null` for a proven request. */
export async function plivoRefusal(
  request: CallbackRequest,
  tokens: readonly string[],
  takesV2: boolean,
): Promise<CallbackRefusal | null> {
  if (tokens.length === 0) return 'not_configured';
  const header = (name: string): string | null => request.headers.get(`x-plivo-signature-${name}`);
  const v3 = [header('v3'), header('ma-v3')].filter((value) => value !== null).join(',');
  const nonce = header('v3-nonce');
  if (v3 !== '' && nonce) return await matching(tokens, v3, `${signedText(request)}.${nonce}`);
  const [v2, nonce2] = [header('v2'), header('v2-nonce')];
  if (takesV2 && v2 && nonce2) {
    return await matching(tokens, v2, `${request.url.replace(/[?#].*$/s, '')}${nonce2}`);
  }
  return 'signature_missing';
}

async function matching(
  tokens: readonly string[],
  header: string,
  signed: string,
): Promise<CallbackRefusal | null> {
  const given = header.split(',').map((signature) => signature.trim());
  const matches = await matchesAny(tokens, async (token) => {
    const expected = toBase64(await hmac('SHA-256', token, signed));
    return given.map((signature) => equalTexts(expected, signature)).some(Boolean);
  });
  return matches ? null : 'signature_mismatch';
}

function signedText(request: CallbackRequest): string {
  const base = request.url.replace(/[?#].*$/s, '');
  const query = inOrder(queryParameters(request.url), '=', '&');
  const form = request.method === 'POST' ? bodyParameters(request) : null;
  if (form === null || form.size === 0) return query === '' ? base : `${base}?${query}`;
  return `${base}?${query}${query === '' ? '' : '.'}${inOrder(form, '', '')}`;
}

/** Keys in order, and so the values of each. */
function inOrder(parameters: Parameters, equals: string, and: string): string {
  return [...parameters]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, values]) => [...values].sort().map((value) => `${key}${equals}${value}`))
    .join(and);
}
