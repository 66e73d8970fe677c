/** What follows from an error beyond its message, ready for the ledger. */
import type { EarlyEffects, Effect } from '../ledger/effects.ts';
import type { Settlement } from '../ledger/settle.ts';
import { derivedId } from '../platform/ids.ts';
import type { ReceiptNote } from '../platform/runtime.ts';
import { effectOf, faultOf, SEND_ERRORS, type SendErrorCode } from './errors.ts';

type ErrorEffect = Pick<Effect, 'kind' | 'wholeAccount'>;

const BY_ERROR: Readonly<Record<string, ErrorEffect>> = Object.fromEntries(
  (Object.keys(SEND_ERRORS) as SendErrorCode[]).flatMap((error): [string, ErrorEffect][] => {
    const kind = effectOf(error);
    return kind === 'none' ? [] : [[error, { kind, wholeAccount: faultOf(error) === 'account' }]];
  }),
);

/**
 * @param error our canonical code; anything else has no effect.
 * @param occasion what makes this word the same when it comes again: provider, message and attempt, or the receipt's id.
 */
export async function effectFrom(
  error: string | null,
  code: string | null,
  ...occasion: readonly string[]
): Promise<Effect | null> {
  const effect = error !== null && Object.hasOwn(BY_ERROR, error) ? BY_ERROR[error] : undefined;
  if (error === null || effect === undefined) return null;
  return { ...effect, error, code, recordId: await recordIdOf(...occasion) };
}

export async function effectOfReceipt(
  receipt: Pick<ReceiptNote, 'provider' | 'provider_message_id' | 'error' | 'code'>,
): Promise<Effect | null> {
  return await effectFrom(receipt.error, receipt.code, ...occasionOf(receipt));
}

/** What may follow from receipts that came before these messages were settled: the same as if they had come after. */
export async function earlyEffects(settlements: readonly Settlement[]): Promise<EarlyEffects> {
  const items = settlements.flatMap(({ id, provider, providerMessageId }) =>
    providerMessageId === null ? [] : [{ id, provider, providerMessageId }],
  );
  return {
    byError: BY_ERROR,
    items: await Promise.all(
      items.map(async (item) => {
        const occasion = occasionOf({ provider: item.provider, provider_message_id: item.providerMessageId });
        return { ...item, recordId: await recordIdOf(...occasion) };
      }),
    ),
  };
}

function occasionOf(receipt: Pick<ReceiptNote, 'provider' | 'provider_message_id'>): readonly string[] {
  return ['receipt', receipt.provider, receipt.provider_message_id];
}

async function recordIdOf(...occasion: readonly string[]): Promise<string> {
  return await derivedId('con', 'provider', ...occasion);
}
