/** A trigger source: what is configured of it over HTTP, and its row. */
import { z } from 'zod';
import { readFlag } from '../domain/attributes.ts';
import { type CountryCode, isCountry } from '../domain/phone.ts';
import { eventType, jsonObject } from '../platform/fields.ts';
import { fieldProblems } from '../platform/validate.ts';
import { KINDS } from './kinds/index.ts';
import { mappingFields, type SourceMapping } from './mapping.ts';

const country = z
  .string()
  .transform((code) => code.toUpperCase())
  .refine((code): code is CountryCode => isCountry(code), 'must be an ISO 3166 country such as "GB"');

const origin = z
  .string()
  .refine(
    (text) => URL.canParse(text) && new URL(text).origin === text && /^https?:/.test(text),
    'must be an origin: scheme and host, no path, such as "https://www.example.com"',
  );

const vouches = z
  .strictObject({
    /** Everybody whose data this source sends has agreed to the disclosure. */
    consent: z.boolean().default(false),
    disclosure: z.string().min(1).max(2000).optional(),
    disclosure_url: z
      .url({ protocol: /^https?$/ })
      .max(1000)
      .optional(),
  })
  .refine((value) => !value.consent || value.disclosure !== undefined || value.disclosure_url !== undefined, {
    path: ['disclosure'],
    error: 'is required where consent is vouched for: the text that people agreed to, or disclosure_url',
  });

const rate = z.strictObject({
  per_minute: z.int().min(1).max(100_000).optional(),
  /** Events to numbers of one calling code: what a bot that earns from texts to far countries runs into. */
  per_calling_code_per_hour: z.int().min(1).max(1_000_000).optional(),
});

export const DEFAULT_FORM_PER_CODE_PER_HOUR = 200;

export const sourceFields = z
  .strictObject({
    kind: z.string().refine((kind) => KINDS.has(kind), {
      error: () => `must be one of ${[...KINDS.keys()].sort().join(', ')}`,
    }),
    name: z.string().max(200).nullable().default(null),
    /** Left out: those that stand are kept. */
    secrets: z
      .array(
        z
          .string()
          .min(1, 'must not be empty')
          .max(4000)
          .refine((secret) => secret.trim() === secret, 'must not begin or end with white space'),
      )
      .max(5, 'must be at most 5: the new one and those that it replaces')
      .optional(),
    event_type: eventType.nullable().default(null),
    mapping: mappingFields.default({}),
    default_country: country.nullable().default(null),
    vouches: vouches.nullable().default(null),
    allowed_origins: z.array(origin).max(50).default([]),
    rate: rate.default({}),
    countries: z
      .array(country)
      .min(1, 'must name at least one, or be null for any')
      .max(250)
      .nullable()
      .default(null),
    options: jsonObject.default({}),
    tolerance_seconds: z.int().min(1).max(86_400).default(300),
    state: z.enum(['on', 'off'], 'must be "on" or "off"').default('on'),
    new_publishable_key: z.boolean().default(false),
  })
  .superRefine((fields, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message });
    const kind = KINDS.get(fields.kind);
    if (kind?.options === undefined && Object.keys(fields.options).length > 0)
      issue('options', `must be empty: the kind ${fields.kind} has none`);
    const wrong = kind?.options?.safeParse(fields.options).error;
    for (const { path, message } of wrong ? fieldProblems(wrong) : [])
      issue(path === '(body)' ? 'options' : `options.${path}`, message);
    const consent = fields.mapping.SMS_CONSENT?.const;
    if (consent !== undefined && readFlag(consent) !== null && readFlag(consent) !== false)
      issue('mapping.SMS_CONSENT', 'must not be a constant yes; say in vouches what people agreed to');
    if (fields.kind !== 'form') {
      if (fields.allowed_origins.length > 0) issue('allowed_origins', 'is for sources of kind form only');
      return;
    }
    // A browser does not send a box that is left alone: with both, no tick would be a yes.
    if (fields.vouches?.consent && fields.mapping.SMS_CONSENT !== undefined)
      issue('vouches.consent', 'must be left out where the mapping takes SMS_CONSENT from the form');
    if (fields.allowed_origins.length === 0)
      issue('allowed_origins', 'must name the origins of the pages with the form');
    if (fields.countries === null && fields.default_country === null)
      issue('countries', 'or default_country is required: a form that texts any country invites SMS pumping');
  });

export type SourceFields = z.output<typeof sourceFields>;

/** A source as deliveries meet it. */
export interface Source {
  readonly id: string;
  readonly kind: string;
  readonly name: string | null;
  /** `null`: no key of the environment opens them. */
  readonly secrets: readonly string[] | null;
  readonly fingerprints: readonly string[];
  readonly eventType: string | null;
  readonly mapping: SourceMapping;
  readonly defaultCountry: CountryCode | null;
  readonly vouches: SourceFields['vouches'];
  readonly allowedOrigins: readonly string[];
  readonly rate: SourceFields['rate'];
  readonly countries: readonly CountryCode[] | null;
  readonly options: Readonly<Record<string, unknown>>;
  readonly toleranceSeconds: number;
  readonly publishableHash: string | null;
  readonly state: 'on' | 'off';
  readonly updatedAt: number;
}

/** Where texts for this source may go; `null`: anywhere. A form without a list stays in its own country. */
export function destinationsOf(source: Source): readonly CountryCode[] | null {
  if (source.countries !== null) return source.countries;
  return source.kind === 'form' && source.defaultCountry !== null ? [source.defaultCountry] : null;
}
