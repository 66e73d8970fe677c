/** Infobip's reports and inbound texts: proven by Basic credentials, by an HMAC, or by the token in a report's address. */
import { z } from 'zod';
import type { ReceiptNote } from '../../platform/runtime.ts';
import {
  equalTexts,
  type HmacHash,
  hmac,
  matchesAny,
  secretsOf,
  toBase64,
  toHex,
} from '../../platform/signature.ts';
import type { SendErrorCode } from '../errors.ts';
import type { Callback, CallbackRefusal, CallbackRequest, InboundText, ProviderWorld } from '../provider.ts';
import { bodyJson, cleanText, itemsOf, providerId, refused, timeOf } from './callback-items.ts';
import { basicAuth } from './http.ts';
import { gsmError, namedCode, statusError, statusGroup } from './infobip-codes.ts';

const envelope = z.object({ results: z.array(z.unknown()) });

const report = z.object({
  messageId: providerId,
  status: namedCode.extend({ groupId: z.number().int() }),
  error: namedCode.extend({ groupId: z.number().int().optional() }).nullish(),
  callbackData: z.string().max(4000).nullish(),
});

const inbound = z.object({
  messageId: providerId,
  from: cleanText.pipe(z.string().min(1).max(64)),
  to: cleanText.nullish(),
  text: cleanText.nullish(),
  receivedAt: z.string().nullish(),
  /** An MMS has its words in segments instead of `text`. */
  message: z.array(z.object({ contentType: z.string().nullish(), value: cleanText.nullish() })).nullish(),
});

type Proof = { readonly kind: 'all' } | { readonly kind: 'one'; readonly id: string };

/** What the report address of one message carries; `null` without a secret. Hexadecimal. */
export async function reportToken(world: ProviderWorld, id: string): Promise<string | null> {
  const [secret] = secretsOf(world.variable('INFOBIP_CALLBACK_SECRET'));
  return secret === undefined ? null : await tokenOf(secret, id);
}

async function tokenOf(secret: string, id: string): Promise<string> {
  return toHex(await hmac('SHA-256', secret, `infobip-report:${id}`));
}

export async function infobipStatus(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<ReceiptNote>> {
  const proof = await prove(world, request);
  if (typeof proof === 'string') return refused(proof);
  const parsed = envelope.safeParse(bodyJson(request.body));
  if (!parsed.success) return refused('malformed');
  return itemsOf(parsed.data.results, report, (entry) =>
    proof.kind === 'all' || entry.messageId === proof.id ? receipt(entry) : null,
  );
}

export async function infobipInbound(
  world: ProviderWorld,
  request: CallbackRequest,
): Promise<Callback<InboundText>> {
  const proof = await prove(world, request);
  if (typeof proof === 'string') return refused(proof);
  if (proof.kind === 'one') return refused('signature_missing'); // a report's token proves no inbound text
  const parsed = envelope.safeParse(bodyJson(request.body));
  if (!parsed.success) return refused('malformed');
  return itemsOf(parsed.data.results, inbound, (entry) => ({
    from: entry.from,
    to: entry.to ?? null,
    text: entry.text ?? wordsOf(entry.message ?? []),
    at: timeOf(entry.receivedAt, world.now()),
    deliveryId: `infobip:${entry.messageId}`,
    providerKeyword: null,
    providerReplies: false,
  }));
}

function wordsOf(segments: NonNullable<z.output<typeof inbound>['message']>): string {
  return segments
    .filter(({ contentType }) => /^text\/plain/i.test(contentType ?? 'text/plain'))
    .flatMap(({ value }) => value ?? [])
    .join('\n');
}

function receipt(entry: z.output<typeof report>): ReceiptNote | null {
  const group = statusGroup(entry.status.groupId);
  if (!group) return null;
  // Delivered to the operator is final, and yet no phone has confirmed it.
  const state = entry.status.name === 'DELIVERED_TO_OPERATOR' ? 'sent' : group.state;
  const failed = group.error !== null;
  const error: SendErrorCode | null = failed
    ? (gsmError(entry.error ?? {}) ?? statusError(entry.status) ?? group.error)
    : null;
  return {
    provider: 'infobip',
    provider_message_id: entry.messageId,
    reference: entry.callbackData ?? entry.messageId,
    state,
    code: failed ? codeOf(entry) : null,
    error,
    parts: null, // one report stands for all parts, whatever its messageCount
    part: null,
  };
}

/** The finer code where there is one: what the carrier said, else what Infobip made of it. */
function codeOf({ error, status }: z.output<typeof report>): string | null {
  const fine = error && error.name !== 'NO_ERROR' && error.id !== 0 ? error : status;
  return fine.name ?? (fine.id === undefined ? null : String(fine.id));
}

/** Each secret is `user:password` for Basic authentication or, without a colon, the key of an HMAC. */
async function prove(world: ProviderWorld, request: CallbackRequest): Promise<Proof | CallbackRefusal> {
  const secrets = secretsOf(world.variable('INFOBIP_CALLBACK_SECRET'));
  if (secrets.length === 0) return 'not_configured';
  const authorization = request.headers.get('authorization');
  const signature = request.headers.get('x-hub-signature-256') ?? request.headers.get('x-hub-signature');
  const url = new URL(request.url);
  const [id, token] = [url.searchParams.get('id'), url.searchParams.get('token')];
  if (authorization === null && signature === null && token === null) return 'signature_missing';
  const [basic, signed, addressed] = await Promise.all([
    matchesAny(secrets, async (secret) => authorization !== null && isBasic(secret, authorization)),
    matchesAny(secrets, async (secret) => signature !== null && isSigned(secret, signature, request.body)),
    matchesAny(
      secrets,
      async (secret) => id !== null && token !== null && equalTexts(await tokenOf(secret, id), token),
    ),
  ]);
  if (basic || signed) return { kind: 'all' };
  return addressed && id !== null ? { kind: 'one', id } : 'signature_mismatch';
}

function isBasic(secret: string, authorization: string): boolean {
  const [user, ...password] = secret.split(':');
  return password.length > 0 && equalTexts(basicAuth(user ?? '', password.join(':')), authorization);
}

const HASHES: Readonly<Record<string, HmacHash>> = { sha1: 'SHA-1', sha256: 'SHA-256', sha512: 'SHA-512' };

/** The digest of the raw body in hexadecimal or base64. The hash's name stands before it; without one it is SHA-256. */
async function isSigned(secret: string, header: string, body: Uint8Array): Promise<boolean> {
  if (secret.includes(':')) return false;
  const [, named, value = ''] = /^(?:(sha1|sha256|sha512)=)?(.*)$/i.exec(header) ?? [];
  const hash = HASHES[(named ?? 'sha256').toLowerCase()] ?? 'SHA-256';
  const digest = await hmac(hash, secret, body);
  const hexMatches = equalTexts(toHex(digest), value.toLowerCase());
  return equalTexts(toBase64(digest), value) || hexMatches;
}
