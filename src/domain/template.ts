/**
 * Message templates: Liquid over event data first, then profile attributes.
 *
 * liquidjs runs on workerd (no `new Function`). Its own limits bound what a template may cost; tags that reach for
 * other files are taken out. A variable that has no value is a stated outcome, never an empty hole; a template may
 * still give one a default (`{{ first_name | default: "there" }}`) or ask for it (`{% if first_name %}`).
 */
import { Liquid, LiquidError, type Template, UndefinedVariableError } from 'liquidjs';
import type { ContentReason } from './reasons.ts';

/** Ten concatenated GSM-7 segments, the most that providers take. Unit: UTF-16 units. */
export const MAX_BODY_LENGTH = 1600;
export const MAX_TEMPLATE_LENGTH = 4000;

const liquid = new Liquid({
  strictVariables: true,
  strictFilters: true,
  lenientIf: true,
  ownPropertyOnly: true,
  parseLimit: 20_000,
  // Clocks stand still between I/O on deployed Workers, so there the memory limit is the one that binds.
  renderLimit: 50,
  memoryLimit: 200_000,
});
for (const tag of ['include', 'render', 'layout', 'block']) delete liquid.tags[tag];

export type Rendered =
  | { readonly ok: true; readonly body: string }
  | { readonly ok: false; readonly reason: ContentReason; readonly detail: string };

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
  try {
    const scope = { ...withValues(attributes), ...withValues(data) };
    const body = String(liquid.renderSync(parsed(template), scope)).trim();
    if (body === '') return { ok: false, reason: 'body_empty', detail: '' };
    if (body.length > MAX_BODY_LENGTH) {
      return {
        ok: false,
        reason: 'body_too_long',
        detail: `${body.length} characters, at most ${MAX_BODY_LENGTH}`,
      };
    }
    return { ok: true, body };
  } catch (error) {
    const missing = missingVariable(error);
    if (missing !== null) return { ok: false, reason: 'template_variable_missing', detail: missing };
    return { ok: false, reason: 'template_error', detail: firstLine(error) };
  }
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

/** Only what has a value, at every depth, so that a blank counts as missing. */
function withValues(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    if (value === null || value === undefined) continue;
    if (typeof value === 'string' && value.trim() === '') continue;
    kept[key] = isRecord(value) ? withValues(value) : value;
  }
  return kept;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
