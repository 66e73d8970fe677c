/** How far an opt-out reaches, and which campaigns that stops. */

export const CONSENT_SCOPES = ['all', 'marketing'] as const;
export type ConsentScope = (typeof CONSENT_SCOPES)[number];
export type Purpose = 'marketing' | 'transactional';

/** Opted-out numbers in E.164 with the reach of each opt-out. */
export type OptOuts = ReadonlyMap<string, ConsentScope>;

/** The numbers that a campaign of this purpose must not text. */
export function optedOutFor(optOuts: OptOuts, purpose: Purpose): ReadonlySet<string> {
  const reached = [...optOuts].filter(([, scope]) => scope === 'all' || purpose === 'marketing');
  return new Set(reached.map(([number]) => number));
}
