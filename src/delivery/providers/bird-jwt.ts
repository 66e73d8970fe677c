/**
 * `MessageBird-Signature-JWT`: a JWT signed with the account's signing key, which names the hashes of the URL and of the
 * raw body. Source: https://developers.messagebird.com/api/#verifying-http-requests.
 */
import { errors, jwtVerify } from 'jose';
import { equalTexts, isCanonicalBase64Url, toHex } from '../../platform/signature.ts';
import type { WebhookVerdict } from '../../platform/standard-webhooks.ts';
import type { CallbackRequest } from '../provider.ts';

export const JWT_HEADER = 'messagebird-signature-jwt';

/** What clocks may differ by. Unit: seconds. */
const TOLERANCE = 5;

/** @param now milliseconds since 1970. */
export async function verifyMessageBirdJwt(
  request: Pick<CallbackRequest, 'url' | 'headers' | 'body'>,
  secrets: readonly string[],
  now: number,
): Promise<WebhookVerdict> {
  const token = request.headers.get(JWT_HEADER);
  if (!token) return 'signature_missing';
  if (!isCanonicalBase64Url(token.split('.').at(-1) ?? '')) return 'signature_mismatch';
  const verdicts = await Promise.all(secrets.map((secret) => verify(token, secret, request, now)));
  if (verdicts.includes('valid')) return 'valid';
  return verdicts.includes('timestamp_out_of_range') ? 'timestamp_out_of_range' : 'signature_mismatch';
}

async function verify(
  token: string,
  secret: string,
  request: Pick<CallbackRequest, 'url' | 'body'>,
  now: number,
): Promise<WebhookVerdict> {
  try {
    const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
      algorithms: ['HS256', 'HS384', 'HS512'],
      issuer: 'MessageBird',
      requiredClaims: ['nbf', 'exp'],
      clockTolerance: TOLERANCE,
      currentDate: new Date(now),
    });
    const sameUrl = claims(payload.url_hash, await sha256Hex(new TextEncoder().encode(request.url)));
    // Without a body there is no claim, and a claim without a body is a body that was taken away.
    const sameBody =
      request.body.length === 0
        ? payload.payload_hash === undefined
        : claims(payload.payload_hash, await sha256Hex(request.body));
    return sameUrl && sameBody ? 'valid' : 'signature_mismatch';
  } catch (error) {
    return isAboutTime(error) ? 'timestamp_out_of_range' : 'signature_mismatch';
  }
}

/** jose looks at the claims only after the signature has proven right. */
function isAboutTime(error: unknown): boolean {
  if (error instanceof errors.JWTExpired) return true;
  return (
    error instanceof errors.JWTClaimValidationFailed &&
    error.reason === 'check_failed' &&
    (error.claim === 'nbf' || error.claim === 'exp')
  );
}

function claims(claim: unknown, hash: string): boolean {
  return typeof claim === 'string' && equalTexts(hash, claim);
}

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
}
