/** An inbound text, whichever provider brought it: what it says about consent is written before it is answered. */
import { keywordOf } from '../consent/keywords.ts';
import { optIn, optOut } from '../consent/suppressions.ts';
import type { InboundText } from '../delivery/provider.ts';
import { readPhone } from '../domain/phone.ts';
import { derivedId } from '../platform/ids.ts';
import type { Runtime } from '../platform/runtime.ts';

export async function receiveText(
  runtime: Runtime,
  inbound: InboundText,
): Promise<'opt_out' | 'opt_in' | null> {
  const keyword = keywordOf(inbound.text);
  if (keyword === null) return null;
  // Some carriers leave the plus out. A number that we would not text may still say STOP; it is kept as it was written.
  const withPlus = inbound.from.startsWith('+') ? inbound.from : `+${inbound.from}`;
  const number = readPhone(withPlus).e164 ?? inbound.from;
  const recordId = await derivedId('con', inbound.deliveryId);
  const change = keyword === 'opt_out' ? optOut : optIn;
  await change(runtime.db, { number, origin: 'sms', note: null, at: inbound.at, recordId });
  return keyword;
}
