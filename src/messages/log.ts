/** The message log: one row for every decision, sent or not, with its timeline. */
import type { Decision } from '../domain/decision.ts';
import { reasonText } from '../domain/reasons.ts';
import { iso } from '../platform/sql.ts';

export interface LogFilters {
  readonly customer_id?: string | undefined;
  readonly campaign?: string | undefined;
  readonly state?: string | undefined;
  readonly event_id?: string | undefined;
}

const COLUMNS = `rowid AS cursor, id, event_id, campaign_id, customer_id, channel, sender, number, body, media_urls, state,
  reason, detail, error, provider_code, attempts, parts, provider, provider_message_id, expires_at, created_at, updated_at, kind`;

const CONDITIONS: Readonly<Record<keyof LogFilters, string>> = {
  customer_id: 'customer_id = ?',
  campaign: 'campaign_id = ?',
  state: 'state = ?',
  event_id: `id IN (SELECT a.value ->> 'id' FROM events e, json_each(e.answer) a WHERE e.id = ?)`,
};

export const MESSAGE_SQL = {
  read: `SELECT ${COLUMNS}, decision FROM messages WHERE id = ?1`,
  decision: 'SELECT decision FROM messages WHERE id = ?1',
  timeline: `SELECT at, state, reason, detail, attempt, provider, error, provider_code FROM message_transitions
    WHERE message_id = ?1 ORDER BY seq`,
  decisions:
    'SELECT seq, decided_at, cause, decision FROM message_decisions WHERE message_id = ?1 ORDER BY seq',
} as const;

/** The list's statement for the filters that are given; values are bound in the order of the filters. */
export function listSql(filters: LogFilters): { sql: string; values: string[] } {
  const given = (Object.keys(CONDITIONS) as (keyof LogFilters)[]).flatMap((name) => {
    const value = filters[name];
    return value === undefined ? [] : [{ condition: CONDITIONS[name], value }];
  });
  const where = ['rowid < ?', ...given.map(({ condition }) => condition)].join(' AND ');
  return {
    sql: `SELECT ${COLUMNS} FROM messages WHERE ${where} ORDER BY rowid DESC LIMIT ?`,
    values: given.map(({ value }) => value),
  };
}

/** Newest first. `before` is the cursor of the previous page. */
export async function listMessages(
  db: D1Database,
  filters: LogFilters,
  limit: number,
  before: number,
): Promise<{ messages: Record<string, unknown>[]; next: number | null }> {
  const { sql, values } = listSql(filters);
  const { results } = await db
    .prepare(sql)
    .bind(before, ...values, limit)
    .all<MessageRow>();
  const last = results.at(-1);
  return { messages: results.map(messageJson), next: results.length === limit && last ? last.cursor : null };
}

export async function readMessage(db: D1Database, id: string): Promise<Record<string, unknown> | null> {
  const [message, decisions, timeline] = await db.batch([
    db.prepare(MESSAGE_SQL.read).bind(id),
    db.prepare(MESSAGE_SQL.decisions).bind(id),
    db.prepare(MESSAGE_SQL.timeline).bind(id),
  ]);
  const row = message?.results[0] as (MessageRow & { decision: string }) | undefined;
  if (!row) return null;
  return {
    ...messageJson(row),
    decision: JSON.parse(row.decision) as Decision,
    decisions: decisionsJson(row, (decisions?.results ?? []) as DecisionRow[]),
    timeline: ((timeline?.results ?? []) as TransitionRow[]).map((step) => ({
      at: iso(step.at),
      state: step.state,
      reason: step.reason,
      text: reasonText(step.reason),
      detail: step.detail,
      attempt: step.attempt,
      provider: step.provider,
      error: step.error,
      provider_code: step.provider_code,
    })),
  };
}

/** Every decision in its order; the only one stands with the message. */
function decisionsJson(
  message: MessageRow & { readonly decision: string },
  again: readonly DecisionRow[],
): Record<string, unknown>[] {
  const first = { seq: 1, decided_at: message.created_at, cause: 'event', decision: message.decision };
  return (again.length > 0 ? again : [first]).map((row) => ({
    seq: row.seq,
    decided_at: iso(row.decided_at),
    cause: row.cause,
    decision: JSON.parse(row.decision) as Decision,
  }));
}

export async function readDecision(db: D1Database, id: string): Promise<Decision | null> {
  const row = await db.prepare(MESSAGE_SQL.decision).bind(id).first<{ decision: string }>();
  return row && (JSON.parse(row.decision) as Decision);
}

interface MessageRow {
  readonly cursor: number;
  readonly id: string;
  readonly event_id: string;
  readonly campaign_id: string;
  readonly customer_id: string;
  readonly channel: string;
  readonly sender: string;
  readonly number: string | null;
  readonly body: string | null;
  readonly media_urls: string;
  readonly state: string;
  readonly reason: string | null;
  readonly detail: string | null;
  readonly error: string | null;
  readonly provider_code: string | null;
  readonly attempts: number;
  readonly parts: number | null;
  readonly expires_at: number;
  readonly provider: string | null;
  readonly provider_message_id: string | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly kind: string;
}

interface DecisionRow {
  readonly seq: number;
  readonly decided_at: number;
  readonly cause: string;
  readonly decision: string;
}

interface TransitionRow {
  readonly at: number;
  readonly state: string;
  readonly reason: string | null;
  readonly detail: string | null;
  readonly attempt: number;
  readonly provider: string | null;
  readonly error: string | null;
  readonly provider_code: string | null;
}

function messageJson(row: MessageRow): Record<string, unknown> {
  const ofCampaign = row.kind === 'campaign';
  return {
    id: row.id,
    // Messages of the system itself belong to no campaign, event or customer.
    kind: row.kind,
    event_id: ofCampaign ? row.event_id : null,
    campaign: ofCampaign ? row.campaign_id : null,
    customer_id: ofCampaign ? row.customer_id : null,
    channel: row.channel,
    sender: row.sender,
    number: row.number,
    body: row.body,
    media_urls: JSON.parse(row.media_urls) as string[],
    state: row.state,
    reason: row.reason,
    text: reasonText(row.reason),
    detail: row.detail,
    error: row.error,
    provider_code: row.provider_code,
    attempts: row.attempts,
    parts: row.parts,
    provider: row.provider,
    provider_message_id: row.provider_message_id,
    expires_at: iso(row.expires_at),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
  };
}
