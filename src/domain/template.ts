/**
 * Message templates: Liquid over event data first, then profile attributes.
 *
 * liquidjs runs on workerd (no `new Function`). Its own limits bound what a template may cost; tags that reach for
 * other files are taken out. A variable that has no value is a stated outcome, never an empty hole; a template may
 * still give one a default (`{{ first_name | default: "there" }}`) or ask for it (`{% if first_name %}`).
 */
import { Liquid, LiquidError, type Template, UndefinedVariableError } from 'liquidjs';
import { isBlank } from './attributes.ts';
import type { ContentReason } from './reasons.ts';

/** Ten concatenated GSM-7 segments, the most that providers take. Unit: UTF-16 units. */
export const MAX_BODY_LENGTH = 1600;
export const MAX_TEMPLATE_LENGTH = 4000;

/** The variable that is the message's own opt-out link. Neither events nor profiles can set it. */
export const OPT_OUT_URL = 'opt_out_url';

/** Whether a template may ask for the link; making one costs an HMAC. */
export function usesOptOutUrl(template: string): boolean {
  return template.includes(OPT_OUT_URL);
}

const liquid = new Liquid({
  strictVariables: true,
  strictFilters: true,
  lenientIf: true,
  ownPropertyOnly: true,
  parseLimit: 20_000,
  // Clocks stand still between I/O on deployed Workers, so there the memory limit is the one that binds.
  renderLimit: 50,
  memoryLimit: 200_000,
  outputEscape: printable,
});
for (const tag of ['include', 'render', 'layout', 'block']) delete liquid.tags[tag];

/** Control characters but for tabs and line ends. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const UNPRINTABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

export type Rendered =
  | { readonly ok: true; readonly body: string }
  | {
      readonly ok: false;
      readonly reason: ContentReason;
      readonly detail: string;
      /** Event data that would have made the text: `null` where no values would. */
      readonly mend: Readonly<Record<string, unknown>> | null;
    };

/** What is wrong with a template, for the person who saves it; `null` where it parses. */
export function templateProblem(template: string): string | null {
  if (template.length > MAX_TEMPLATE_LENGTH) return `must have at most ${MAX_TEMPLATE_LENGTH} characters`;
  try {
    liquid.parse(template);
    return null;
  } catch (error) {
    return `is not a valid Liquid template: ${firstLine(error)}`;
  }
}

/**
 * Renders a template.
 *
 * @param data event data; wins over `attributes`. Null and blank values are missing on both sides.
 */
export function renderTemplate(
  template: string,
  data: Readonly<Record<string, unknown>>,
  attributes: Readonly<Record<string, unknown>>,
): Rendered {
  const scope = { ...withValues(attributes), ...withValues(data) };
  const first = renderOnce(template, scope);
  if (first.ok) return first;
  if (first.missing === null) return { ok: false, reason: first.reason, detail: first.detail, mend: null };

  // Liquid names one missing variable at a time, so values are put in until none is missing.
  const names: string[] = [];
  let attempt: Attempt = first;
  let filled: Record<string, unknown> = scope;
  let mend: Record<string, unknown> = {};
  while (!attempt.ok && attempt.missing !== null && names.length < MAX_MISSING) {
    const name = attempt.missing;
    // Liquid puts the value of `plans[email]` into the name; only what the template itself says is shown.
    const written = template.includes(name);
    const shown = written ? name : (name.split('.')[0] ?? name);
    const again = names.includes(shown);
    if (!again) names.push(shown);
    // No event data would mend a missing link; the configuration does.
    if (again || !written || name === OPT_OUT_URL || !PATH.test(name)) break;
    filled = withPath(filled, name.split('.'));
    mend = withPath(mend, name.split('.'));
    attempt = renderOnce(template, filled);
  }
  return {
    ok: false,
    reason: 'template_variable_missing',
    detail: names.join(', '),
    mend: attempt.ok ? mend : null,
  };
}

type Attempt =
  | { readonly ok: true; readonly body: string }
  | {
      readonly ok: false;
      readonly reason: ContentReason;
      readonly detail: string;
      readonly missing: string | null;
    };

/** More missing values than these are not listed. */
const MAX_MISSING = 20;
/** A variable by its plain path: `user.first_name`. */
const PATH = /^[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*$/;

function renderOnce(template: string, scope: Readonly<Record<string, unknown>>): Attempt {
  const failed = (reason: ContentReason, detail: string, missing: string | null = null): Attempt => ({
    ok: false,
    reason,
    detail,
    missing,
  });
  try {
    const body = String(liquid.renderSync(parsed(template), scope)).trim();
    if (body === '') return failed('body_empty', '');
    if (body.length > MAX_BODY_LENGTH) {
      return failed('body_too_long', `${body.length} characters, at most ${MAX_BODY_LENGTH}`);
    }
    if (!body.isWellFormed() || UNPRINTABLE.test(body)) {
      return failed('template_error', 'the text has characters that no phone shows');
    }
    return { ok: true, body };
  } catch (error) {
    const missing = missingVariable(error);
    return missing === null
      ? failed('template_error', firstLine(error))
      : failed('template_variable_missing', missing, missing);
  }
}

/** A copy with a value at a path, below what is there already. */
function withPath(
  values: Readonly<Record<string, unknown>>,
  path: readonly string[],
): Record<string, unknown> {
  const [key = '', ...rest] = path;
  const below = values[key];
  return { ...values, [key]: rest.length === 0 ? 'a value' : withPath(isRecord(below) ? below : {}, rest) };
}

/** Parsed templates by their text: a batch of events renders few templates many times. */
const parsedTemplates = new Map<string, Template[]>();
const MAX_PARSED = 256;

function parsed(template: string): Template[] {
  const known = parsedTemplates.get(template);
  if (known) return known;
  const fresh = liquid.parse(template);
  if (parsedTemplates.size >= MAX_PARSED) parsedTemplates.clear();
  parsedTemplates.set(template, fresh);
  return fresh;
}

/** What an output prints. A list, an object or nothing at all would be a hole or rubbish in a customer's text. */
function printable(value: unknown): string {
  if (value === null || value === undefined) throw new Error('an output has no value');
  if (typeof value === 'object') throw new Error('an output is a list or an object, not a text');
  return String(value);
}

/** Only what has a value, at every depth, so that a blank counts as missing. */
function withValues(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => {
      const kept = withValue(value);
      return kept === undefined ? [] : [[key, kept]];
    }),
  );
}

/** The value without what is blank in it; `undefined` where nothing is left. */
function withValue(value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'string') return isBlank(value) ? undefined : value;
  if (Array.isArray(value)) {
    const kept = value.map(withValue).filter((item) => item !== undefined);
    return kept.length > 0 ? kept : undefined;
  }
  return isRecord(value) ? withValues(value) : value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function missingVariable(error: unknown): string | null {
  if (!LiquidError.is(error)) return null;
  const cause = error.name === 'UndefinedVariableError' ? error : error.originalError;
  if (cause instanceof UndefinedVariableError || cause?.name === 'UndefinedVariableError') {
    return /undefined variable: (\S+?),?(\s|$)/.exec(cause.message)?.[1] ?? 'a variable';
  }
  return null;
}

/** Liquid's message without its code frame, which would quote the template. */
function firstLine(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? 'error') : 'error';
}
