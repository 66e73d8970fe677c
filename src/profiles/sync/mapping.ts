/** Which column is what: our names, the dialects that common systems write, and what a feed's configuration says. */

import type { Feed } from '../feeds/feed.ts';
import { BLANK_COLUMNS, type CanonicalName, DIALECTS } from './dialects.ts';

/** Positions in a record's values; -1 where the record has no such column. */
export interface Mapping extends Readonly<Record<CanonicalName, number>> {
  /** A member that holds several attributes, as NDJSON records have it. */
  readonly attributes: number;
  /** Columns that become attributes, under these names. */
  readonly further: readonly { readonly name: string; readonly at: number }[];
  /** Names as the file has them, for errors. */
  readonly names: readonly string[];
}

export type Mapped = Mapping | { readonly problem: string };

/** @param names of the columns, in their order. */
export function mapColumns(names: readonly string[], feed: Pick<Feed, 'columns' | 'other_columns'>): Mapped {
  const taken = new Set<number>();
  const positions: Record<CanonicalName, number> = { ...BLANK_COLUMNS };
  for (const canonical of Object.keys(DIALECTS) as CanonicalName[]) {
    const found = find(names, canonical, feed.columns[canonical], taken);
    if (typeof found === 'object') return found;
    positions[canonical] = found;
    if (found >= 0) taken.add(found);
  }
  if (positions.customer_id < 0) {
    return { problem: 'has no column customer_id; name the one that holds it in the feed\'s "columns"' };
  }
  const further: { name: string; at: number }[] = [];
  for (const [name, sources] of Object.entries(feed.columns)) {
    if (name in DIALECTS) continue;
    const at = sources
      .map((source) => names.indexOf(source))
      .find((index) => index >= 0 && !taken.has(index));
    if (at === undefined) continue;
    taken.add(at);
    further.push({ name, at });
  }
  const attributes = names.indexOf('attributes');
  if (attributes >= 0) taken.add(attributes);
  if (feed.other_columns === 'attributes') {
    for (const [at, name] of names.entries()) if (!taken.has(at)) further.push({ name, at });
  }
  return { ...positions, attributes, further, names };
}

/** The column for one of our names: the configured one, else our own spelling, else a dialect's, in their order. */
function find(
  names: readonly string[],
  canonical: CanonicalName,
  configured: readonly string[] | undefined,
  taken: ReadonlySet<number>,
): number | { readonly problem: string } {
  if (configured) {
    const index = configured.map((name) => names.indexOf(name)).find((at) => at >= 0);
    return index ?? -1;
  }
  const plain = names.map(plainName);
  for (const dialect of DIALECTS[canonical]) {
    const matches = plain.flatMap((name, index) => (name === dialect && !taken.has(index) ? [index] : []));
    const [first = -1, second] = matches;
    if (second !== undefined) {
      return {
        problem: `has two columns for ${canonical}, "${names[first]}" and "${names[second]}"; name one of them in the feed's "columns"`,
      };
    }
    if (first >= 0) return first;
  }
  return -1;
}

/** Case, spaces, hyphens and underscores say nothing: `Mobile Number` is `mobile_number`. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/[\s_.-]+/g, '');
}
