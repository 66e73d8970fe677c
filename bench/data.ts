/** The bench's world: always the same customers, campaign and events, so that two runs compare. */
import type { Server } from '../test/system/harness/process.ts';

export const CUSTOMERS = 5_000;
const TYPE = 'bench.signup';
const OCCURRED_AT = '2026-01-01T00:00:00Z';

/** A live campaign, and profiles that consent but know no number: the event brings it, as in the signup story. */
export async function seed(server: Server): Promise<void> {
  const response = await fetch(`${server.url}/v1/campaigns/bench`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', authorization: 'Bearer ot_demo' },
    body: JSON.stringify({
      name: 'Bench',
      trigger: TYPE,
      channel: 'sms',
      sender: '+18005550100',
      body: 'Hi {{ first_name }}, welcome to {{ plan }}!',
      state: 'live',
    }),
  });
  if (!response.ok) throw new Error(`seeding: ${response.status} ${await response.text()}`);
  await server.query(
    `INSERT INTO profiles (customer_id, sms_consent, sms_valid, attributes, updated_at, written_at)
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
     SELECT 'c-' || i, 1, 1, '{"plan":"Gold","city":"San Francisco"}', 0, 0 FROM n`,
    CUSTOMERS,
  );
}

export type Kind = 'deliverable' | 'suppressed';

/** The n-th event of a series. A series' name makes its ids its own. */
export function event(series: string, n: number, kind: Kind): Record<string, unknown> {
  return {
    id: `${series}-${n}`,
    type: TYPE,
    customer_id: `c-${n % CUSTOMERS}`,
    occurred_at: OCCURRED_AT,
    data: {
      MOBILE_NUMBER: `+1415${2_000_000 + (n % 7_000_000)}`,
      SMS_CONSENT: kind === 'deliverable',
      first_name: 'Ada',
      plan: 'Gold',
      page: 'https://shop.example/signup?utm_source=newsletter',
    },
  };
}

export function singles(series: string, count: number, kind: Kind): string[] {
  return Array.from({ length: count }, (_, n) => JSON.stringify(event(series, n, kind)));
}

export function batches(series: string, count: number, size: number, kind: Kind): string[] {
  return Array.from({ length: count }, (_, batch) =>
    JSON.stringify(Array.from({ length: size }, (_, n) => event(series, batch * size + n, kind))),
  );
}
