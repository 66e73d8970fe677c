/** Receipts: what carriers report, applied by rank, so that early, late, doubled and disordered ones are harmless. */
import { rankSql, STATE_RANK } from '../domain/states.ts';
import { retryIdempotent } from '../platform/retry.ts';
import type { ReceiptNote } from '../platform/runtime.ts';

const REASON = `CASE j.value ->> 'state' WHEN 'undelivered' THEN 'receipt_undelivered' WHEN 'failed' THEN 'receipt_failed' END`;
const FORWARD = `${rankSql('messages.state')} < ${rankSql("(j.value ->> 'state')")}`;
const CHANGE = `state = j.value ->> 'state', reason = ${REASON}, detail = j.value ->> 'code', due_at = NULL, updated_at = ?2`;

export const RECEIPTS_SQL = {
  byProviderId: `UPDATE messages SET ${CHANGE} FROM json_each(?1) j
    WHERE messages.provider_message_id = j.value ->> 'provider_message_id' AND messages.provider = j.value ->> 'provider'
      AND ${FORWARD}`,
  /** The provider returned our id: that resolves a message whose outcome was unknown. */
  byReference: `UPDATE messages SET ${CHANGE}, provider = j.value ->> 'provider',
      provider_message_id = j.value ->> 'provider_message_id'
    FROM json_each(?1) j
    WHERE messages.id = j.value ->> 'reference' AND messages.provider_message_id IS NULL AND messages.attempts > 0
      AND ${FORWARD}`,
  keepForLater: `INSERT INTO receipts (provider, provider_message_id, state, code, received_at)
    SELECT j.value ->> 'provider', j.value ->> 'provider_message_id', j.value ->> 'state', j.value ->> 'code', ?2
    FROM json_each(?1) j
    WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.provider_message_id = j.value ->> 'provider_message_id'
      AND m.provider = j.value ->> 'provider')
    ON CONFLICT (provider, provider_message_id) DO UPDATE SET state = excluded.state, code = excluded.code
      WHERE ${rankSql('receipts.state')} < ${rankSql('excluded.state')}`,
} as const;

/** Applies a batch of receipts in one transaction. Those of messages that are not known yet are kept for `settle`. */
export async function applyReceipts(
  db: D1Database,
  notes: readonly ReceiptNote[],
  now: number,
): Promise<void> {
  if (notes.length === 0) return;
  const json = JSON.stringify(
    furthest(notes, (note) => JSON.stringify([note.provider, note.provider_message_id])),
  );
  const referring = notes.filter((note) => note.reference !== null);
  const byReference = JSON.stringify(furthest(referring, (note) => note.reference ?? ''));
  await retryIdempotent(() =>
    db.batch([
      db.prepare(RECEIPTS_SQL.byProviderId).bind(json, now),
      db.prepare(RECEIPTS_SQL.byReference).bind(byReference, now),
      db.prepare(RECEIPTS_SQL.keepForLater).bind(json, now),
    ]),
  );
}

/** Of several receipts under one key, the furthest; the first of equals. An UPDATE would take any of them. */
function furthest(notes: readonly ReceiptNote[], keyOf: (note: ReceiptNote) => string): ReceiptNote[] {
  const found = new Map<string, ReceiptNote>();
  for (const note of notes) {
    const known = found.get(keyOf(note));
    if (!known || STATE_RANK[known.state] < STATE_RANK[note.state]) found.set(keyOf(note), note);
  }
  return [...found.values()];
}
