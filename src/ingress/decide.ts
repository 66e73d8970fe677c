/** Deciding events in memory: for each event and each live campaign that its type triggers, one message row. */
import type { Campaign } from '../campaigns/campaign.ts';
import { optedOutFor, type Purpose } from '../domain/consent-scope.ts';
import type { Decision } from '../domain/decision.ts';
import { groundsOf } from '../domain/grounds.ts';
import { type NamedPolicy, presetPolicy } from '../domain/policy.ts';
import type { ResolveInput } from '../domain/resolve.ts';
import { hold, onlyMissing } from '../domain/waiting.ts';
import type { NewEvent, NewMessage } from '../ledger/accept.ts';
import { recordInputs } from '../ledger/inputs.ts';
import type { AnswerMessage } from '../ledger/stored.ts';
import { durationSeconds } from '../platform/duration.ts';
import { derivedId } from '../platform/ids.ts';
import { iso } from '../platform/sql.ts';
import { statementWith } from '../profiles/findings.ts';
import { composeMessage, type LinkOf } from './compose-message.ts';
import type { Context } from './context.ts';
import { type TriggerEvent, templateData } from './event.ts';

export interface Decided {
  readonly event: NewEvent;
  readonly messages: readonly NewMessage[];
  readonly answer: readonly (AnswerMessage & { readonly decision: Decision })[];
}

const STATE_OF = { deliver: 'queued', suppress: 'suppressed', hold: 'held' } as const;

/** The decision, put off where the campaign waits for profiles and nothing but something missing stands against it. */
export function heldIfMissing(decision: Decision, campaign: Campaign, now: number): Decision {
  if (campaign.wait_for_profile === null || !onlyMissing(decision)) return decision;
  return hold(decision, waitEnd(campaign, now));
}

/** When a wait that begins now is over: the time to live counts from the event, too. */
function waitEnd(campaign: Campaign, now: number): number {
  const wait = durationSeconds(campaign.wait_for_profile ?? '0s');
  return now + Math.min(wait, campaign.ttl_seconds) * 1000;
}

/** @param now when the event was received and decided, milliseconds since 1970. */
export async function decideEvent(
  event: TriggerEvent,
  context: Context,
  sourceId: string,
  now: number,
  linkOf: LinkOf,
): Promise<Decided> {
  const profile = statementWith(
    context.profiles.get(event.customer_id) ?? null,
    event.attributes.MOBILE_NUMBER?.e164 ?? null,
    context.findings,
  );
  const said = {
    profile: profile && { attributes: profile.attributes, at: profile.at },
    event: { attributes: event.attributes, at: iso(event.occurredAt) },
    decidedAt: iso(now),
  };
  const data = templateData(event.data);
  const messages: NewMessage[] = [];
  const answer: (Decided['answer'][number] & { readonly purpose: Purpose })[] = [];
  for (const campaign of context.campaigns.get(event.type) ?? []) {
    const policy = policyOf(campaign, context.policies);
    const id = await derivedId('msg', campaign.id, event.id);
    const input: ResolveInput = { ...said, optedOut: optedOutFor(context.optOuts, campaign.purpose) };
    const composed = await composeMessage(id, input, policy, campaign, data, profile?.values ?? {}, linkOf);
    const { body, detail } = composed;
    const decision = heldIfMissing(composed.decision, campaign, now);
    const waits = decision.outcome === 'hold';
    const state = STATE_OF[decision.outcome];
    messages.push({
      id,
      event_id: event.id,
      campaign_id: campaign.id,
      customer_id: event.customer_id,
      channel: campaign.channel,
      sender: campaign.sender,
      number: decision.number?.value ?? null,
      body,
      media_urls: JSON.stringify(campaign.media_urls),
      decision: JSON.stringify(decision),
      state,
      reason: decision.reason,
      detail,
      // What waits is looked at once more when it is stored: its row may have come after the profile was read.
      due_at: state === 'suppressed' ? null : now,
      expires_at: now + campaign.ttl_seconds * 1000,
      created_at: now,
      wait_until: waits ? waitEnd(campaign, now) : null,
      grounds: groundsOf(decision, policy.document),
    });
    answer.push({
      id,
      campaign: campaign.id,
      state,
      reason: decision.reason,
      decision,
      purpose: campaign.purpose,
    });
  }
  return {
    event: {
      id: event.id,
      source_id: sourceId,
      type: event.type,
      customer_id: event.customer_id,
      occurred_at: event.occurredAt,
      received_at: now,
      body_hash: event.bodyHash,
      data: JSON.stringify(event.data),
      inputs: recordInputs(said, context.optOuts),
      answer: JSON.stringify(
        answer.map(({ decision, ...message }) => ({
          ...message,
          policy: decision.policy.name,
          waits_for: decision.waits_for,
        })),
      ),
    },
    messages,
    answer: answer.map(({ purpose: _, ...message }) => message),
  };
}

/** A campaign's policy was checked when the campaign was saved, and policies are never deleted. */
export function policyOf(campaign: Campaign, policies: Context['policies']): NamedPolicy {
  const policy = presetPolicy(campaign.policy) ?? policies.get(campaign.policy);
  if (!policy)
    throw new Error(`campaign ${campaign.id} names policy ${campaign.policy}, which does not exist`);
  return policy;
}
