/**
 * Claim: the only licence to call a provider.
 *
 * One transaction moves a whole batch from `queued` to `sending` under a claim id and a lease, and says for each message
 * which provider of its route is to be called. What must not be sent is turned aside in the same statement: an opt-out (a
 * message of the system itself, such as the confirmation of that opt-out, is let pass), an end of life, a campaign that is
 * gone (or another one under its id) or not live; what waits is looked at again when its life ends. D1 runs statements one
 * after the other, so once an opt-out is stored no later claim for its number can succeed.
 *
 * The claim id makes it repeatable: where D1's answer was lost, the same claim again changes nothing and reads the same rows.
 */
import { retryIdempotent } from '../platform/retry.ts';
import { CLAIM_SQL } from './claim-sql.ts';

export { CLOCK_SKEW_MS } from './claim-sql.ts';

/** Who may be called, and how fast. */
export interface Routing {
  /** For campaigns that name no providers. */
  readonly defaultRoute: readonly string[];
  /** Providers that are set up, with their channels: `twilio:sms`. `null`: all. */
  readonly usable: readonly string[] | null;
  /** Milliseconds between two messages of a sender that has no pace of its own; `null`: no pace. */
  readonly gapMs: number | null;
}

const SANDBOX: Routing = { defaultRoute: ['sandbox'], usable: null, gapMs: null };

/** What providers said that did not take the message: `no` for good, or not before a time, milliseconds since 1970. */
export type Tried = Readonly<Record<string, 'no' | number>>;

/** A message that this worker, and nobody else, may now give to `provider`, once. Times in milliseconds since 1970. */
export interface ClaimedMessage {
  readonly id: string;
  readonly channel: 'sms' | 'mms';
  readonly sender: string;
  readonly number: string;
  readonly body: string;
  readonly mediaUrls: readonly string[];
  /** When it is no longer worth sending. */
  readonly expiresAt: number;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** The same, counted from the last retry by hand. */
  readonly attemptOfRound: number;
  readonly provider: string;
  readonly route: readonly string[];
  readonly tried: Tried;
  /** Not to be sent before; `null`: at once. */
  readonly sendAt: number | null;
}

export interface Claim {
  readonly claimed: readonly ClaimedMessage[];
  /** What its sender's pace or its busy providers put off, with its time. */
  readonly putOff: readonly { readonly id: string; readonly dueAt: number }[];
}

interface ClaimRow {
  readonly id: string;
  readonly state: string;
  readonly channel: 'sms' | 'mms';
  readonly sender: string;
  readonly number: string | null;
  readonly body: string | null;
  readonly media_urls: string;
  readonly attempts: number;
  readonly attempts_base: number;
  readonly expires_at: number;
  readonly due_at: number;
  readonly send_at: number | null;
  readonly provider: string;
  readonly tried: string;
  readonly route: string;
}

/**
 * Claims what may be sent of these messages, and puts off what its sender's pace does not allow yet.
 *
 * @param leaseUntil when the claim ends, milliseconds since 1970. Nobody else touches the messages before.
 */
export async function claimBatch(
  db: D1Database,
  ids: readonly string[],
  claimId: string,
  now: number,
  leaseUntil: number,
  routing: Routing,
): Promise<Claim> {
  const json = JSON.stringify([...new Set(ids)]);
  const route = JSON.stringify(routing.defaultRoute);
  const usable = routing.usable === null ? null : JSON.stringify(routing.usable);
  const statements = [
    db.prepare(CLAIM_SQL.claim).bind(json, now, claimId, leaseUntil, route, usable, routing.gapMs),
    db.prepare(CLAIM_SQL.advancePace).bind(json, now, claimId, routing.gapMs),
    db.prepare(CLAIM_SQL.takePauseProbes).bind(json, now, claimId),
    db.prepare(CLAIM_SQL.takeBreakerProbes).bind(json, now, claimId, leaseUntil),
    db.prepare(CLAIM_SQL.rows).bind(json, route, claimId),
  ];
  if (routing.gapMs !== null) statements.unshift(db.prepare(CLAIM_SQL.paceRows).bind(json));
  const results = await retryIdempotent(() => db.batch<ClaimRow>(statements));
  const rows = results.at(-1)?.results ?? [];
  return {
    claimed: rows.flatMap(claimedMessage),
    putOff: rows.flatMap((row) => (row.state === 'queued' ? [{ id: row.id, dueAt: row.due_at }] : [])),
  };
}

/** The licences alone. Without a routing every provider may be called, and the sandbox where a campaign names none. */
export async function claim(
  db: D1Database,
  ids: readonly string[],
  claimId: string,
  now: number,
  leaseUntil: number,
  routing: Routing = SANDBOX,
): Promise<readonly ClaimedMessage[]> {
  return (await claimBatch(db, ids, claimId, now, leaseUntil, routing)).claimed;
}

/** Which of these messages have been opted out of since they were claimed. */
export async function optedOutSince(db: D1Database, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { results } = await db
    .prepare(CLAIM_SQL.optedOutSince)
    .bind(JSON.stringify(ids))
    .all<{ id: string }>();
  return new Set(results.map((row) => row.id));
}

function claimedMessage(row: ClaimRow): ClaimedMessage[] {
  if (row.state !== 'sending' || row.number === null || row.body === null) return [];
  return [
    {
      id: row.id,
      channel: row.channel,
      sender: row.sender,
      number: row.number,
      body: row.body,
      mediaUrls: JSON.parse(row.media_urls) as string[],
      expiresAt: row.expires_at,
      attempt: row.attempts,
      attemptOfRound: row.attempts - row.attempts_base,
      provider: row.provider,
      route: JSON.parse(row.route) as string[],
      tried: JSON.parse(row.tried) as Tried,
      sendAt: row.send_at,
    },
  ];
}
