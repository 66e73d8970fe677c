/** What the sandbox carrier accepted: the texts on its phones. */
import { iso } from '../../platform/sql.ts';

export const INBOX_SQL = {
  all: 'SELECT * FROM sandbox_messages ORDER BY rowid DESC LIMIT ?1',
  ofNumber: 'SELECT * FROM sandbox_messages WHERE recipient = ?2 ORDER BY rowid DESC LIMIT ?1',
} as const;

export interface InboxMessage {
  readonly id: string;
  readonly reference: string;
  readonly to: string;
  readonly from: string;
  readonly body: string;
  readonly media_urls: readonly string[];
  readonly accepted_at: string;
}

interface InboxRow {
  readonly id: string;
  readonly reference: string;
  readonly recipient: string;
  readonly sender: string;
  readonly body: string;
  readonly media_urls: string;
  readonly accepted_at: number;
}

/** Newest first. */
export async function sandboxInbox(
  db: D1Database,
  number: string | null,
  limit: number,
): Promise<InboxMessage[]> {
  const statement =
    number === null
      ? db.prepare(INBOX_SQL.all).bind(limit)
      : db.prepare(INBOX_SQL.ofNumber).bind(limit, number);
  const { results } = await statement.all<InboxRow>();
  return results.map((row) => ({
    id: row.id,
    reference: row.reference,
    to: row.recipient,
    from: row.sender,
    body: row.body,
    media_urls: JSON.parse(row.media_urls) as string[],
    accepted_at: iso(row.accepted_at),
  }));
}
