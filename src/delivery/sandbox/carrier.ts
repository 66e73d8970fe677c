/**
 * The sandbox carrier: the default provider, which behaves like a real one and texts nobody. It keeps its inbox in D1
 * and sends its receipts, signed, through the real callback route.
 */

import { newId } from '../../platform/ids.ts';
import type { Runtime } from '../../platform/runtime.ts';
import type { SendError, SendErrorCode } from '../errors.ts';
import type { LookupOutcome, OutboundMessage, Provider, SendOutcome } from '../provider.ts';
import { behaviourOf } from './numbers.ts';
import { postReceipts } from './receipts.ts';

const INBOX_COLUMNS = [
  'id',
  'reference',
  'recipient',
  'sender',
  'body',
  'media_urls',
  'accepted_at',
  'receipt_state',
  'receipt_due_at',
] as const;

export const SANDBOX_SQL = {
  take: `INSERT INTO sandbox_messages (${INBOX_COLUMNS.join(', ')})
    SELECT ${INBOX_COLUMNS.map((name) => `value ->> '${name}'`).join(', ')} FROM json_each(?1)`,
  countCall: `INSERT INTO sandbox_calls (reference, calls) VALUES (?1, 1)
    ON CONFLICT (reference) DO UPDATE SET calls = calls + 1 RETURNING calls`,
  find: 'SELECT id, recipient FROM sandbox_messages WHERE reference = ?1 LIMIT 1',
} as const;

export function sandboxProvider(runtime: Runtime): Provider {
  return {
    name: 'sandbox',
    send: (message, signal) => send(runtime, message, signal),
    channels: ['sms', 'mms'],
    lookup: ({ id }) => lookup(runtime.db, id),
    readStatus: notThisWay,
    readInbound: notThisWay,
  };
}

async function send(runtime: Runtime, message: OutboundMessage, signal: AbortSignal): Promise<SendOutcome> {
  const behaviour = behaviourOf(message.number);
  switch (behaviour.answer) {
    case 'accept':
      return { kind: 'accepted', providerMessageId: await take(runtime, message) };
    case 'reject':
      return { kind: 'rejected', error: refusal('number_invalid', '21211', 'invalid number') };
    case 'busy':
      return { kind: 'retry_later', afterMs: null, error: refusal('throttled', '429', 'too many requests') };
    case 'busy_twice': {
      const calls = await countCall(runtime.db, message.id);
      return calls > 2
        ? { kind: 'accepted', providerMessageId: await take(runtime, message) }
        : { kind: 'retry_later', afterMs: null, error: refusal('throttled', '429', 'too many requests') };
    }
    case 'hang_taken':
      await take(runtime, message);
      return await untilAborted(signal);
    case 'hang_not_taken':
      return (await countCall(runtime.db, message.id)) === 1
        ? await untilAborted(signal)
        : { kind: 'accepted', providerMessageId: await take(runtime, message) };
  }
}

/** Takes the message: from here on a real carrier would text somebody. Never deduplicates; that is the ledger's duty. */
async function take(runtime: Runtime, message: OutboundMessage): Promise<string> {
  const id = newId('sbx');
  const now = runtime.now();
  const { receipt } = behaviourOf(message.number);
  await inboxOf(runtime)({
    id,
    reference: message.id,
    recipient: message.number,
    sender: message.sender,
    body: message.body,
    media_urls: JSON.stringify(message.mediaUrls),
    accepted_at: now,
    receipt_state: receipt?.state ?? null,
    receipt_due_at: receipt ? now + receipt.afterMs : null,
  });
  if (receipt && receipt.afterMs < 0) await postReceipts(runtime);
  return id;
}

type InboxRow = Readonly<Record<(typeof INBOX_COLUMNS)[number], string | number | null>>;
type Inbox = (row: InboxRow) => Promise<void>;
const inboxes = new WeakMap<Runtime, Inbox>();

/** The carrier's way into its inbox: what several calls hand in at the same moment is one statement. */
function inboxOf(runtime: Runtime): Inbox {
  const known = inboxes.get(runtime);
  if (known) return known;
  let rows: InboxRow[] = [];
  let written: Promise<void> | null = null;
  const flush = async (): Promise<void> => {
    await new Promise((resume) => setTimeout(resume, 0));
    const batch = JSON.stringify(rows);
    rows = [];
    written = null;
    await runtime.db.prepare(SANDBOX_SQL.take).bind(batch).run();
  };
  const inbox: Inbox = (row) => {
    rows.push(row);
    written ??= flush();
    return written;
  };
  inboxes.set(runtime, inbox);
  return inbox;
}

async function lookup(db: D1Database, messageId: string): Promise<LookupOutcome> {
  const row = await db.prepare(SANDBOX_SQL.find).bind(messageId).first<{ id: string; recipient: string }>();
  if (!row) return { kind: 'not_taken' };
  if (behaviourOf(row.recipient).lookup === 'cannot_tell') return { kind: 'cannot_tell' };
  return { kind: 'taken', providerMessageId: row.id };
}

async function countCall(db: D1Database, messageId: string): Promise<number> {
  const row = await db.prepare(SANDBOX_SQL.countCall).bind(messageId).first<{ calls: number }>();
  return row?.calls ?? 1;
}

/** A connection that stays open and says nothing until the caller hangs up. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('the caller hung up')));
  });
}

function refusal(code: SendErrorCode, providerCode: string, detail: string): SendError {
  return { code, providerCode, detail };
}

/** The sandbox's callbacks have their own reader, in src/callbacks/sandbox.ts. */
async function notThisWay(): Promise<{ ok: false; reason: 'not_configured' }> {
  return { ok: false, reason: 'not_configured' };
}
