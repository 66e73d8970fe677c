/** A customer's profile: what the last batch said of MOBILE_NUMBER, SMS_CONSENT, SMS_VALID, and attributes for texts. */
import { type Flag, NO_ATTRIBUTES } from '../domain/attributes.ts';
import { type Phone, readPhone } from '../domain/phone.ts';
import type { Statement } from '../domain/resolve.ts';
import { iso } from '../platform/sql.ts';

/**
 * A profile to be written. What is `undefined` is not spoken of and keeps its stored value; `null` is missing.
 * Times in milliseconds since 1970.
 */
export interface ProfileWrite {
  readonly customer_id: string;
  readonly MOBILE_NUMBER: Pick<Phone, 'raw' | 'e164'> | null | undefined;
  readonly SMS_CONSENT: Flag | undefined;
  readonly SMS_VALID: Flag | undefined;
  readonly attributes: Readonly<Record<string, unknown>> | undefined;
  /** Attributes are merged into the stored ones (null removes one) instead of taking their place. */
  readonly merge: boolean;
  readonly updated_at: number;
  /** Whether the time was said with the values, or stands in from the document. */
  readonly ownTime: boolean;
}

export interface ProfileRow {
  readonly customer_id: string;
  readonly mobile_number: string | null;
  readonly e164: string | null;
  readonly sms_consent: number | null;
  readonly sms_valid: number | null;
  readonly attributes: string;
  readonly updated_at: number;
}

/** A profile as the rules and the templates see it. */
export interface ProfileStatement extends Statement {
  readonly values: Readonly<Record<string, unknown>>;
}

export function statementFromRow(row: ProfileRow): ProfileStatement {
  return {
    attributes: {
      ...NO_ATTRIBUTES,
      MOBILE_NUMBER: phoneFromRow(row),
      SMS_CONSENT: flagFromRow(row.sms_consent),
      SMS_VALID: flagFromRow(row.sms_valid),
    },
    at: iso(row.updated_at),
    values: JSON.parse(row.attributes) as Record<string, unknown>,
  };
}

/** The profile as the API shows it. @param foundInvalid a provider found the number invalid, and that counts. */
export function profileJson(row: ProfileRow, foundInvalid: boolean): Record<string, unknown> {
  return {
    customer_id: row.customer_id,
    MOBILE_NUMBER: row.e164 ?? row.mobile_number,
    SMS_CONSENT: flagFromRow(row.sms_consent),
    SMS_VALID: foundInvalid ? false : flagFromRow(row.sms_valid),
    ...(foundInvalid && { SMS_VALID_source: 'provider' }),
    attributes: JSON.parse(row.attributes) as unknown,
    updated_at: iso(row.updated_at),
  };
}

/** The understood number is read again from E.164, which needs no default country; an unusable one says why. */
function phoneFromRow(row: ProfileRow): Phone | null {
  if (row.mobile_number === null) return null;
  const phone = readPhone(row.e164 ?? row.mobile_number);
  return { ...phone, raw: row.mobile_number };
}

function flagFromRow(value: number | null): Flag {
  return value === null ? null : value === 1;
}
