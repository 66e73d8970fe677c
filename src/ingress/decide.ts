/** Deciding events in memory: for each event and each live campaign that its type triggers, one message row. */
import type { Campaign } from '../campaigns/campaign.ts';
import { compose } from '../domain/compose.ts';
import { optedOutFor, type Purpose } from '../domain/consent-scope.ts';
import type { Decision } from '../domain/decision.ts';
import { type NamedPolicy, presetPolicy } from '../domain/policy.ts';
import type { ResolveInput } from '../domain/resolve.ts';
import { OPT_OUT_URL, usesOptOutUrl } from '../domain/template.ts';
import type { NewEvent, NewMessage } from '../ledger/accept.ts';
import { recordInputs } from '../ledger/inputs.ts';
import type { AnswerMessage } from '../ledger/stored.ts';
import { derivedId } from '../platform/ids.ts';
import { iso } from '../platform/sql.ts';
import { statementWith } from '../profiles/findings.ts';
import type { Context } from './context.ts';
import { type TriggerEvent, templateData } from './event.ts';

export interface Decided {
  readonly event: NewEvent;
  readonly messages: readonly NewMessage[];
  readonly answer: readonly (AnswerMessage & { readonly decision: Decision })[];
}

/**
 * @param now when the event was received and decided, milliseconds since 1970.
 * @param optOutUrl the opt-out link of a message; null where none is configured.
 */
export async function decideEvent(
  event: TriggerEvent,
  context: Context,
  sourceId: string,
  now: number,
  optOutUrl: (messageId: string) => Promise<string | null>,
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
    const policy = policyOf(campaign, context);
    const id = await derivedId('msg', campaign.id, event.id);
    const input: ResolveInput = { ...said, optedOut: optedOutFor(context.optOuts, campaign.purpose) };
    const values = { ...data, [OPT_OUT_URL]: usesOptOutUrl(campaign.body) ? await optOutUrl(id) : null };
    const attributes = { ...profile?.values, [OPT_OUT_URL]: null };
    const { decision, body, detail } = compose(input, policy, campaign.body, values, attributes);
    const state = decision.outcome === 'deliver' ? 'queued' : 'suppressed';
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
      due_at: state === 'queued' ? now : null,
      expires_at: now + campaign.ttl_seconds * 1000,
      created_at: now,
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
        answer.map(({ decision, ...message }) => ({ ...message, policy: decision.policy.name })),
      ),
    },
    messages,
    answer: answer.map(({ purpose: _, ...message }) => message),
  };
}

/** A campaign's policy was checked when the campaign was saved, and policies are never deleted. */
function policyOf(campaign: Campaign, context: Context): NamedPolicy {
  const policy = presetPolicy(campaign.policy) ?? context.policies.get(campaign.policy);
  if (!policy)
    throw new Error(`campaign ${campaign.id} names policy ${campaign.policy}, which does not exist`);
  return policy;
}
