/** What must hold after a chaos run, read from the API as anybody could read it, and from the records of the providers. */
import { type MessageState, STATE_RANK } from '../../../src/domain/states.ts';
import type { OptOut } from './chaos-callbacks.ts';
import { RESENDING, reportOf } from './chaos-script.ts';
import type { FakeGateway } from './fake-gateway.ts';
import type { Accepted } from './traffic.ts';
import { KEY } from './traffic.ts';

interface Step {
  /** ISO 8601. */
  readonly at: string;
  readonly state: MessageState;
  readonly reason: string | null;
}

export interface LoggedMessage {
  readonly id: string;
  readonly kind: string;
  readonly event_id: string | null;
  readonly campaign: string | null;
  readonly number: string | null;
  readonly state: MessageState;
  readonly reason: string | null;
  readonly attempts: number;
  readonly provider: string | null;
  readonly timeline: readonly Step[];
}

const READERS = 8;

/** Every message of the log with its timeline. */
export async function readLog(url: string): Promise<LoggedMessage[]> {
  const ids: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { messages: { id: string }[]; next_cursor: string | null } = await get(
      `${url}/v1/messages?limit=200${cursor && `&cursor=${cursor}`}`,
    );
    ids.push(...page.messages.map(({ id }) => id));
    cursor = page.next_cursor;
  }
  const messages: LoggedMessage[] = [];
  const queue = ids.values();
  const reader = async (): Promise<void> => {
    for (const id of queue) messages.push(await get<LoggedMessage>(`${url}/v1/messages/${id}`));
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return messages;
}

/** Every number that is out. */
export async function readOptedOut(url: string): Promise<Set<string>> {
  const numbers = new Set<string>();
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { suppressions: { number: string }[]; next_cursor: string | null } = await get(
      `${url}/v1/suppressions?limit=200${cursor && `&cursor=${cursor}`}`,
    );
    for (const { number } of page.suppressions) numbers.add(number);
    cursor = page.next_cursor;
  }
  return numbers;
}

async function get<T>(url: string): Promise<T> {
  const response = await fetch(url, { headers: { authorization: KEY } });
  if (!response.ok) throw new Error(`${new URL(url).pathname} answered ${response.status}`);
  return (await response.json()) as T;
}

export interface Records {
  readonly seed: number;
  readonly messages: readonly LoggedMessage[];
  readonly gateway: FakeGateway;
  /** What the sandbox, the second provider of a route, took: our message ids, one entry for each text. */
  readonly sandbox: readonly string[];
  /** What was answered 202. */
  readonly accepted: readonly Accepted[];
  readonly events: number;
  readonly optOuts: readonly OptOut[];
  /** Numbers that are out in the end. */
  readonly optedOut: ReadonlySet<string>;
}

export interface Verdict {
  readonly texts: number;
  /** Messages of which two texts went out though their campaign does not want that. */
  readonly twice: readonly string[];
  /** The same where the campaign prefers it to a loss and said so in the timeline. */
  readonly twiceByWish: number;
  /** Answered 202 and not in the log, or neither ended nor explained. */
  readonly lost: readonly string[];
  /** What the log says is not what the providers did and reported. */
  readonly untrue: readonly string[];
  /** Claims, calls and answers that disregard an opt-out. */
  readonly disregarded: readonly string[];
  /** Steps that the states do not allow. */
  readonly illegal: readonly string[];
  readonly states: Readonly<Record<string, number>>;
  /** Messages that an opt-out stopped on their way, and those of them that had been tried before. */
  readonly stopped: number;
  readonly stoppedInBackOff: number;
}

export function judge(records: Records): Verdict {
  const { messages } = records;
  const texts = textsOf(records);
  const keeping = messages.filter((message) => message.campaign !== RESENDING);
  const resending = messages.filter((message) => message.campaign === RESENDING);
  const count = (message: LoggedMessage): number => texts.get(message.id)?.length ?? 0;
  const wishes = (message: LoggedMessage): number =>
    message.timeline.filter((step) => step.reason === 'resend_preferred').length;
  const stopped = messages.filter(
    ({ state, reason, timeline }) => state === 'suppressed' && reason === 'opted_out' && timeline.length > 1,
  );
  return {
    texts: [...texts.values()].reduce((sum, ids) => sum + ids.length, 0),
    twice: [
      ...keeping.filter((message) => count(message) > 1),
      ...resending.filter((message) => count(message) > 1 + wishes(message)),
    ].map(described),
    twiceByWish: resending.filter((message) => count(message) > 1).length,
    lost: lost(records),
    untrue: messages
      .filter((message) => wishes(message) === 0)
      .flatMap((message) => untruth(records, message, texts.get(message.id) ?? [])),
    disregarded: disregarded(records),
    illegal: messages.flatMap(illegalSteps),
    states: tally(
      messages.map(({ state, reason }) => (reason === 'outcome_unknowable' ? `${state} (said so)` : state)),
    ),
    stopped: stopped.length,
    stoppedInBackOff: stopped.filter(({ attempts }) => attempts > 0).length,
  };
}

/** Our message id → which provider took it under which id, one entry for each text. */
function textsOf({ gateway, sandbox }: Records): Map<string, string[]> {
  const texts = new Map(
    [...gateway.accepted].map(([id, taken]) => [id, taken.map((text) => text.gatewayId)]),
  );
  for (const id of sandbox) texts.set(id, [...(texts.get(id) ?? []), 'sandbox']);
  return texts;
}

/** Ended, or waiting for nothing any more and saying why. */
export function isEnded({ state, reason }: Pick<LoggedMessage, 'state' | 'reason'>): boolean {
  return STATE_RANK[state] >= STATE_RANK.sent || (state === 'unknown' && reason === 'outcome_unknowable');
}

function lost({ messages, accepted }: Records): string[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  return [
    ...accepted
      .filter(({ messageId, eventId }) => byId.get(messageId)?.event_id !== eventId)
      .map(({ messageId }) => `${messageId} of a 202 is not in the log`),
    ...messages.filter((message) => !isEnded(message)).map(described),
    ...messages
      .filter(
        ({ state, reason }) => ['suppressed', 'expired', 'canceled', 'failed'].includes(state) && !reason,
      )
      .map((message) => `${described(message)} without a reason`),
  ];
}

/** A message that was taken once, or never, says so; and it ends as it was reported. */
function untruth({ seed }: Records, message: LoggedMessage, texts: readonly string[]): string[] {
  const { state, reason } = message;
  const [text] = texts;
  const wrong = (why: string): string[] => [`${described(message)}: ${why}`];
  if (text === undefined) {
    const claims = ['sent', 'delivered', 'undelivered'].includes(state) || reason === 'receipt_failed';
    return claims ? wrong('no provider took it') : [];
  }
  const byReceipt = state === 'failed' ? reason === 'receipt_failed' : true;
  if (!['sent', 'delivered', 'undelivered', 'failed', 'unknown'].includes(state) || !byReceipt)
    return wrong('a provider took it');
  // Whether the sandbox's own receipt outlived the deaths of its server is a matter of chance.
  if (text === 'sandbox')
    return ['sent', 'delivered', 'unknown'].includes(state) ? [] : wrong('nobody reported that');
  const report = reportOf(seed, message.id, text);
  if (report.state === null) return ['sent', 'unknown'].includes(state) ? [] : wrong('nothing was reported');
  const resolvable = report.receipts.some((receipt) => receipt.reference !== null);
  if (state === 'unknown' && !resolvable) return [];
  return state === report.state ? [] : wrong(`it was reported ${report.state}`);
}

/** A claim has the time of its transaction; a call may begin two seconds after the last look at the opt-outs. */
const CALL_AFTER_LOOK_MS = 2000;
const SLOW_MACHINE_MS = 2000;

function disregarded({ messages, gateway, optOuts, optedOut }: Records): string[] {
  const callsOf = Map.groupBy(gateway.calls, (call) => call.id);
  const byNumber = Map.groupBy(messages, (message) => message.number);
  return optOuts.flatMap((optOut) => {
    const until = optOut.startPostedAt ?? Number.POSITIVE_INFINITY;
    const isOut = (at: number, slackMs: number): boolean => at > optOut.answeredAt + slackMs && at < until;
    const ofNumber = byNumber.get(optOut.number) ?? [];
    const campaigns = ofNumber.filter(({ kind }) => kind === 'campaign');
    const claims = campaigns.filter(({ timeline }) =>
      timeline.some(({ state, at }) => state === 'sending' && isOut(Date.parse(at), 0)),
    );
    const calls = campaigns.filter(({ id }) =>
      callsOf.get(id)?.some(({ at }) => isOut(at, CALL_AFTER_LOOK_MS + SLOW_MACHINE_MS)),
    );
    const confirmations = ofNumber.filter(({ kind }) => kind === 'opt_out_confirmation').length;
    return [
      ...claims.map((message) => `${described(message)} was claimed after STOP`),
      ...calls.map((message) => `${described(message)} was sent after STOP`),
      ...(optOut.startPostedAt === null && !optedOut.has(optOut.number)
        ? ['a STOP that was answered is gone']
        : []),
      ...(confirmations > 1 ? [`${confirmations} confirmations of one STOP`] : []),
    ];
  });
}

/** The only ways back to `queued`: the provider has definitely not sent, nobody was called, or the campaign wants it. */
const WAYS_BACK = new Set([
  'provider_busy',
  'not_taken',
  'next_provider',
  'sender_refused',
  'lease_too_short',
  'resend_preferred',
]);

function illegalSteps(message: LoggedMessage): string[] {
  return message.timeline.flatMap((step, index) => {
    const before = message.timeline[index - 1];
    if (before === undefined)
      return step.state === 'queued' || step.state === 'suppressed'
        ? []
        : [`${message.id} began ${step.state}`];
    const [from, to] = [STATE_RANK[before.state], STATE_RANK[step.state]];
    const stays = before.state === step.state || (from === 0 && to === 0);
    const back =
      step.state === 'queued' &&
      (before.state === 'sending' || before.state === 'unknown') &&
      WAYS_BACK.has(step.reason ?? '');
    return to > from || stays || back
      ? []
      : [`${message.id}: ${before.state} → ${step.state} (${step.reason ?? 'no reason'})`];
  });
}

/** Without its number: what stands in a test's output stands in logs. */
function described({
  id,
  campaign,
  kind,
  state,
  reason,
  attempts,
  provider,
  timeline,
}: LoggedMessage): string {
  const path = timeline
    .map((step) => (step.reason ? `${step.state}/${step.reason}` : step.state))
    .join(' → ');
  return `${id} (${campaign ?? kind}, ${provider ?? 'no provider'}, ${attempts} attempts) ${state}/${reason ?? '-'}: ${path}`;
}

export function tally(words: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(words, (word) => word)].map(([word, all]) => [word, all.length]));
}
