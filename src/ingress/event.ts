/** A trigger event as clients send it, and as the rest of the system sees it. */
import { z } from 'zod';
import { type Attributes, readAttributes, reservedName } from '../domain/attributes.ts';
import type { CountryCode } from '../domain/phone.ts';
import { eventType, externalId, jsonObject, timestamp } from '../platform/fields.ts';
import { sha256Hex } from '../platform/ids.ts';
import { canonicalJson, isJsonObject } from '../platform/json.ts';
import type { FieldProblem } from '../platform/problem.ts';
import { fieldProblems } from '../platform/validate.ts';

export const MAX_EVENTS = 500;
/** Of one event's data as JSON. With all that is made from it, an event must stay far below D1's 2 MB for a row. */
const MAX_DATA_LENGTH = 100_000;

const schema = z.strictObject(
  {
    id: externalId,
    type: eventType,
    customer_id: externalId,
    occurred_at: timestamp.optional(),
    data: jsonObject
      .refine((data) => JSON.stringify(data).length <= MAX_DATA_LENGTH, {
        error: `must have at most ${MAX_DATA_LENGTH} characters as JSON`,
      })
      .default({}),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'must be a JSON object' : undefined) },
);

export interface TriggerEvent {
  readonly id: string;
  readonly type: string;
  readonly customer_id: string;
  /** Milliseconds since 1970; the time of receipt where the client gave none. */
  readonly occurredAt: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly attributes: Attributes;
  /** SHA-256 of the event as sent, in canonical form: tells a repetition from another event under the same id. */
  readonly bodyHash: string;
}

export type ParsedEvent =
  | { readonly ok: true; readonly event: TriggerEvent }
  | { readonly ok: false; readonly id: string | null; readonly errors: readonly FieldProblem[] };

/** Validates one event. Errors name every field that is wrong. */
export async function parseEvent(
  raw: unknown,
  receivedAt: number,
  defaultCountry: CountryCode | undefined,
): Promise<ParsedEvent> {
  const result = schema.safeParse(raw);
  const shape = result.success ? [] : fieldProblems(result.error);
  const data = result.success ? result.data.data : dataOf(raw);
  const reserved = readAttributes(data, 'data', defaultCountry);
  const errors = [...shape, ...('errors' in reserved ? reserved.errors : [])];
  if (!result.success || 'errors' in reserved) return { ok: false, id: idOf(raw), errors };

  const { id, type, customer_id, occurred_at } = result.data;
  return {
    ok: true,
    event: {
      id,
      type,
      customer_id,
      occurredAt: occurred_at === undefined ? receivedAt : Date.parse(occurred_at),
      data,
      attributes: reserved.attributes,
      bodyHash: await sha256Hex(canonicalJson(raw)),
    },
  };
}

/**
 * What templates may use of the event: its data, and the reserved attributes under their proper names whatever their
 * spelling was.
 */
export function templateData(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const values: Record<string, unknown> = { ...data };
  for (const [key, value] of Object.entries(data)) {
    const name = reservedName(key);
    if (name !== null) values[name] = value;
  }
  return values;
}

function dataOf(raw: unknown): Record<string, unknown> {
  const data = isJsonObject(raw) ? raw.data : undefined;
  return isJsonObject(data) ? data : {};
}

function idOf(raw: unknown): string | null {
  return isJsonObject(raw) && typeof raw.id === 'string' ? raw.id.slice(0, 200) : null;
}
