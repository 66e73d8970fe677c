/** Where a source's events may lead, and how many: a list of countries, and counts against SMS pumping. */
import { destinationOf } from '../domain/phone.ts';
import type { TriggerEvent } from '../ingress/event.ts';
import type { Runtime } from '../platform/runtime.ts';
import { type Refusal, refuse } from './refusal.ts';
import { DEFAULT_FORM_PER_CODE_PER_HOUR, destinationsOf, type Source } from './source.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

export const SOURCE_COUNT_SQL = {
  add: `INSERT INTO source_counts (source_id, counted, window, n) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (source_id, counted, window) DO UPDATE SET n = n + excluded.n RETURNING n`,
  forget: 'DELETE FROM source_counts WHERE source_id = ?1 AND window < ?2',
} as const;

interface Count {
  readonly counted: string;
  readonly windowMs: number;
  readonly by: number;
  readonly limit: number;
}

/** Counts these events and says which limit they break; `null`: none. Without limits no round trip is made. */
export async function checkLimits(
  runtime: Runtime,
  source: Source,
  events: readonly TriggerEvent[],
): Promise<Refusal | null> {
  const destinations = events.flatMap((event) => {
    const number = event.attributes.MOBILE_NUMBER?.e164;
    return number == null ? [] : [destinationOf(number)];
  });
  const allowed = destinationsOf(source);
  if (allowed && destinations.some(({ country }) => country === null || !allowed.includes(country)))
    return refuse('limits', 'country_not_allowed', {
      hint: `Numbers of ${allowed.join(', ')} are allowed; see countries of the source.`,
    });

  const counts = countsOf(
    source,
    destinations.map(({ callingCode }) => callingCode),
  );
  if (counts.length === 0) return null;
  const { db } = runtime;
  const now = runtime.now();
  const results = await db.batch<{ n: number }>([
    ...counts.map(({ counted, windowMs, by }) =>
      db.prepare(SOURCE_COUNT_SQL.add).bind(source.id, counted, now - (now % windowMs), by),
    ),
    db.prepare(SOURCE_COUNT_SQL.forget).bind(source.id, now - 2 * HOUR_MS),
  ]);
  for (const [index, { counted, limit }] of counts.entries()) {
    if ((results[index]?.results[0]?.n ?? 0) <= limit) continue;
    return counted === 'minute'
      ? refuse('limits', 'rate_limited', { hint: `rate.per_minute of the source is ${limit}.` })
      : refuse('limits', 'calling_code_limited', {
          hint: `rate.per_calling_code_per_hour of the source is ${limit}.`,
        });
  }
  return null;
}

function countsOf(source: Source, callingCodes: readonly string[]): Count[] {
  const { per_minute, per_calling_code_per_hour } = source.rate;
  const perCode =
    per_calling_code_per_hour ?? (source.kind === 'form' ? DEFAULT_FORM_PER_CODE_PER_HOUR : undefined);
  const counts: Count[] = [];
  if (per_minute !== undefined)
    counts.push({ counted: 'minute', windowMs: MINUTE_MS, by: 1, limit: per_minute });
  if (perCode === undefined) return counts;
  for (const code of new Set(callingCodes)) {
    const by = callingCodes.filter((other) => other === code).length;
    counts.push({ counted: code, windowMs: HOUR_MS, by, limit: perCode });
  }
  return counts;
}
