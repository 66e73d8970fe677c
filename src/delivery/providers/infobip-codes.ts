/**
 * Infobip's status and error codes and what they mean in our words.
 * Source: “Response status and error codes” in Infobip's documentation; the ids are those of its API.
 */
import { z } from 'zod';
import type { SendErrorCode } from '../errors.ts';
import { entryOf } from './callback-items.ts';

interface StatusGroup {
  readonly state: 'sent' | 'delivered' | 'undelivered' | 'failed';
  /** What it means where neither status nor error say more. */
  readonly error: SendErrorCode | null;
}

/** By group id. ACCEPTED and PENDING are on their way; the others are final. */
const STATUS_GROUPS: Readonly<Record<string, StatusGroup>> = {
  0: { state: 'sent', error: null },
  1: { state: 'sent', error: null },
  2: { state: 'undelivered', error: 'unreachable' },
  3: { state: 'delivered', error: null },
  4: { state: 'undelivered', error: 'expired_at_carrier' },
  5: { state: 'failed', error: 'rejected' },
};

export function statusGroup(groupId: number): StatusGroup | undefined {
  return entryOf(STATUS_GROUPS, String(groupId));
}

/** The same message id was submitted before: what became of that one is for its log to say. */
export const DUPLICATE_MESSAGE_ID = 'REJECTED_DUPLICATE_MESSAGE_ID';

type Row = readonly [id: number | null, name: string, code: SendErrorCode];

const STATUS_ROWS: readonly Row[] = [
  [6, 'REJECTED_NETWORK', 'country_not_enabled'],
  [8, 'REJECTED_PREFIX_MISSING', 'number_invalid'],
  [10, 'REJECTED_DND', 'recipient_blocked'],
  [11, 'REJECTED_SOURCE', 'sender_not_registered'],
  [12, 'REJECTED_NOT_ENOUGH_CREDITS', 'no_credit'],
  [13, 'REJECTED_SENDER', 'sender_invalid'],
  [14, 'REJECTED_DESTINATION', 'recipient_blocked'],
  [15, 'EXPIRED_EXPIRED', 'expired_at_carrier'],
  [17, 'REJECTED_PREPAID_PACKAGE_EXPIRED', 'no_credit'],
  [18, 'REJECTED_DESTINATION_NOT_REGISTERED', 'account_problem'],
  [19, 'REJECTED_ROUTE_NOT_AVAILABLE', 'country_not_enabled'],
  [20, 'REJECTED_FLOODING_FILTER', 'throttled'],
  [21, 'REJECTED_SYSTEM_ERROR', 'provider_down'],
  [24, 'REJECTED_INVALID_UDH', 'content_invalid'],
  [25, 'REJECTED_MESSAGE_TOO_LONG', 'content_invalid'],
  [29, 'EXPIRED_DLR_UNKNOWN', 'expired_at_carrier'],
  [51, 'MISSING_TO', 'request_invalid'],
  [52, 'REJECTED_INVALID_DESTINATION', 'number_invalid'],
  [4, 'UNDELIVERABLE_REJECTED_OPERATOR', 'rejected'],
  [9, 'UNDELIVERABLE_NOT_DELIVERED', 'unreachable'],
];

const ERROR_ROWS: readonly Row[] = [
  [1, 'EC_UNKNOWN_SUBSCRIBER', 'number_invalid'],
  [5, 'EC_UNIDENTIFIED_SUBSCRIBER', 'unreachable'],
  [6, 'EC_ABSENT_SUBSCRIBER_SM', 'unreachable'],
  [9, 'EC_ILLEGAL_SUBSCRIBER', 'recipient_blocked'],
  [10, 'EC_BEARER_SERVICE_NOT_PROVISIONED', 'recipient_blocked'],
  [11, 'EC_TELESERVICE_NOT_PROVISIONED', 'recipient_blocked'],
  [12, 'EC_ILLEGAL_EQUIPMENT', 'recipient_blocked'],
  [13, 'EC_CALL_BARRED', 'recipient_blocked'],
  [21, 'EC_FACILITY_NOT_SUPPORTED', 'recipient_blocked'],
  [27, 'EC_ABSENT_SUBSCRIBER', 'unreachable'],
  [31, 'EC_SUBSCRIBER_BUSY_FOR_MT_SMS', 'unreachable'],
  [32, 'EC_SM_DELIVERY_FAILURE', 'unreachable'],
  [33, 'EC_MESSAGE_WAITING_LIST_FULL', 'unreachable'],
  [34, 'EC_SYSTEM_FAILURE', 'unreachable'],
  [256, 'EC_SM_DF_MEMORYCAPACITYEXCEEDED', 'unreachable'],
  [257, 'EC_SM_DF_EQUIPMENTPROTOCOLERROR', 'unreachable'],
  [258, 'EC_SM_DF_EQUIPMENTNOTSM_EQUIPPED', 'unreachable'],
  [500, 'EC_PROVIDER_GENERAL_ERROR', 'provider_down'],
  [502, 'EC_NO_RESPONSE', 'unreachable'],
  [1030, 'EC_OR_POTENTIALVERSIONINCOMPATIBILITY', 'unreachable'],
  [1155, 'EC_NNR_SUBSYSTEMFAILURE', 'unreachable'],
  [1157, 'EC_NNR_MTPFAILURE', 'unreachable'],
  [1281, 'EC_UA_USERSPECIFICREASON', 'unreachable'],
  [1536, 'EC_PA_PROVIDERMALFUNCTION', 'unreachable'],
  [2048, 'EC_TIME_OUT', 'expired_at_carrier'],
  [2049, 'EC_IMSI_BLACKLISTED', 'recipient_blocked'],
  [2050, 'EC_DEST_ADDRESS_BLACKLISTED', 'recipient_blocked'],
  [2051, 'EC_INVALIDMSCADDRESS', 'unreachable'],
  [2053, 'EC_BLACKLISTED_SENDERADDRESS', 'sender_invalid'],
  [4100, 'EC_MESSAGE_CANCELED', 'rejected'],
  [4101, 'EC_VALIDITYEXPIRED', 'expired_at_carrier'],
  [4103, 'EC_DESTINATION_FLOODING', 'throttled'],
  [4104, 'EC_DESTINATION_TXT_FLOODING', 'throttled'],
  [null, 'EC_NOTSUBMITTEDTOSMPPCHANNEL', 'provider_down'],
  [null, 'EC_INVALID_DESTINATION_ADDRESS', 'number_invalid'],
  [null, 'EC_DEST_ADDRESS_NOT_FOUND', 'number_invalid'],
  [null, 'EC_INVALID_SOURCE_ADDRESS', 'sender_invalid'],
  [null, 'EC_NOT_ENOUGH_CREDITS', 'no_credit'],
  [null, 'EC_ACCOUNT_NOT_PROVISIONED_FOR_SMS', 'account_problem'],
  [null, 'EC_DEST_ADDRESS_NOT_IN_SMS_DEMO', 'account_problem'],
];

/** Whole families of codes of the carriers' own network: the text did not get through to the phone. */
const UNREACHABLE_FAMILIES = /^EC_(NNR|UA|PA|NC|OR)_/;

/** A code as the API gives it: a name, an id, or both. */
export const namedCode = z.object({ id: z.number().optional(), name: z.string().max(100).optional() });
export type NamedCode = z.output<typeof namedCode>;

export function statusError(status: NamedCode): SendErrorCode | null {
  return lookUp(STATUS_ROWS, status);
}

/** @returns `null` for “no error” and for codes that we do not know. */
export function gsmError(error: NamedCode): SendErrorCode | null {
  const known = lookUp(ERROR_ROWS, error);
  if (known !== null) return known;
  return UNREACHABLE_FAMILIES.test(error.name ?? '') ? 'unreachable' : null;
}

function lookUp(rows: readonly Row[], { id, name }: NamedCode): SendErrorCode | null {
  const row =
    rows.find((known) => known[1] === name?.toUpperCase()) ??
    (name === undefined ? rows.find((known) => known[0] !== null && known[0] === id) : undefined);
  return row?.[2] ?? null;
}
