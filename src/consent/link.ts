/**
 * Opt-out links: `/o/` and a token of message id and HMAC. Nothing in it tells a number, and nobody can make one up.
 */

import type { Runtime } from '../platform/runtime.ts';
import { equalTexts, fromBase64, hmac, matchesAny, secretsOf, toBase64 } from '../platform/signature.ts';

type LinkWorld = Pick<Runtime, 'config' | 'variable'>;

/** 96 bits: a text has little room, and guessing is online. */
const MAC_BYTES = 12;
const MESSAGE_ID = /^msg_([0-9a-f]{32})$/;
const TOKEN = /^([\w-]{22})\.([\w-]{16})$/;

/** The link of a message; `null` where PUBLIC_URL or OPT_OUT_SECRET is not set. */
export async function optOutUrl({ config, variable }: LinkWorld, messageId: string): Promise<string | null> {
  const [secret] = secretsOf(variable('OPT_OUT_SECRET'));
  const hex = MESSAGE_ID.exec(messageId)?.[1];
  if (config.publicUrl === null || secret === undefined || hex === undefined) return null;
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return `${config.publicUrl}/o/${base64Url(bytes)}.${await macOf(secret, messageId)}`;
}

/** The message that a token was made for; `null` where it was not made by us. */
export async function messageOfToken({ variable }: LinkWorld, token: string): Promise<string | null> {
  const [, id = '', mac = ''] = TOKEN.exec(token) ?? [];
  const bytes = fromBase64(id);
  if (bytes?.byteLength !== 16) return null;
  const messageId = `msg_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  const genuine = await matchesAny(secretsOf(variable('OPT_OUT_SECRET')), async (secret) =>
    equalTexts(await macOf(secret, messageId), mac),
  );
  return genuine ? messageId : null;
}

async function macOf(secret: string, messageId: string): Promise<string> {
  return base64Url((await hmac('SHA-256', secret, `opt-out:${messageId}`)).slice(0, MAC_BYTES));
}

function base64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
