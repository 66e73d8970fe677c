/** Seeded randomness and mutations: the same seed gives the same bodies on every machine. */

export interface Random {
  /** An integer from 0 up to, not including, `below`. */
  below(below: number): number;
  pick<T>(values: readonly T[]): T;
  chance(oneIn: number): boolean;
}

/** mulberry32: small, fast, good enough to mutate with. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (values) => {
      const value = values[below(values.length)];
      if (value === undefined && values.length === 0) throw new Error('nothing to pick from');
      return value as (typeof values)[number];
    },
    chance: (oneIn) => below(oneIn) === 0,
  };
}

/** What no schema expects. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1e308,
  5e-324,
  1e16,
  253_402_300_800,
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\u202e',
  '+12025550123',
  'yes',
  'No',
  '__proto__',
  'constructor',
  '0000-00-00T00:00:00Z',
  '9999-99-99T99:99:99+99:99',
  'x'.repeat(300),
  'aA'.repeat(200),
  ' '.repeat(500),
  [],
  {},
  [[]],
  [null],
  { value: null },
  { '': {} },
  { labels: {} },
  { labels: [[]] },
  [1, 'a', {}],
];

const KEYS = [
  '',
  'id',
  'type',
  'data',
  'value',
  'SMS_CONSENT',
  'mobile_number',
  'toString',
  '__proto__',
  'x'.repeat(250),
];

/** The value with something in it replaced, removed, added or renamed. The original stays as it is. */
export function mutate(value: unknown, rng: Random): unknown {
  if (rng.chance(6)) return rng.pick(STRANGE);
  if (Array.isArray(value)) {
    if (value.length === 0) return [rng.pick(STRANGE)];
    const index = rng.below(value.length);
    if (rng.chance(8)) return value.filter((_, place) => place !== index);
    if (rng.chance(8)) return [...value, ...value];
    return value.map((element, place) => (place === index ? mutate(element, rng) : element));
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return { [rng.pick(KEYS)]: rng.pick(STRANGE) };
    const index = rng.below(entries.length);
    const change = rng.below(10);
    return Object.fromEntries(
      entries.flatMap(([key, inner], place) => {
        if (place !== index) return [[key, inner]];
        if (change === 0) return [];
        if (change === 1) return [[rng.pick(KEYS), inner]];
        if (change === 2)
          return [
            [key, inner],
            [rng.pick(KEYS), rng.pick(STRANGE)],
          ];
        return [[key, mutate(inner, rng)]];
      }),
    );
  }
  return rng.pick(STRANGE);
}

/** The bytes with some of them changed, removed, doubled or cut off. */
export function damage(bytes: Uint8Array, rng: Random): Uint8Array {
  if (bytes.length === 0) return bytes;
  const index = rng.below(bytes.length);
  switch (rng.below(4)) {
    case 0: {
      const changed = bytes.slice();
      changed[index] = rng.below(256);
      return changed;
    }
    case 1:
      return bytes.slice(0, index);
    case 2:
      return bytes.slice(index);
    default: {
      const end = Math.min(bytes.length, index + 1 + rng.below(20));
      const doubled = new Uint8Array(bytes.length + end - index);
      doubled.set(bytes.subarray(0, end));
      doubled.set(bytes.subarray(index), end);
      return doubled;
    }
  }
}
