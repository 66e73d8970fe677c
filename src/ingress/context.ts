/**
 * Everything that deciding a batch of events needs, in one D1 round trip: what is stored under their ids, the
 * customers' profiles, the live campaigns with their policies, and the opt-outs among the numbers.
 *
 * Profiles alone may come from the nearest replica, asked at the same time as the primary: never a further round trip.
 * Opt-outs always come from the primary. A replica that lags may still name a number whose opt-out was not looked up
 * here; the claim looks it up again, on the primary, for the very number that is texted.
 */
import { type Campaign, type CampaignRow, campaignFromRow } from '../campaigns/campaign.ts';
import type { ConsentScope, OptOuts } from '../domain/consent-scope.ts';
import type { NamedPolicy } from '../domain/policy.ts';
import {
  STORED_SQL,
  type StoredAnswer,
  type StoredEventRow,
  type StoredMessageRow,
  storedAnswers,
} from '../ledger/stored.ts';
import type { Config } from '../platform/config.ts';
import { type PolicyRow, policyFromRow } from '../policies/policy-row.ts';
import { type FindingRow, type Findings, findingsFrom } from '../profiles/findings.ts';
import type { ProfileRow } from '../profiles/profile.ts';

export const CONTEXT_SQL = {
  ...STORED_SQL,
  profiles: `SELECT customer_id, mobile_number, e164, sms_consent, sms_valid, attributes, updated_at
    FROM profiles WHERE customer_id IN (SELECT value FROM json_each(?1))`,
  campaigns: `SELECT * FROM campaigns WHERE trigger IN (SELECT value FROM json_each(?1)) AND state = 'live' ORDER BY trigger, id`,
  policies: `SELECT name, max(version) AS version, document, created_at FROM policies
    WHERE name IN (SELECT policy FROM campaigns WHERE trigger IN (SELECT value FROM json_each(?1)) AND state = 'live')
    GROUP BY name`,
  suppressions: `SELECT number, scope FROM suppressions WHERE number IN (
      SELECT value FROM json_each(?1)
      UNION SELECT e164 FROM profiles WHERE customer_id IN (SELECT value FROM json_each(?2)))`,
  findings: `SELECT number, found_at FROM number_findings WHERE number IN (
      SELECT value FROM json_each(?1)
      UNION SELECT e164 FROM profiles WHERE customer_id IN (SELECT value FROM json_each(?2)))`,
} as const;

export interface ContextQuery {
  readonly eventIds: readonly string[];
  readonly customerIds: readonly string[];
  readonly types: readonly string[];
  /** Usable numbers of the events, E.164. The profiles' numbers are added by the query. */
  readonly numbers: readonly string[];
}

export interface Context {
  readonly stored: ReadonlyMap<string, StoredAnswer>;
  readonly profiles: ReadonlyMap<string, ProfileRow>;
  /** What providers found out about the events' and the profiles' numbers. */
  readonly findings: Findings;
  /** Live campaigns by the event type that triggers them. */
  readonly campaigns: ReadonlyMap<string, readonly Campaign[]>;
  /** The newest version of each stored policy that a live campaign names. Presets are not among them. */
  readonly policies: ReadonlyMap<string, NamedPolicy>;
  readonly optOuts: OptOuts;
}

export async function readContext(
  db: D1Database,
  profileReads: Config['profileReads'],
  query: ContextQuery,
): Promise<Context> {
  const json = (values: readonly string[]): string => JSON.stringify([...new Set(values)]);
  const ids = json(query.eventIds);
  const customers = json(query.customerIds);
  const types = json(query.types);
  const readProfiles = (from: D1Database | D1DatabaseSession): D1PreparedStatement =>
    from.prepare(CONTEXT_SQL.profiles).bind(customers);
  const nearest =
    profileReads === 'nearest' ? readProfiles(db.withSession('first-unconstrained')).all<ProfileRow>() : null;
  const primary = db.batch([
    db.prepare(CONTEXT_SQL.events).bind(ids),
    db.prepare(CONTEXT_SQL.messages).bind(ids),
    db.prepare(CONTEXT_SQL.campaigns).bind(types),
    db.prepare(CONTEXT_SQL.policies).bind(types),
    db.prepare(CONTEXT_SQL.suppressions).bind(json(query.numbers), customers),
    db.prepare(CONTEXT_SQL.findings).bind(json(query.numbers), customers),
    ...(nearest ? [] : [readProfiles(db)]),
  ]);
  const [[events, messages, campaigns, policies, suppressions, findings, own], replica] = await Promise.all([
    primary,
    nearest,
  ]);
  const profiles = replica ?? own;
  const rows = <T>(result: D1Result | undefined): T[] => (result?.results ?? []) as T[];

  const live = new Map<string, Campaign[]>();
  for (const row of rows<CampaignRow>(campaigns)) {
    const list = live.get(row.trigger);
    if (list) list.push(campaignFromRow(row));
    else live.set(row.trigger, [campaignFromRow(row)]);
  }
  return {
    stored: storedAnswers(rows<StoredEventRow>(events), rows<StoredMessageRow>(messages)),
    profiles: new Map(rows<ProfileRow>(profiles).map((row) => [row.customer_id, row])),
    findings: findingsFrom(rows<FindingRow>(findings)),
    campaigns: live,
    policies: new Map(rows<PolicyRow>(policies).map((row) => [row.name, policyFromRow(row)])),
    optOuts: new Map(
      rows<{ number: string; scope: ConsentScope }>(suppressions).map((row) => [row.number, row.scope]),
    ),
  };
}
