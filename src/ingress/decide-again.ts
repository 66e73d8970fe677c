/**
 * Decides waiting messages again: from the event as it was recorded, the profile and the opt-outs as they are now, and
 * the campaign and its policy as they are now. Runs after every request that may have written profiles, after ingest
 * has held something, and every minute; any number of runs at once give one decision.
 */
import { createMiddleware } from 'hono/factory';
import { type CampaignRow, campaignFromRow } from '../campaigns/campaign.ts';
import { optOutUrl } from '../consent/link.ts';
import { enqueue } from '../delivery/outbox.ts';
import { type ConsentScope, type OptOuts, optedOutFor } from '../domain/consent-scope.ts';
import type { Decision } from '../domain/decision.ts';
import { groundsOf } from '../domain/grounds.ts';
import type { NamedPolicy } from '../domain/policy.ts';
import { endHold, hold, onlyMissing } from '../domain/waiting.ts';
import { readInputs } from '../ledger/inputs.ts';
import { dueWaiting, type NewDecision, storeDecisions, type WaitingMessage } from '../ledger/waiting.ts';
import type { AppEnv } from '../platform/http.ts';
import { errorText, log } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import { allShards, type Shard } from '../platform/shard.ts';
import { iso } from '../platform/sql.ts';
import { type PolicyRow, policyFromRow } from '../policies/policy-row.ts';
import { type FindingRow, type Findings, findingsFrom, statementWith } from '../profiles/findings.ts';
import type { ProfileRow } from '../profiles/profile.ts';
import { composeMessage, type LinkOf } from './compose-message.ts';
import { CONTEXT_SQL } from './context.ts';
import { policyOf } from './decide.ts';
import { templateData } from './event.ts';

/** Messages of one round, each with its event, and rounds of one run: up to 20,000 messages a minute. */
const ROUND = 200;
const ROUNDS = 100;

export const AGAIN_SQL = {
  profiles: CONTEXT_SQL.profiles,
  suppressions: CONTEXT_SQL.suppressions,
  findings: CONTEXT_SQL.findings,
  campaigns: 'SELECT * FROM campaigns WHERE id IN (SELECT value FROM json_each(?1))',
  policies: `SELECT name, max(version) AS version, document, created_at FROM policies
    WHERE name IN (SELECT policy FROM campaigns WHERE id IN (SELECT value FROM json_each(?1))) GROUP BY name`,
} as const;

/** Decides all waiting messages that are due. */
export async function decideWaiting(runtime: Runtime): Promise<void> {
  for (const shard of allShards(runtime)) {
    for (let round = 0; round < ROUNDS; round++) {
      const now = runtime.now();
      const waiting = await dueWaiting(shard.db, now, ROUND);
      if (waiting.length === 0) break;
      const facts = await readFacts(shard, waiting);
      const linkOf: LinkOf = (messageId) => optOutUrl(runtime, messageId);
      const decisions = await Promise.all(waiting.map((message) => decideAgain(message, facts, now, linkOf)));
      await enqueue(runtime, shard, await storeDecisions(shard.db, decisions, now));
      if (waiting.length < ROUND) break;
    }
  }
}

/** The same in the background; a failure is logged, and the next minute tries again. */
export function decideWaitingSoon(runtime: Runtime): void {
  const failed = (error: unknown): void => log('warn', 'waiting.failed', { error: errorText(error) });
  runtime.background(decideWaiting(runtime).catch(failed));
}

/** Middleware for routes that write profiles. */
export const decideWaitingAfter = createMiddleware<AppEnv>(async (c, next) => {
  await next();
  if (c.req.method !== 'GET' && c.res.ok) decideWaitingSoon(c.var.runtime);
});

interface Facts {
  readonly profiles: ReadonlyMap<string, ProfileRow>;
  readonly findings: Findings;
  readonly campaigns: ReadonlyMap<string, CampaignRow>;
  readonly policies: ReadonlyMap<string, NamedPolicy>;
  readonly optOuts: OptOuts;
}

/** Always from the primary: the counts that guard the decision are there. */
async function readFacts({ db }: Shard, waiting: readonly WaitingMessage[]): Promise<Facts> {
  const json = (values: readonly string[]): string => JSON.stringify([...new Set(values)]);
  const customers = json(waiting.map((message) => message.customer_id));
  const ids = json(waiting.map((message) => message.campaign_id));
  const numbers = waiting.flatMap(
    ({ inputs }) => readInputs(inputs, 'marketing').event.attributes.MOBILE_NUMBER?.e164 ?? [],
  );
  const [profiles, campaigns, policies, suppressions, findings] = await db.batch([
    db.prepare(AGAIN_SQL.profiles).bind(customers),
    db.prepare(AGAIN_SQL.campaigns).bind(ids),
    db.prepare(AGAIN_SQL.policies).bind(ids),
    db.prepare(AGAIN_SQL.suppressions).bind(json(numbers), customers),
    db.prepare(AGAIN_SQL.findings).bind(json(numbers), customers),
  ]);
  const rows = <T>(result: D1Result | undefined): T[] => (result?.results ?? []) as T[];
  return {
    profiles: new Map(rows<ProfileRow>(profiles).map((row) => [row.customer_id, row])),
    findings: findingsFrom(rows<FindingRow>(findings)),
    campaigns: new Map(rows<CampaignRow>(campaigns).map((row) => [row.id, row])),
    policies: new Map(rows<PolicyRow>(policies).map((row) => [row.name, policyFromRow(row)])),
    optOuts: new Map(
      rows<{ number: string; scope: ConsentScope }>(suppressions).map((row) => [row.number, row.scope]),
    ),
  };
}

async function decideAgain(
  message: WaitingMessage,
  facts: Facts,
  now: number,
  linkOf: LinkOf,
): Promise<NewDecision> {
  const row = facts.campaigns.get(message.campaign_id);
  const before: Decision = JSON.parse(message.decision);
  const base = {
    id: message.id,
    wait_seq: message.wait_seq,
    detail: null,
    channel: row?.channel ?? 'sms',
    sender: row?.sender ?? '',
    media_urls: row?.media_urls ?? '[]',
    number: before.number?.value ?? null,
    body: null,
    grounds: null,
    due_at: null,
  } as const;
  if (!row || row.created_at > message.created_at) {
    return { ...base, cause: 'event', state: 'canceled', reason: 'campaign_deleted', decision: null };
  }
  if (message.due_at >= message.wait_until || message.expires_at <= now) {
    const decision = endHold(before, iso(now));
    const { reason } = decision;
    return { ...base, cause: 'deadline', state: 'suppressed', reason, decision: JSON.stringify(decision) };
  }

  const campaign = campaignFromRow(row);
  const policy = policyOf(campaign, facts.policies);
  const { event } = readInputs(message.inputs, campaign.purpose);
  const profile = statementWith(
    facts.profiles.get(message.customer_id) ?? null,
    event.attributes.MOBILE_NUMBER?.e164 ?? null,
    facts.findings,
  );
  const input = {
    profile: profile && { attributes: profile.attributes, at: profile.at },
    event,
    optedOut: optedOutFor(facts.optOuts, campaign.purpose),
    decidedAt: iso(now),
  };
  const data = templateData(JSON.parse(message.data) as Record<string, unknown>);
  const attributes = profile?.values ?? {};
  const composed = await composeMessage(message.id, input, policy, campaign, data, attributes, linkOf);
  if (onlyMissing(composed.decision)) {
    const decision = hold(composed.decision, message.wait_until);
    const same = JSON.stringify(decision.rules) === JSON.stringify(before.rules);
    return {
      ...base,
      cause: same ? 'event' : 'profile',
      state: 'held',
      reason: decision.reason,
      number: decision.number?.value ?? null,
      decision: same ? null : JSON.stringify(decision),
      due_at: message.wait_until,
    };
  }
  const { decision, body, detail } = composed;
  const decided = {
    ...base,
    cause: 'profile',
    reason: decision.reason,
    detail,
    number: decision.number?.value ?? null,
    body,
    decision: JSON.stringify(decision),
  } as const;
  if (decision.outcome !== 'deliver') return { ...decided, state: 'suppressed' };
  const grounds = groundsOf(decision, policy.document);
  return campaign.state === 'live'
    ? { ...decided, state: 'queued', grounds, due_at: now }
    : { ...decided, state: 'held', reason: 'campaign_paused', grounds, due_at: message.expires_at };
}
