/** `POST /v1/decisions`: what would be decided, and why. Nothing is stored, nothing is sent. */
import { type Context, Hono } from 'hono';
import { accepts } from 'hono/accepts';
import { z } from 'zod';
import { type AccessEnv, requires } from '../access/requires.ts';
import { readCampaign } from '../campaigns/store.ts';
import { readOptOuts } from '../consent/history.ts';
import { optOutUrl } from '../consent/link.ts';
import { type Attributes, readAttributes, reservedName } from '../domain/attributes.ts';
import { optedOutFor, type Purpose } from '../domain/consent-scope.ts';
import { narrate, narrateAll } from '../domain/narrate.ts';
import type { CountryCode } from '../domain/phone.ts';
import { DEFAULT_POLICY, type NamedPolicy, PRESETS, presetPolicy } from '../domain/policy.ts';
import { type ResolveInput, resolve, type Statement } from '../domain/resolve.ts';
import { externalId, jsonObject, slug, timestamp } from '../platform/fields.ts';
import { readJson } from '../platform/json.ts';
import { invalid, type Problem } from '../platform/problem.ts';
import type { Runtime } from '../platform/runtime.ts';
import { shardFor } from '../platform/shard.ts';
import { iso } from '../platform/sql.ts';
import { parse } from '../platform/validate.ts';
import { draftPolicyFields } from '../policies/policy-fields.ts';
import { listPolicies, readPolicy } from '../policies/store.ts';
import { readFindings, statementWith } from '../profiles/findings.ts';
import { readProfile } from '../profiles/store.ts';
import { composeMessage } from './compose-message.ts';
import { heldIfMissing } from './decide.ts';
import { templateData } from './event.ts';

const fields = z
  .strictObject({
    customer_id: externalId.optional(),
    profile: jsonObject.nullable().optional(),
    data: jsonObject.default({}),
    occurred_at: timestamp.optional(),
    campaign: slug.optional(),
    policy: z
      .union([slug, draftPolicyFields], 'must be the name of a policy or a policy document')
      .optional(),
    policies: z.literal('all', 'must be "all" where it is given').optional(),
    suppressed: z.boolean('must be true or false').optional(),
  })
  .superRefine((body, context) => {
    const clash = (path: string, other: string): void =>
      context.addIssue({
        code: 'custom',
        path: [path],
        message: `and ${other} exclude each other; give one of them`,
      });
    if (body.customer_id !== undefined && body.profile !== undefined) clash('profile', 'customer_id');
    if (body.policy !== undefined && body.policies !== undefined) clash('policies', 'policy');
  });

/** There is no such message, so the link in a dry run leads nowhere; it is as long as a real one. */
const DRY_MESSAGE = `msg_${'0'.repeat(32)}`;

type Fields = z.output<typeof fields>;

export const decisionRoutes = new Hono<AccessEnv>();

decisionRoutes.post('/', requires('read'), async (c) => {
  const { runtime, caller } = c.var;
  const body = parseFields(await readJson(c.req.raw));
  const campaign = body.campaign === undefined ? null : await readCampaign(runtime.db, body.campaign);
  if (body.campaign !== undefined && !campaign) throw notThere('campaign', body.campaign);

  const event = attributesOf(body.data, 'data', caller.defaultCountry);
  const profile = await profileOf(runtime, body, event, caller.defaultCountry);
  const input: ResolveInput = {
    profile: profile && { attributes: profile.attributes, at: profile.at },
    event: { attributes: event, at: body.occurred_at ?? iso(runtime.now()) },
    optedOut: await optOuts(runtime, body.suppressed, campaign?.purpose ?? 'marketing', [
      profile?.attributes ?? null,
      event,
    ]),
    decidedAt: iso(runtime.now()),
  };
  if (body.policies === 'all') {
    const all = [
      ...Object.keys(PRESETS).flatMap((name) => presetPolicy(name) ?? []),
      ...(await listPolicies(runtime.db)),
    ];
    const decisions = all.map((policy) => ({ policy: policy.name, decision: resolve(input, policy) }));
    return wantsText(c) ? c.text(narrateAll(decisions)) : c.json({ decisions });
  }
  const policy = await policyOf(runtime, body, campaign?.policy);
  if (!campaign) {
    const decision = resolve(input, policy);
    return wantsText(c) ? c.text(narrate(decision)) : c.json({ decision });
  }
  const composed = await composeMessage(
    DRY_MESSAGE,
    input,
    policy,
    campaign,
    templateData(body.data),
    profile?.values ?? {},
    (messageId) => optOutUrl(runtime, messageId),
  );
  const decision = heldIfMissing(composed.decision, campaign, runtime.now());
  if (wantsText(c))
    return c.text(narrate(decision) + (composed.body === null ? '' : `\nThe text:\n  ${composed.body}\n`));
  return c.json({
    decision,
    campaign: campaign.id,
    campaign_state: campaign.state,
    body: composed.body,
  });
});

/** `accept: text/plain` asks for plain words instead of JSON. */
function wantsText(c: Context): boolean {
  return (
    accepts(c, {
      header: 'Accept',
      supports: ['application/json', 'text/plain'],
      default: 'application/json',
    }) === 'text/plain'
  );
}

/** Validates, with the errors of an inline policy under their own paths. */
function parseFields(value: unknown): Fields {
  const inline = typeof value === 'object' && value !== null && 'policy' in value ? value.policy : undefined;
  if (typeof inline === 'object' && inline !== null) parse(z.object({ policy: draftPolicyFields }), value);
  return parse(fields, value);
}

interface DryProfile extends Statement {
  readonly values: Readonly<Record<string, unknown>>;
}

/** The stored customer's profile, or the one given in the call; as of now where it names no time. */
async function profileOf(
  runtime: Runtime,
  body: Fields,
  event: Attributes,
  country: CountryCode | undefined,
): Promise<DryProfile | null> {
  if (body.customer_id !== undefined) {
    const { db } = shardFor(runtime, body.customer_id);
    const row = await readProfile(db, body.customer_id);
    const eventNumber = event.MOBILE_NUMBER?.e164 ?? null;
    return statementWith(row, eventNumber, await readFindings(db, [row?.e164, eventNumber]));
  }
  if (body.profile == null) return null;
  const { attributes: nested, updated_at, customer_id: _, ...rest } = body.profile;
  const further = Object.fromEntries(Object.entries(rest).filter(([key]) => reservedName(key) === null));
  const time = updated_at == null ? null : timestamp.safeParse(updated_at);
  if (time && !time.success)
    throw invalid([{ path: 'profile.updated_at', message: 'must be an ISO 8601 time with a zone' }]);
  return {
    attributes: attributesOf(body.profile, 'profile', country),
    at: time?.data ?? null,
    values: { ...further, ...(typeof nested === 'object' && nested) },
  };
}

function attributesOf(
  data: Record<string, unknown>,
  path: string,
  country: CountryCode | undefined,
): Attributes {
  const read = readAttributes(data, path, country);
  if ('errors' in read) throw invalid(read.errors);
  return read.attributes;
}

/** What the call says about opt-outs, or else what is stored for the candidates. */
async function optOuts(
  runtime: Runtime,
  suppressed: boolean | undefined,
  purpose: Purpose,
  sides: readonly (Attributes | null)[],
): Promise<ReadonlySet<string>> {
  const numbers = sides.flatMap((side) => side?.MOBILE_NUMBER?.e164 ?? []);
  if (suppressed !== undefined) return new Set(suppressed ? numbers : []);
  return optedOutFor(await readOptOuts(runtime.db, numbers), purpose);
}

async function policyOf(
  runtime: Runtime,
  body: Fields,
  ofCampaign: string | undefined,
): Promise<NamedPolicy> {
  if (typeof body.policy === 'object') return { name: 'inline', version: 0, document: body.policy };
  const name = body.policy ?? ofCampaign ?? DEFAULT_POLICY.name;
  const policy = await readPolicy(runtime.db, name);
  if (!policy) throw notThere('policy', name);
  return policy;
}

function notThere(field: 'campaign' | 'policy', name: string): Problem {
  return invalid([{ path: field, message: `"${name}" does not exist` }]);
}
