/**
 * The circuit breaker of each provider, in D1, so that all consumers share it.
 *
 * Closed, it counts calls and failures (no answer, an inner error, “slow down”) over a window. Where half of enough calls
 * failed it opens: the provider rests, and routes go on to the next. After the rest a claim may try a few messages; one
 * more failure makes the rest twice as long, a success closes it.
 */

/** Calls and failures of one provider in one claim. */
export interface Tally {
  readonly provider: string;
  readonly calls: number;
  readonly failures: number;
}

const WINDOW_MS = 60_000;
/** Fewer calls than this prove nothing. */
export const BREAKER_MIN_CALLS = 20;
/** The first rest; later ones double, up to 16 minutes. */
export const BREAKER_REST_MS = 30_000;

const TALLIES = `json_each(?1) j`;
const STALE = `abs(?2 - window_start) > ${WINDOW_MS}`;

/** `?1` tallies, `?2` now, `?3` the claim. */
export const BREAKER_SQL = {
  judgeProbes: `UPDATE provider_state SET
      opens = iif(j.value ->> 'failures' > 0, opens + 1, 0),
      open_since = iif(j.value ->> 'failures' > 0, open_since, NULL),
      open_until = iif(j.value ->> 'failures' > 0, ?2 + ${BREAKER_REST_MS} * (1 << min(opens, 5)), 0),
      window_start = ?2, calls = 0, failures = 0, probe_claim = NULL
    FROM ${TALLIES} WHERE provider_state.provider = j.value ->> 'provider' AND opens > 0 AND probe_claim = ?3`,
  count: `INSERT INTO provider_state (provider, window_start, calls, failures)
    SELECT j.value ->> 'provider', ?2, j.value ->> 'calls', j.value ->> 'failures' FROM ${TALLIES} WHERE true
    ON CONFLICT (provider) DO UPDATE SET
      window_start = iif(${STALE}, ?2, window_start),
      calls = iif(${STALE}, 0, calls) + excluded.calls,
      failures = iif(${STALE}, 0, failures) + excluded.failures
    WHERE opens = 0`,
  open: `UPDATE provider_state SET opens = 1, open_since = ?2, open_until = ?2 + ${BREAKER_REST_MS}, calls = 0, failures = 0
    FROM ${TALLIES} WHERE provider_state.provider = j.value ->> 'provider' AND opens = 0
      AND provider_state.calls >= ${BREAKER_MIN_CALLS} AND provider_state.failures * 2 >= provider_state.calls
    RETURNING provider_state.provider`,
} as const;

/** For the transaction that settles the claim; the last one returns the providers that rest from now on. Repeated after a lost answer it counts twice, which only tires it sooner. */
export function breakerStatements(
  db: D1Database,
  tallies: readonly Tally[],
  claimId: string,
  now: number,
): D1PreparedStatement[] {
  if (tallies.length === 0) return [];
  const json = JSON.stringify(tallies);
  return [
    db.prepare(BREAKER_SQL.judgeProbes).bind(json, now, claimId),
    db.prepare(BREAKER_SQL.count).bind(json, now),
    db.prepare(BREAKER_SQL.open).bind(json, now),
  ];
}
