/** Dead letters: pointers that the queue gave up on. The message is marked and stays; the sweeper takes it up again. */

export const DEAD_LETTER_SQL = `UPDATE messages SET reason = 'dead_lettered', due_at = max(due_at, ?2), updated_at = ?2
  WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'queued'`;

export async function markDeadLetters(db: D1Database, ids: readonly string[], now: number): Promise<void> {
  await db.prepare(DEAD_LETTER_SQL).bind(JSON.stringify(ids), now).run();
}
