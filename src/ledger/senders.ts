/** Senders: which rest at which provider, and how fast each may send. */

export const SENDER_SQL = {
  pauses:
    'SELECT provider, sender, error, provider_code, message_id, since, probes, probe_at FROM sender_pauses ORDER BY provider, sender LIMIT 500',
  paces:
    'SELECT sender, messages_per_second FROM sender_pace WHERE messages_per_second IS NOT NULL ORDER BY sender LIMIT 500',
  resume: 'DELETE FROM sender_pauses WHERE provider = ?1 AND sender = ?2',
  setPace: `INSERT INTO sender_pace (sender, messages_per_second) VALUES (?1, ?2)
    ON CONFLICT (sender) DO UPDATE SET messages_per_second = excluded.messages_per_second, queue_end = 0`,
} as const;

/** A sender that rests at a provider; `*` is every sender of the account there. Times in milliseconds since 1970. */
export interface SenderPause {
  readonly provider: string;
  readonly sender: string;
  readonly error: string;
  readonly provider_code: string | null;
  readonly message_id: string;
  readonly since: number;
  readonly probes: number;
  /** When the next message may try. */
  readonly probe_at: number;
}

export interface SenderPace {
  readonly sender: string;
  readonly messages_per_second: number;
}

export async function readSenders(db: D1Database): Promise<{ pauses: SenderPause[]; paces: SenderPace[] }> {
  const [pauses, paces] = await db.batch([db.prepare(SENDER_SQL.pauses), db.prepare(SENDER_SQL.paces)]);
  return {
    pauses: (pauses?.results ?? []) as SenderPause[],
    paces: (paces?.results ?? []) as SenderPace[],
  };
}

/** @returns whether it rested. What waits for it is released by the next sweep. */
export async function resumeSender(db: D1Database, provider: string, sender: string): Promise<boolean> {
  const { meta } = await db.prepare(SENDER_SQL.resume).bind(provider, sender).run();
  return meta.changes > 0;
}

/** @param perSecond `null`: the default pace again. */
export async function setPace(db: D1Database, sender: string, perSecond: number | null): Promise<void> {
  await db.prepare(SENDER_SQL.setPace).bind(sender, perSecond).run();
}
