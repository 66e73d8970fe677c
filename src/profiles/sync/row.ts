/** One record of a feed, read as a profile. */
import { type FieldError, isBlank, readFlag } from '../../domain/attributes.ts';
import type { CountryCode } from '../../domain/phone.ts';
import { isJsonObject } from '../../platform/json.ts';
import { readFeedNumber } from '../number.ts';
import type { ProfileWrite } from '../profile.ts';
import { MAX_ATTRIBUTES_LENGTH, type ParsedRecord, readId, readTime, TOO_LONG } from '../record.ts';
import type { Mapping } from './mapping.ts';

export interface RowOptions {
  /** The document's time, milliseconds since 1970. */
  readonly documentTime: number;
  readonly country: CountryCode | undefined;
  /** A blank says “missing” instead of nothing. */
  readonly blankClears: boolean;
}

const FLAG_MESSAGE = 'must be true or false (also 1/0, yes/no, y/n, on/off), or blank where it is not known';

/** Reads a record. A column that is absent is not spoken of; the errors name columns as the file does. */
export function readRow(values: readonly unknown[], mapping: Mapping, options: RowOptions): ParsedRecord {
  const errors: FieldError[] = [];
  const wrong = (at: number, message: string): undefined => {
    errors.push({ path: mapping.names[at] ?? '(row)', message });
    return undefined;
  };
  const id = readId(values[mapping.customer_id]);
  const time = readTime(values[mapping.updated_at], options.documentTime);
  if (!id.ok) wrong(mapping.customer_id, id.message);
  if ('message' in time) wrong(mapping.updated_at, time.message);

  const flag = (at: number): ProfileWrite['SMS_CONSENT'] => {
    const value = values[at];
    if (at < 0 || value === undefined) return undefined;
    const read = readFlag(value);
    if (read === undefined) return wrong(at, FLAG_MESSAGE);
    return read === null && !options.blankClears ? undefined : read;
  };
  const number = (at: number): ProfileWrite['MOBILE_NUMBER'] => {
    const value = values[at];
    if (at < 0 || value === undefined) return undefined;
    if (value === null || (typeof value === 'string' && isBlank(value)))
      return options.blankClears ? null : undefined;
    if (typeof value === 'string') return readFeedNumber(value.trim(), options.country);
    return wrong(at, 'must be a text such as "+14155550123"; put the number in quotes');
  };
  const MOBILE_NUMBER = number(mapping.MOBILE_NUMBER);
  const SMS_CONSENT = flag(mapping.SMS_CONSENT);
  const SMS_VALID = flag(mapping.SMS_VALID);
  const attributes = attributesOf(values, mapping, options.blankClears, wrong);
  if (!id.ok || 'message' in time || errors.length > 0) return { ok: false, errors };
  return {
    ok: true,
    profile: {
      customer_id: id.value,
      MOBILE_NUMBER,
      SMS_CONSENT,
      SMS_VALID,
      attributes,
      merge: true,
      updated_at: time.at,
      ownTime: time.own,
    },
  };
}

/** Further columns and the members of `attributes`; null removes one that is stored. */
function attributesOf(
  values: readonly unknown[],
  mapping: Mapping,
  blankClears: boolean,
  wrong: (at: number, message: string) => undefined,
): Record<string, unknown> | undefined {
  let attributes: Record<string, unknown> | undefined;
  let length = 0;
  const take = (name: string, value: unknown): void => {
    const blank = value === null || value === '';
    if (value === undefined || (blank && !blankClears)) return;
    attributes ??= {};
    attributes[name] = blank ? null : value;
    length +=
      name.length + (typeof value === 'string' ? value.length : (JSON.stringify(value)?.length ?? 0)) + 6;
  };
  for (const { name, at } of mapping.further) take(name, values[at]);
  const nested = values[mapping.attributes];
  if (isJsonObject(nested)) for (const [name, value] of Object.entries(nested)) take(name, value);
  else if (nested !== undefined && nested !== null && nested !== '') {
    return wrong(mapping.attributes, 'must be a JSON object; in CSV, give each attribute a column');
  }
  return length > MAX_ATTRIBUTES_LENGTH ? wrong(-1, `attributes ${TOO_LONG}`) : attributes;
}
