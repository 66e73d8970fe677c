/** One campaign's decision and text, with the opt-out link where the text asks for it. */
import type { Campaign } from '../campaigns/campaign.ts';
import { type Composition, compose } from '../domain/compose.ts';
import type { NamedPolicy } from '../domain/policy.ts';
import type { ResolveInput } from '../domain/resolve.ts';
import { OPT_OUT_URL, usesOptOutUrl } from '../domain/template.ts';

/** Gives the opt-out link of a message; null where none is configured. */
export type LinkOf = (messageId: string) => Promise<string | null>;

/** `{{ opt_out_url }}` comes from us alone: neither event nor profile can set it. */
export async function composeMessage(
  messageId: string,
  input: ResolveInput,
  policy: NamedPolicy,
  campaign: Pick<Campaign, 'body'>,
  data: Readonly<Record<string, unknown>>,
  attributes: Readonly<Record<string, unknown>>,
  linkOf: LinkOf,
): Promise<Composition> {
  const link = usesOptOutUrl(campaign.body) ? await linkOf(messageId) : null;
  const values = { ...data, [OPT_OUT_URL]: link };
  return compose(input, policy, campaign.body, values, { ...attributes, [OPT_OUT_URL]: null });
}
