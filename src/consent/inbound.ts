/** An inbound text, whichever provider brought it: read, written down, answered, all in one transaction. */
import { enqueue } from '../delivery/outbox.ts';
import type { InboundText } from '../delivery/provider.ts';
import { SANDBOX_SENDER } from '../delivery/sandbox/numbers.ts';
import type { ConsentScope } from '../domain/consent-scope.ts';
import { readPhone } from '../domain/phone.ts';
import { derivedId } from '../platform/ids.ts';
import { retryIdempotent } from '../platform/retry.ts';
import type { Runtime } from '../platform/runtime.ts';
import { shardFor } from '../platform/shard.ts';
import { type Reading, understand } from './classify.ts';
import { readSuppression } from './history.ts';
import { replyText, type SystemKind } from './replies.ts';
import { type ConsentChange, optInStatements, optOutStatements } from './suppressions.ts';
import { REPLY_WITHIN_MS, SYSTEM_MESSAGE_SQL, systemMessageStatement } from './system-messages.ts';

export type Understood = 'opt_out' | 'opt_in' | 'help';

const REPLY_KIND: Readonly<Record<Understood, SystemKind>> = {
  opt_out: 'opt_out_confirmation',
  opt_in: 'opt_in_confirmation',
  help: 'help',
};

/** A yes answers a text of the system itself within this time; later it may answer anything. */
const YES_WITHIN_MS = 86_400_000;
const TOLL_FREE = /^\+1(800|833|844|855|866|877|888)/;
const MAX_EVIDENCE = 1600;

interface LastMessage {
  readonly id: string;
  readonly sender: string;
  readonly kind: string;
  readonly created_at: number;
}

/**
 * Counts one inbound text. What it asks for is committed before this returns.
 *
 * @returns what it was taken for; `null`: just a text.
 * @throws where D1 cannot be reached: the provider then delivers it again.
 */
export async function receiveInbound(runtime: Runtime, inbound: InboundText): Promise<Understood | null> {
  const reading = readingOf(inbound);
  if (reading === null) return null;
  const { db } = runtime;
  const now = runtime.now();
  // Some carriers leave the plus out. A number that we would not text may still say STOP; it is kept as it was written.
  const { e164 } = readPhone(withPlus(inbound.from));
  const number = e164 ?? inbound.from;
  const last = await db.prepare(SYSTEM_MESSAGE_SQL.last).bind(number).first<LastMessage>();
  const provider = inbound.deliveryId.split(':')[0] ?? '';
  const sender = senderOf(runtime, inbound, last, provider);
  const kind = reading.kind === 'affirm' ? await meantByYes(db, number, sender, last, now) : reading.kind;
  if (kind === null) return null;

  const recordId = await derivedId('con', inbound.deliveryId);
  const scope: ConsentScope = reading.doubt ? 'marketing' : runtime.config.optOutScope;
  const change: ConsentChange = {
    number,
    origin: 'sms',
    note: null,
    // A clock that is ahead must not outrank what the person says next.
    at: Math.min(inbound.at, now),
    scope: kind === 'opt_in' ? 'all' : scope,
    messageId: last?.id ?? null,
    evidence: {
      text: inbound.text.slice(0, MAX_EVIDENCE),
      rule: reading.rule,
      language: reading.language,
      provider,
    },
    review: reading.doubt,
  };
  const replyId = await derivedId('msg', '(system)', kind, inbound.deliveryId);
  const reply =
    inbound.providerReplies || sender === null || e164 === null || change.at + REPLY_WITHIN_MS <= now
      ? []
      : [
          systemMessageStatement(db, {
            id: replyId,
            kind: REPLY_KIND[kind],
            recordId,
            sender,
            number,
            provider,
            scope,
            body: replyText(REPLY_KIND[kind], reading.language, scope, {
              brand: runtime.variable('BRAND_NAME'),
              helpContact: runtime.variable('HELP_CONTACT'),
            }),
            saidAt: change.at,
            now,
          }),
        ];
  const results = await retryIdempotent(() =>
    db.batch<{ id: string }>([
      ...reply,
      ...effects(db, kind, change, recordId, now),
      db.prepare(SYSTEM_MESSAGE_SQL.waiting).bind(replyId),
    ]),
  );
  const waiting = results.at(-1)?.results ?? [];
  if (waiting.length > 0) runtime.background(enqueue(runtime, shardFor(runtime, ''), [replyId]));
  return kind;
}

function effects(
  db: D1Database,
  kind: Understood,
  change: ConsentChange,
  recordId: string,
  now: number,
): D1PreparedStatement[] {
  const withdraw = (answer: SystemKind): D1PreparedStatement =>
    db.prepare(SYSTEM_MESSAGE_SQL.withdraw).bind(change.number, answer, now);
  if (kind === 'help') return [];
  return kind === 'opt_out'
    ? [withdraw('opt_in_confirmation'), ...optOutStatements(db, change, recordId)]
    : [withdraw('opt_out_confirmation'), ...optInStatements(db, change, recordId)];
}

/** What we read, or what the provider took it for; an opt-out by either is one. */
function readingOf(inbound: InboundText): Reading | null {
  const ours = understand(inbound.text);
  const theirs = inbound.providerKeyword;
  if (theirs === null || (ours?.kind === 'opt_out' && !(ours.doubt && theirs === 'opt_out'))) return ours;
  return { kind: theirs, language: ours?.language ?? 'en', rule: `provider: ${theirs}`, doubt: false };
}

/**
 * A yes opts in only where the number is out and the last text to it was one of the system itself, and not at a US
 * toll-free number, where carriers do not count it either.
 */
async function meantByYes(
  db: D1Database,
  number: string,
  sender: string | null,
  last: LastMessage | null,
  now: number,
): Promise<'opt_in' | null> {
  if (last === null || last.kind === 'campaign' || last.created_at < now - YES_WITHIN_MS) return null;
  if (sender !== null && TOLL_FREE.test(sender)) return null;
  return (await readSuppression(db, number)) ? 'opt_in' : null;
}

/** The number that was texted, else the one that texted last, else the setting. */
function senderOf(
  runtime: Runtime,
  inbound: InboundText,
  last: LastMessage | null,
  provider: string,
): string | null {
  if (inbound.to !== null) return readPhone(withPlus(inbound.to)).e164 ?? inbound.to;
  const sandbox = provider === 'sandbox' ? SANDBOX_SENDER : null;
  return last?.sender ?? runtime.variable('DEFAULT_SENDER') ?? sandbox;
}

function withPlus(number: string): string {
  return /^\d{9,15}$/.test(number) ? `+${number}` : number;
}
