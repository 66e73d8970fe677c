/**
 * What if these events had been decided under another policy? Replays recorded events from the inputs as they were.
 *
 * Compares what the rules say, not whether a text could have been made. Reads only; in pages, so that a million events
 * are some dozens of calls.
 */

import type { Purpose } from '../domain/consent-scope.ts';
import type { Policy } from '../domain/policy.ts';
import { CONTENT_REASONS } from '../domain/reasons.ts';
import { judge } from '../domain/resolve.ts';
import { readInputs } from '../ledger/inputs.ts';

export const WHAT_IF_SQL = {
  page: `SELECT rowid AS row, received_at, id, inputs, answer FROM events
    WHERE (received_at, rowid) > (?1, ?2) AND received_at < ?3 ORDER BY received_at, rowid LIMIT ?4`,
} as const;

/** Rows of one statement: each carries its inputs, a kilobyte or so. */
const ROWS_PER_READ = 500;

export interface WhatIfQuery {
  /** Milliseconds since 1970; `from` is included, `to` is not. */
  readonly from: number;
  readonly to: number;
  readonly cursor: Cursor | null;
  /** Events of this page, at most. */
  readonly events: number;
  /** Samples of each kind, at most. */
  readonly samples: number;
  /** Only messages of this campaign, or that were decided under the policy of this name. */
  readonly campaign?: string | undefined;
  readonly decidedUnder?: string | undefined;
}

/** Where a page ended: the next one begins after this event. */
export interface Cursor {
  readonly receivedAt: number;
  readonly row: number;
}

type Outcome = { readonly outcome: 'deliver' | 'suppress'; readonly reason: string | null };

export interface WhatIfSample {
  readonly event_id: string;
  readonly message_id: string;
  readonly campaign: string;
  readonly before: Outcome;
  readonly after: Outcome;
}

interface Tally {
  newly_sent: number;
  newly_suppressed: number;
  other_reason: number;
  unchanged: number;
}

export interface WhatIfPage {
  readonly events: number;
  readonly messages: number;
  readonly totals: Tally;
  readonly by_campaign: Record<string, Tally>;
  /** How often each reason stood before and would stand after, `sent` for none. */
  readonly by_reason: Record<string, { before: number; after: number }>;
  readonly samples: {
    newly_sent: WhatIfSample[];
    newly_suppressed: WhatIfSample[];
    other_reason: WhatIfSample[];
  };
  readonly next: Cursor | null;
}

interface EventRow {
  readonly row: number;
  readonly received_at: number;
  readonly id: string;
  readonly inputs: string;
  readonly answer: string;
}

interface RecordedMessage {
  readonly id: string;
  readonly campaign: string;
  readonly reason: string | null;
  readonly policy: string;
  /** Absent in old rows, where every campaign was one of marketing. */
  readonly purpose?: Purpose;
  /** What a held message lacked. */
  readonly waits_for?: string;
}

/** One page of a replay under a draft. */
export async function whatIf(db: D1Database, draft: Policy, query: WhatIfQuery): Promise<WhatIfPage> {
  const page: WhatIfPage & { events: number; messages: number; next: Cursor | null } = {
    events: 0,
    messages: 0,
    totals: emptyTally(),
    by_campaign: {},
    by_reason: {},
    samples: { newly_sent: [], newly_suppressed: [], other_reason: [] },
    next: null,
  };
  let at: Cursor = query.cursor ?? { receivedAt: query.from - 1, row: Number.MAX_SAFE_INTEGER };
  while (page.events < query.events) {
    const rows = Math.min(ROWS_PER_READ, query.events - page.events);
    const { results } = await db
      .prepare(WHAT_IF_SQL.page)
      .bind(at.receivedAt, at.row, query.to, rows)
      .all<EventRow>();
    for (const event of results) replayEvent(event, draft, query, page);
    page.events += results.length;
    const last = results.at(-1);
    if (!last || results.length < rows) return page;
    at = { receivedAt: last.received_at, row: last.row };
  }
  page.next = at;
  return page;
}

function replayEvent(
  event: EventRow,
  draft: Policy,
  query: WhatIfQuery,
  page: WhatIfPage & { messages: number },
): void {
  const recorded: readonly RecordedMessage[] = JSON.parse(event.answer);
  const messages = recorded.filter(
    (message) =>
      (query.campaign === undefined || message.campaign === query.campaign) &&
      (query.decidedUnder === undefined || message.policy === query.decidedUnder),
  );
  if (messages.length === 0) return;
  const after = {
    marketing: outcomeFor(event, draft, 'marketing'),
    transactional: outcomeFor(event, draft, 'transactional'),
  };
  for (const message of messages)
    replayMessage(event, message, after[message.purpose ?? 'marketing'], query, page);
}

function outcomeFor(event: EventRow, draft: Policy, purpose: Purpose): Outcome {
  const { outcome, reason } = judge(readInputs(event.inputs, purpose), draft);
  return { outcome, reason };
}

function replayMessage(
  event: EventRow,
  message: RecordedMessage,
  after: Outcome,
  query: WhatIfQuery,
  page: WhatIfPage & { messages: number },
): void {
  const before = ruleOutcome(message.waits_for ?? message.reason);
  const kind = compare(before, after);
  page.messages++;
  page.totals[kind]++;
  const campaign = page.by_campaign[message.campaign] ?? emptyTally();
  campaign[kind]++;
  page.by_campaign[message.campaign] = campaign;
  count(page, before, 'before');
  count(page, after, 'after');
  if (kind !== 'unchanged' && page.samples[kind].length < query.samples) {
    page.samples[kind].push({
      event_id: event.id,
      message_id: message.id,
      campaign: message.campaign,
      before,
      after,
    });
  }
}

/** What the rules had said: a text that could not be made comes after them. */
function ruleOutcome(reason: string | null): Outcome {
  if (reason === null || Object.hasOwn(CONTENT_REASONS, reason)) return { outcome: 'deliver', reason: null };
  return { outcome: 'suppress', reason };
}

function compare(before: Outcome, after: Outcome): keyof Tally {
  if (before.outcome !== after.outcome)
    return after.outcome === 'deliver' ? 'newly_sent' : 'newly_suppressed';
  return before.reason === after.reason ? 'unchanged' : 'other_reason';
}

function count(page: WhatIfPage, { reason }: Outcome, when: 'before' | 'after'): void {
  const key = reason ?? 'sent';
  const counts = page.by_reason[key] ?? { before: 0, after: 0 };
  counts[when]++;
  page.by_reason[key] = counts;
}

function emptyTally(): Tally {
  return { newly_sent: 0, newly_suppressed: 0, other_reason: 0, unchanged: 0 };
}
