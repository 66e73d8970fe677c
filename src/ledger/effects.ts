/**
 * What follows from a refusal or a bad receipt beyond its message: an opt-out at the provider suppresses the number, an
 * invalid number is remembered as a finding, a problem of sender or account makes that sender rest there. Written in the
 * transaction that writes the outcome, and harmless when written twice.
 */
import { FIRST_PROBE_MS } from './claim-sql.ts';

export type EffectKind = 'opted_out' | 'number_invalid' | 'pause_sender';

/** An effect of what a provider said. */
export interface Effect {
  readonly kind: EffectKind;
  /** Our canonical error and the provider's own code. */
  readonly error: string;
  readonly code: string | null;
  /** Id of the consent record; the same whenever the same word comes again. */
  readonly recordId: string;
  /** The problem is the account's: every sender rests at this provider. */
  readonly wholeAccount: boolean;
}

/** Carriers date texts in whole seconds, see src/consent/suppressions.ts. */
const WHOLE_SECOND_MS = 999;

/** Effects of receipts that may have come before their messages: which errors have one, and ids for their records. */
export interface EarlyEffects {
  readonly items: readonly {
    readonly id: string;
    readonly provider: string;
    readonly providerMessageId: string;
    readonly recordId: string;
  }[];
  readonly byError: Readonly<Record<string, Pick<Effect, 'kind' | 'wholeAccount'>>>;
}

/** What an item's effect consists of, below `$.effect`. */
const IN_ITEM = (name: keyof Effect): string => `j.value ->> '$.effect.${name}'`;

/**
 * `source`: a FROM clause with the items as `j` and their messages as `m`. `?1` items, `?2` now.
 *
 * @param effect gives each part of an item's effect as an expression.
 */
function effectSql(source: string, effect: (name: keyof Effect) => string = IN_ITEM) {
  const of = (kind: EffectKind): string =>
    `${source} WHERE ${effect('kind')} = '${kind}' AND m.number IS NOT NULL`;
  const provider = `j.value ->> 'provider'`;
  return {
    /** Unless the same word was counted before, or the person opted in after it. */
    suppress: `INSERT INTO suppressions (number, origin, scope, created_at)
      SELECT DISTINCT m.number, 'provider', 'all', ?2 ${of('opted_out')}
        AND NOT EXISTS (SELECT 1 FROM consent_records a WHERE a.id = ${effect('recordId')})
        AND NOT EXISTS (SELECT 1 FROM consent_records a WHERE a.number = m.number AND a.at > ?2 + ${WHOLE_SECOND_MS} AND a.kind = 'opt_in')
      ON CONFLICT (number) DO UPDATE SET created_at = max(created_at, excluded.created_at), scope = 'all'`,
    record: `INSERT INTO consent_records (id, number, kind, scope, origin, message_id, evidence, at)
      SELECT ${effect('recordId')}, m.number, 'opt_out', 'all', 'provider', m.id,
        json_object('provider', ${provider}, 'provider_code', ${effect('code')}, 'error', ${effect('error')}), ?2 ${of('opted_out')}
      ON CONFLICT (id) DO NOTHING`,
    find: `INSERT INTO number_findings (number, error, provider, provider_code, message_id, found_at)
      SELECT m.number, ${effect('error')}, ${provider}, ${effect('code')}, m.id, ?2 ${of('number_invalid')}
      ON CONFLICT (number) DO UPDATE SET error = excluded.error, provider = excluded.provider,
        provider_code = excluded.provider_code, message_id = excluded.message_id, found_at = excluded.found_at`,
    pause: `INSERT INTO sender_pauses (provider, sender, error, provider_code, message_id, since, probe_at)
      SELECT ${provider}, iif(${effect('wholeAccount')}, '*', m.sender), ${effect('error')}, ${effect('code')}, m.id, ?2, ?2 + ${FIRST_PROBE_MS}
        ${of('pause_sender')}
      ON CONFLICT (provider, sender) DO UPDATE SET error = excluded.error, provider_code = excluded.provider_code,
        message_id = excluded.message_id`,
  } as const;
}

export const SETTLE_EFFECT_SQL = effectSql(`FROM json_each(?1) j JOIN messages m ON m.id = j.value ->> 'id'`);
export const RECEIPT_EFFECT_SQL =
  effectSql(`FROM json_each(?1) j JOIN messages m ON m.provider_message_id = j.value ->> 'provider_message_id'
      AND m.provider = j.value ->> 'provider'`);

const IN_RECEIPT: Readonly<Record<keyof Effect, string>> = {
  kind: `v.value ->> 'kind'`,
  wholeAccount: `v.value ->> 'wholeAccount'`,
  error: 'r.error',
  code: 'r.code',
  recordId: `j.value ->> 'recordId'`,
};
/** As above, of receipts that are kept. `?3`: the errors that have an effect. */
export const EARLY_EFFECT_SQL = effectSql(
  `FROM json_each(?1) j JOIN receipts r ON r.provider = j.value ->> 'provider'
      AND r.provider_message_id = j.value ->> 'providerMessageId'
      JOIN json_each(?3) v ON v.key = r.error
      JOIN messages m ON m.id = j.value ->> 'id' AND m.provider = r.provider AND m.provider_message_id = r.provider_message_id`,
  (name) => IN_RECEIPT[name],
);

/** For the transaction that settles a claim: after the settling, and before the receipts that it joins are dropped. */
export function earlyEffectStatements(
  db: D1Database,
  { items, byError }: EarlyEffects,
  now: number,
): D1PreparedStatement[] {
  if (items.length === 0) return [];
  const [json, errors] = [JSON.stringify(items), JSON.stringify(byError)];
  return Object.values(EARLY_EFFECT_SQL).map((sql) => db.prepare(sql).bind(json, now, errors));
}

/** Items `{id | provider_message_id, provider, effect}` as statements for the transaction of their outcome; none without effects. */
export function effectStatements(
  db: D1Database,
  statements: ReturnType<typeof effectSql>,
  items: readonly { readonly effect?: Effect | null }[],
  now: number,
): D1PreparedStatement[] {
  const withEffect = items.filter((item) => item.effect != null);
  if (withEffect.length === 0) return [];
  const json = JSON.stringify(withEffect);
  return Object.values(statements).map((sql) => db.prepare(sql).bind(json, now));
}
