/**
 * A source's own mapping, as data: which path of the payload gives which field of our event. What is mapped replaces what
 * the kind found by itself; consent is never anything but an explicit field or a constant that somebody wrote down.
 */
import { z } from 'zod';
import { reservedName } from '../domain/attributes.ts';
import { isJsonObject, isPrototypeName } from '../platform/json.ts';
import { finderOf, pathComplaint } from './paths.ts';

const scalar = z.union(
  [z.string().max(2000), z.number(), z.boolean(), z.null()],
  'must be a text, a number, true, false or null',
);

const path = z
  .string()
  .max(300, 'must have at most 300 characters')
  .superRefine((value, context) => {
    const complaint = pathComplaint(value);
    if (complaint !== null)
      context.addIssue({ code: 'custom', message: `is no path (${JSON.stringify(value)}): ${complaint}` });
  });

/** `"$.email"`, `["/email", "/mail"]` (the first that is there), `{path, map}` or `{const}`. */
const rule = z.preprocess(
  (given) => {
    const whole = typeof given === 'string' || Array.isArray(given) ? { path: given } : given;
    return isJsonObject(whole) && typeof whole.path === 'string' ? { ...whole, path: [whole.path] } : whole;
  },
  z
    .strictObject({
      path: z.array(path).min(1, 'must name at least one').max(10, 'must name at most 10').optional(),
      map: z.record(z.string().max(200), scalar).optional(),
      const: scalar.optional(),
    })
    .refine(
      (given) => (given.path === undefined) !== (given.const === undefined),
      'must have a path or a const',
    )
    .refine((given) => given.map === undefined || given.path !== undefined, {
      path: ['map'],
      error: 'needs a path beside it',
    }),
);
type Rule = z.output<typeof rule>;

const dataRules = z.record(z.string(), rule).superRefine((rules, context) => {
  for (const name of Object.keys(rules)) {
    const message = nameComplaint(name);
    if (message !== null) context.addIssue({ code: 'custom', path: [name], message });
  }
});

function nameComplaint(name: string): string | null {
  if (name === '' || name.length > 100) return 'must have 1 to 100 characters';
  if (isPrototypeName(name)) return 'is the name of an object property and not allowed';
  return reservedName(name) === null ? null : 'is reserved; map it beside data, not in it';
}

export const mappingFields = z.strictObject({
  id: rule.optional(),
  type: rule.optional(),
  customer_id: rule.optional(),
  occurred_at: rule.optional(),
  MOBILE_NUMBER: rule.optional(),
  SMS_CONSENT: rule.optional(),
  SMS_VALID: rule.optional(),
  data: dataRules.optional(),
});

export type SourceMapping = z.output<typeof mappingFields>;

/** A value, and whether a value map was asked for it and did not know it. */
export interface Found {
  readonly value: unknown;
  readonly unmapped: boolean;
}

/** What a rule gives; `undefined` as the value where nothing is there. */
export function apply(rule: Rule, payload: unknown): Found {
  const { path, map } = rule;
  if (path === undefined) return { value: rule.const, unmapped: false };
  const value = firstPresent(path, payload);
  if (map === undefined || value === undefined) return { value, unmapped: false };
  const key = String(value);
  if (Object.hasOwn(map, key)) return { value: map[key], unmapped: false };
  return { value: undefined, unmapped: true };
}

function firstPresent(paths: readonly string[], payload: unknown): unknown {
  for (const path of paths) {
    const value = finderOf(path)(payload);
    const only = Array.isArray(value) && value.length === 1 ? value[0] : value;
    if (only !== undefined && only !== null && !(typeof only === 'string' && only.trim() === '')) return only;
  }
  return undefined;
}
