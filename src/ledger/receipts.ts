/** Receipts: what carriers report, applied by rank, so that early, late, doubled and disordered ones are harmless. */
import { rankSql, STATE_RANK } from '../domain/states.ts';
import { retryIdempotent } from '../platform/retry.ts';
import type { ReceiptNote } from '../platform/runtime.ts';
import { type Effect, effectStatements, RECEIPT_EFFECT_SQL } from './effects.ts';

const REASON = `CASE j.value ->> 'state' WHEN 'undelivered' THEN 'receipt_undelivered' WHEN 'failed' THEN 'receipt_failed' END`;
const FORWARD = `${rankSql('messages.state')} < ${rankSql("(j.value ->> 'state')")}`;
const CHANGE = `state = j.value ->> 'state', reason = ${REASON}, detail = j.value ->> 'code', error = j.value ->> 'error',
      provider_code = j.value ->> 'code', due_at = NULL, updated_at = ?2`;

export const RECEIPTS_SQL = {
  byProviderId: `UPDATE messages SET ${CHANGE} FROM json_each(?1) j
    WHERE messages.provider_message_id = j.value ->> 'provider_message_id' AND messages.provider = j.value ->> 'provider'
      AND ${FORWARD}`,
  /**
   * The provider returned our id: that resolves a message whose outcome was unknown. Only the provider that was called last
   * counts; and where that call ended with a definite “no”, a report of failure is nothing new.
   */
  byReference: `UPDATE messages SET ${CHANGE}, provider_message_id = j.value ->> 'provider_message_id'
    FROM json_each(?1) j
    WHERE messages.id = j.value ->> 'reference' AND messages.provider_message_id IS NULL AND messages.attempts > 0
      AND messages.provider = j.value ->> 'provider'
      AND (messages.state IN ('sending', 'unknown', 'sent') OR j.value ->> 'state' IN ('sent', 'delivered'))
      AND ${FORWARD}`,
  keepForLater: `INSERT INTO receipts (provider, provider_message_id, state, code, error, received_at)
    SELECT j.value ->> 'provider', j.value ->> 'provider_message_id', j.value ->> 'state', j.value ->> 'code', j.value ->> 'error', ?2
    FROM json_each(?1) j
    WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.provider_message_id = j.value ->> 'provider_message_id'
      AND m.provider = j.value ->> 'provider')
    ON CONFLICT (provider, provider_message_id) DO UPDATE SET state = excluded.state, code = excluded.code, error = excluded.error
      WHERE ${rankSql('receipts.state')} < ${rankSql('excluded.state')}`,
} as const;

/** A part that failed or was not delivered outranks one that was: then the text as a whole did not arrive. */
const PART_RANK = (column: string): string =>
  `CASE ${column} WHEN 'sent' THEN 1 WHEN 'delivered' THEN 2 ELSE 3 END`;

export const PARTS_SQL = {
  note: `INSERT INTO receipt_parts (provider, provider_message_id, part, state, code, error, received_at)
    SELECT j.value ->> 'provider', j.value ->> 'provider_message_id', j.value ->> 'part', j.value ->> 'state', j.value ->> 'code',
      j.value ->> 'error', ?2
    FROM json_each(?1) j WHERE true
    ON CONFLICT (provider, provider_message_id, part) DO UPDATE SET state = excluded.state, code = excluded.code, error = excluded.error
      WHERE ${PART_RANK('receipt_parts.state')} < ${PART_RANK('excluded.state')}`,
  read: `SELECT a.provider, a.provider_message_id, a.part, a.state, a.code, a.error
    FROM json_each(?1) j JOIN receipt_parts a ON a.provider = j.value ->> 'provider'
      AND a.provider_message_id = j.value ->> 'provider_message_id'`,
} as const;

/** A receipt with what follows from its error. */
export interface Receipt extends ReceiptNote {
  readonly effect?: Effect | null;
}

/** Applies a batch of receipts in one transaction. Those of messages that are not known yet are kept for `settle`. */
export async function applyReceipts(
  db: D1Database,
  receipts: readonly Receipt[],
  now: number,
): Promise<void> {
  if (receipts.length === 0) return;
  const notes = await wholeMessages(db, receipts, now);
  const json = JSON.stringify(furthest(notes, keyOf));
  const referring = notes.filter((note) => note.reference !== null);
  const byReference = JSON.stringify(furthest(referring, (note) => note.reference ?? ''));
  await retryIdempotent(() =>
    db.batch([
      db.prepare(RECEIPTS_SQL.byProviderId).bind(json, now),
      db.prepare(RECEIPTS_SQL.byReference).bind(byReference, now),
      db.prepare(RECEIPTS_SQL.keepForLater).bind(json, now),
      ...effectStatements(db, RECEIPT_EFFECT_SQL, notes, now),
    ]),
  );
}

function keyOf(note: Pick<ReceiptNote, 'provider' | 'provider_message_id'>): string {
  return JSON.stringify([note.provider, note.provider_message_id]);
}

interface PartRow {
  readonly provider: string;
  readonly provider_message_id: string;
  readonly part: string;
  readonly state: ReceiptNote['state'];
  readonly code: string | null;
  readonly error: string | null;
}

/**
 * Receipts of single parts become one of the whole text: delivered once all parts are, undelivered as soon as one is not.
 * Parts are kept, so that they may come in any order, twice, and in different batches.
 */
async function wholeMessages(
  db: D1Database,
  receipts: readonly Receipt[],
  now: number,
): Promise<readonly Receipt[]> {
  const parted = receipts.filter((receipt) => receipt.part !== null && (receipt.parts ?? 1) > 1);
  if (parted.length === 0) return receipts;
  const json = JSON.stringify(
    furthest(parted, (part) => JSON.stringify([keyOf(part), part.part]), PARTS_RANK),
  );
  const [, found] = await retryIdempotent(() =>
    db.batch([db.prepare(PARTS_SQL.note).bind(json, now), db.prepare(PARTS_SQL.read).bind(json)]),
  );
  const byMessage = Map.groupBy((found?.results ?? []) as PartRow[], keyOf);
  const whole = parted.map((receipt) => asWhole(receipt, byMessage.get(keyOf(receipt)) ?? []));
  return [...receipts.filter((receipt) => !parted.includes(receipt)), ...whole];
}

const PARTS_RANK = { sent: 1, delivered: 2, undelivered: 3, failed: 3 } as const;

function asWhole(receipt: Receipt, parts: readonly PartRow[]): Receipt {
  const bad = parts.find((part) => PARTS_RANK[part.state] === 3);
  if (bad) return { ...receipt, state: bad.state, code: bad.code, error: bad.error };
  const delivered = new Set(parts.filter((part) => part.state === 'delivered').map((part) => part.part));
  return { ...receipt, state: delivered.size >= (receipt.parts ?? 1) ? 'delivered' : 'sent' };
}

/** Of several receipts under one key, the furthest; the first of equals. An UPDATE would take any of them. */
function furthest(
  notes: readonly Receipt[],
  key: (note: Receipt) => string,
  rank: Readonly<Record<ReceiptNote['state'], number>> = STATE_RANK,
): Receipt[] {
  const found = new Map<string, Receipt>();
  for (const note of notes) {
    const known = found.get(key(note));
    if (!known || rank[known.state] < rank[note.state]) found.set(key(note), note);
  }
  return [...found.values()];
}
