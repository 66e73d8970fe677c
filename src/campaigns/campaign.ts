/** A campaign: what is sent on which trigger, under which policy. */
import { z } from 'zod';
import { PROVIDER_NAMES } from '../delivery/providers/names.ts';
import { readPhone } from '../domain/phone.ts';
import { templateProblem } from '../domain/template.ts';
import { duration, durationText } from '../platform/duration.ts';
import { eventType, slug, text } from '../platform/fields.ts';
import { iso } from '../platform/sql.ts';

export const CAMPAIGN_STATES = ['draft', 'live', 'paused'] as const;

/** E.164, a short code of 3 to 8 digits, or an alphanumeric sender id of up to 11 characters with a letter in it. */
function isSender(sender: string): boolean {
  if (sender.startsWith('+')) return readPhone(sender).e164 === sender;
  return /^\d{3,8}$/.test(sender) || /^(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}$/.test(sender);
}

/** What a client may set. Unknown fields are refused, so that a misspelt one is not silently without effect. */
export const campaignFields = z
  .strictObject({
    id: slug.optional(),
    name: text().trim().min(1, 'must not be empty').max(200, 'must have at most 200 characters'),
    trigger: eventType,
    channel: z.enum(['sms', 'mms'], 'must be "sms" or "mms"'),
    sender: text().refine(
      isSender,
      'must be a number in E.164 ("+18005550100"), a short code, or a sender id of at most 11 letters and digits',
    ),
    body: text()
      .min(1, 'must not be empty')
      .superRefine((template, context) => {
        const problem = templateProblem(template);
        if (problem) context.addIssue(problem);
      }),
    media_urls: z
      .array(
        z
          .url({ protocol: /^https$/, error: 'must be an https URL' })
          .max(2000, 'must have at most 2000 characters'),
        'must be a list of URLs',
      )
      .max(10, 'must have at most 10 URLs')
      .default([]),
    policy: slug.default('strict'),
    state: z.enum(CAMPAIGN_STATES, 'must be "draft", "live" or "paused"').default('draft'),
    ttl_seconds: z
      .int('must be a whole number of seconds')
      .min(60, 'must be at least 60')
      .max(604_800, 'must be at most 604800 (a week)')
      .default(86_400),
    purpose: z
      .enum(['marketing', 'transactional'], 'must be "marketing" or "transactional"')
      .default('marketing'),
    providers: z
      .array(
        z.enum(PROVIDER_NAMES, `must be one of ${PROVIDER_NAMES.join(', ')}`),
        'must be a list of provider names',
      )
      .max(5, 'must name at most 5 providers')
      .refine((names) => new Set(names).size === names.length, 'must name each provider once')
      .default([]),
    on_unknown: z.enum(['keep', 'resend'], 'must be "keep" or "resend"').default('keep'),
    unknown_after: duration(60, 604_800).default(28_800),
    wait_for_profile: duration(60, 2_592_000).nullable().default(null),
  })
  .superRefine((campaign, context) => {
    if (campaign.channel === 'sms' && campaign.media_urls.length > 0) {
      context.addIssue({
        code: 'custom',
        path: ['media_urls'],
        message: 'must be empty for an sms; use channel "mms"',
      });
    }
  });

export type CampaignFields = z.output<typeof campaignFields>;

export interface Campaign extends Omit<CampaignFields, 'id' | 'unknown_after' | 'wait_for_profile'> {
  readonly id: string;
  /** As people write durations: "8h". */
  readonly unknown_after: string;
  readonly wait_for_profile: string | null;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface CampaignRow {
  readonly id: string;
  readonly name: string;
  readonly trigger: string;
  readonly channel: 'sms' | 'mms';
  readonly sender: string;
  readonly body: string;
  readonly media_urls: string;
  readonly policy: string;
  readonly state: (typeof CAMPAIGN_STATES)[number];
  readonly ttl_seconds: number;
  readonly purpose: 'marketing' | 'transactional';
  readonly providers: string;
  readonly on_unknown: 'keep' | 'resend';
  readonly unknown_after_seconds: number;
  readonly wait_seconds: number | null;
  readonly created_at: number;
  readonly updated_at: number;
}

export function campaignFromRow(row: CampaignRow): Campaign {
  const { unknown_after_seconds, wait_seconds, ...rest } = row;
  return {
    ...rest,
    media_urls: JSON.parse(row.media_urls) as string[],
    providers: JSON.parse(row.providers) as CampaignFields['providers'],
    unknown_after: durationText(unknown_after_seconds),
    wait_for_profile: wait_seconds === null ? null : durationText(wait_seconds),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
  };
}
