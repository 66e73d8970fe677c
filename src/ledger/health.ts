/** What the ledger knows of trouble: counts and lists, each bounded. */
import { OPT_OUT_URL } from '../domain/template.ts';
import { SENDER_SQL, type SenderPause } from './senders.ts';
import { RESTING } from './sweep.ts';

/** Counting stops here: beyond, the exact figure helps nobody. */
export const COUNT_LIMIT = 10_000;

export const HEALTH_SQL = {
  resting: `SELECT provider, opens, open_since, open_until FROM provider_state WHERE opens > 0 ORDER BY provider LIMIT 100`,
  unknown: `SELECT count(*) AS older, coalesce(sum(b.reason = 'outcome_unknowable'), 0) AS unknowable
    FROM (SELECT reason FROM messages WHERE state = 'unknown' AND called_at < ?1 LIMIT ${COUNT_LIMIT}) b`,
  receipts: `SELECT count(*) AS unmatched FROM (SELECT 1 FROM receipts WHERE received_at < ?1 LIMIT ${COUNT_LIMIT}) b`,
  waiting: `SELECT count(*) AS waiting FROM (SELECT 1 FROM messages m WHERE ${RESTING} AND m.reason = ?1 LIMIT ${COUNT_LIMIT}) b`,
  /** What live campaigns rely on: their providers, and the link of OPT_OUT_SECRET and PUBLIC_URL. */
  campaigns: `SELECT providers, instr(body, '${OPT_OUT_URL}') > 0 AS links FROM campaigns WHERE state = 'live' LIMIT ${COUNT_LIMIT}`,
} as const;

export interface RestingProvider {
  readonly provider: string;
  readonly opens: number;
  readonly open_since: number;
  readonly open_until: number;
}

export interface LedgerHealth {
  readonly pauses: readonly SenderPause[];
  readonly resting: readonly RestingProvider[];
  /** Unknown outcomes of calls made before the threshold, and those of them that nobody will ever know. */
  readonly unknown: { readonly older: number; readonly unknowable: number };
  readonly unmatchedReceipts: number;
  /** Messages for which no provider of their route is set up. */
  readonly withoutProvider: number;
}

/** @throws where D1 cannot be reached. Times in milliseconds since 1970. */
export async function ledgerHealth(
  db: D1Database,
  calledBefore: number,
  receivedBefore: number,
): Promise<LedgerHealth> {
  const results = await db.batch([
    db.prepare(SENDER_SQL.pauses),
    db.prepare(HEALTH_SQL.resting),
    db.prepare(HEALTH_SQL.unknown).bind(calledBefore),
    db.prepare(HEALTH_SQL.receipts).bind(receivedBefore),
    db.prepare(HEALTH_SQL.waiting).bind('no_provider'),
  ]);
  const rows = <T>(index: number): T[] => (results[index]?.results ?? []) as T[];
  return {
    pauses: rows<SenderPause>(0),
    resting: rows<RestingProvider>(1),
    unknown: rows<LedgerHealth['unknown']>(2)[0] ?? { older: 0, unknowable: 0 },
    unmatchedReceipts: rows<{ unmatched: number }>(3)[0]?.unmatched ?? 0,
    withoutProvider: rows<{ waiting: number }>(4)[0]?.waiting ?? 0,
  };
}

export interface Reliance {
  /** Named by live campaigns, each once. */
  readonly providers: readonly string[];
  /** A live campaign's text has an opt-out link in it. */
  readonly links: boolean;
}

/** What live campaigns need to be set up. @throws where D1 cannot be reached. */
export async function relianceOfCampaigns(db: D1Database): Promise<Reliance> {
  const { results } = await db.prepare(HEALTH_SQL.campaigns).all<{ providers: string; links: number }>();
  const providers = results.flatMap((row) => JSON.parse(row.providers) as string[]);
  return { providers: [...new Set(providers)], links: results.some((row) => row.links === 1) };
}
