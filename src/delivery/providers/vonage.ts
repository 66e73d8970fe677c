/**
 * Vonage: Messages API v1. Our message id is the `client_ref`, which comes back in every status. Documented at
 * https://developer.vonage.com/en/api/messages.
 */
import { importPKCS8, SignJWT } from 'jose';
import { z } from 'zod';
import type { SendErrorCode } from '../errors.ts';
import type {
  OutboundMessage,
  Provider,
  ProviderDefinition,
  ProviderWorld,
  SendOutcome,
} from '../provider.ts';
import { entryOf } from './callback-items.ts';
import {
  ACCOUNT_STATUSES,
  basicAuth,
  byStatus,
  type HttpAnswer,
  request,
  throttled,
  unknown,
} from './http.ts';
import { baseUrl, callbackUrl, unsendable } from './settings.ts';
import { vonageInbound, vonageStatus } from './vonage-callbacks.ts';
import { VONAGE_CODES } from './vonage-codes.ts';

const created = z.object({ message_uuid: z.string().min(1).max(200) });
const refusal = z.object({ type: z.string(), title: z.string().nullish().catch(null) });

/** How long one of our tokens is good. Unit: seconds. */
const TOKEN_SECONDS = 300;

const KEY = ['VONAGE_APPLICATION_ID', 'VONAGE_PRIVATE_KEY'];

export const vonage: ProviderDefinition = {
  name: 'vonage',
  required: ['VONAGE_API_KEY', 'VONAGE_API_SECRET'],
  insteadOfRequired: KEY,
  requiredForCallbacks: ['VONAGE_SIGNATURE_SECRET'],
  optional: ['VONAGE_SIGNATURE_METHOD', 'VONAGE_BASE_URL', 'VONAGE_KEYWORD_REPLIES', 'PUBLIC_URL'],
  connect: (world): Provider => ({
    name: 'vonage',
    channels: ['sms', 'mms'],
    send: (message, signal) => send(world, message, signal),
    // No look-up: the Messages API finds no message by a reference of ours.
    readStatus: (callback) => vonageStatus(world, callback),
    readInbound: (callback) => vonageInbound(world, callback),
  }),
};

async function send(
  world: ProviderWorld,
  message: OutboundMessage,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const [medium, ...more] = message.mediaUrls;
  if (more.length > 0) return rejected('content_invalid', null, 'Vonage takes one medium for each message');
  const needed = usesKey(world) ? KEY : vonage.required;
  const hindrance = unsendable(world, needed, api(world));
  if (hindrance) return hindrance;
  const authorization = await authorizationOf(world);
  if (authorization === null)
    return rejected('account_problem', null, 'VONAGE_PRIVATE_KEY is no PKCS #8 key');
  const status = callbackUrl(world.variable('PUBLIC_URL'), 'vonage/status');
  const content =
    medium === undefined
      ? { message_type: 'text', text: message.body }
      : {
          message_type: 'image',
          image: { url: medium, ...(message.body !== '' && { caption: message.body }) },
        };
  const body = {
    channel: medium === undefined ? 'sms' : 'mms',
    from: message.sender.replace(/^\+/, ''),
    to: message.number.replace(/^\+/, ''),
    client_ref: message.id,
    ...content,
    ...(status !== null && { webhook_url: status, webhook_version: 'v1' }),
  };
  const headers = { authorization, accept: 'application/json', 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify(body) };
  const result = await request(world, api(world), init, signal);
  return 'outcome' in result ? result.outcome : classify(result.answer, world.now());
}

function classify(answer: HttpAnswer, now: number): SendOutcome {
  const error = refusal.safeParse(answer.json).data;
  const code =
    (error?.type ?? '').match(/#(\d{3,5})$/)?.[1] ?? (error?.title ?? '').match(/^\d{3,5}$/)?.[0] ?? null;
  const byHttp = byStatus(answer, now, code);
  if (byHttp) return byHttp;
  if (answer.status >= 400) {
    if (code === '1000') return throttled(answer, now, code);
    const known = entryOf(VONAGE_CODES, code ?? '') ?? entryOf(ACCOUNT_STATUSES, String(answer.status));
    return rejected(known ?? 'request_invalid', code ?? String(answer.status), `HTTP ${answer.status}`);
  }
  const taken = created.safeParse(answer.json).data;
  return taken
    ? { kind: 'accepted', providerMessageId: taken.message_uuid }
    : unknown(`HTTP ${answer.status} without a message UUID`, code);
}

function rejected(code: SendErrorCode, providerCode: string | null, detail: string): SendOutcome {
  return { kind: 'rejected', error: { code, providerCode, detail } };
}

function usesKey(world: ProviderWorld): boolean {
  return world.variable('VONAGE_PRIVATE_KEY') !== undefined;
}

/** A token of the application's key where there is one, else the account's key and secret; `null` for a key that is none. */
async function authorizationOf(world: ProviderWorld): Promise<string | null> {
  const pem = world.variable('VONAGE_PRIVATE_KEY');
  if (pem === undefined) {
    return basicAuth(world.variable('VONAGE_API_KEY') ?? '', world.variable('VONAGE_API_SECRET') ?? '');
  }
  try {
    const key = await importPKCS8(pem.replaceAll('\\n', '\n'), 'RS256');
    const issued = Math.floor(world.now() / 1000);
    const token = await new SignJWT({ application_id: world.variable('VONAGE_APPLICATION_ID') ?? '' })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
      .setIssuedAt(issued)
      .setExpirationTime(issued + TOKEN_SECONDS)
      .setJti(crypto.randomUUID())
      .sign(key);
    return `Bearer ${token}`;
  } catch {
    return null;
  }
}

function api(world: ProviderWorld): string {
  return `${baseUrl(world.variable('VONAGE_BASE_URL') ?? 'https://api.nexmo.com')}/v1/messages`;
}
