/** The states of a message. They only move forward, by rank; the one way back is a definite “not sent”. */

/**
 * Rank of each state. A receipt may move a message only to a higher rank, so early, late, doubled and disordered
 * receipts are harmless.
 */
export const STATE_RANK = {
  queued: 0,
  held: 0,
  sending: 1,
  unknown: 2,
  sent: 3,
  delivered: 4,
  undelivered: 4,
  failed: 4,
  suppressed: 4,
  expired: 4,
  canceled: 4,
} as const;

export type MessageState = keyof typeof STATE_RANK;
export const MESSAGE_STATES = Object.keys(STATE_RANK) as MessageState[];

/** States that a receipt can report. */
export const RECEIPT_STATES = ['sent', 'delivered', 'undelivered', 'failed'] as const;

/** `CASE column WHEN … END` that gives the rank of a state in SQL, made from the same table. */
export function rankSql(column: string): string {
  const cases = Object.entries(STATE_RANK).map(([state, rank]) => `WHEN '${state}' THEN ${rank}`);
  return `CASE ${column} ${cases.join(' ')} END`;
}
