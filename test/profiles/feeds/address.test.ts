import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AddressRules, addressComplaint, isPublicAddress } from '../../../src/profiles/feeds/address.ts';

const RULES: AddressRules = { trusted: new Set(), ports: [] };
const complaint = (url: string, rules = RULES): string | null => addressComplaint(new URL(url), rules);

/** IANA's special-purpose registries (RFC 6890 and its updates), as first address and prefix length. */
const SPECIAL_V4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

const SPECIAL_V6: readonly (readonly [string, number])[] = [
  ['::', 96],
  ['64:ff9b::', 96],
  ['100::', 64],
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

const v4Number = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const v4Text = (number: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');

function v6Bits(address: string): bigint {
  const [head = '', tail = ''] = address.split('::');
  const parts = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const zeros = Array<string>(8 - parts(head).length - parts(tail).length).fill('0');
  const all = [...parts(head), ...zeros, ...parts(tail)];
  return all.reduce((sum, part) => sum * 65536n + BigInt(`0x${part}`), 0n);
}
const v6Text = (bits: bigint): string =>
  Array.from({ length: 8 }, (_, index) => ((bits >> BigInt(112 - 16 * index)) & 0xffffn).toString(16)).join(
    ':',
  );

/** Every address of those ranges, evenly over the ranges. */
const specialV4 = fc
  .tuple(fc.constantFrom(...SPECIAL_V4), fc.nat(2 ** 32 - 1))
  .map(([[first, length], offset]) => v4Number(first) + (offset % 2 ** (32 - length)));
const specialV6 = fc
  .tuple(fc.constantFrom(...SPECIAL_V6), fc.bigInt(0n, 2n ** 128n - 1n))
  .map(([[first, length], offset]) => v6Bits(first) + (offset % 2n ** BigInt(128 - length)));

/** As people who want past a guard write an IPv4 address; the URL parser knows all of them. */
const SPELLINGS: readonly ((number: number) => string)[] = [
  v4Text,
  String,
  (number) => `0x${number.toString(16)}`,
  (number) => `0${number.toString(8)}`,
  (number) =>
    v4Text(number)
      .split('.')
      .map((part) => `0${Number(part).toString(8)}`)
      .join('.'),
  (number) =>
    v4Text(number)
      .split('.')
      .map((part) => `0x${Number(part).toString(16)}`)
      .join('.'),
  (number) => `${Math.floor(number / 2 ** 24)}.${number % 2 ** 24}`,
  (number) => `[::ffff:${v4Text(number)}]`,
  (number) => `[::${v4Text(number)}]`,
  (number) => `[64:ff9b::${v4Text(number)}]`,
  (number) => `${v4Text(number)}.`,
];

describe('a feed may not name', () => {
  it('any special IPv4 address, in any spelling', () => {
    fc.assert(
      fc.property(specialV4, fc.constantFrom(...SPELLINGS), (number, spell) => {
        expect(complaint(`https://${spell(number)}/feed.csv`)).toBe(
          'must not be a private or special IP address',
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('any special IPv6 address', () => {
    fc.assert(
      fc.property(specialV6, (bits) => {
        expect(complaint(`https://[${v6Text(bits)}]/feed.csv`)).toBe(
          'must not be a private or special IP address',
        );
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['https://localhost/', 'must be a public host name'],
    ['https://LOCALHOST./', 'must be a public host name'],
    ['https://a.localhost/', 'must be a public host name'],
    ['https://metadata.google.internal/', 'must be a public host name'],
    ['https://printer.local/', 'must be a public host name'],
    ['https://intranet/', 'must be a public host name'],
    ['https://router.home.arpa/', 'must be a public host name'],
    ['http://example.com/', 'must be an https address'],
    ['ftp://example.com/', 'must be an https address'],
    ['file:///etc/passwd', 'must be an https address'],
    ['data:text/csv,a', 'must be an https address'],
    ['https://user@example.com/', 'must not hold a user or password; give them as "auth"'],
    ['https://:secret@example.com/', 'must not hold a user or password; give them as "auth"'],
    ['https://example.com:8443/', 'must use port 443; to allow 8443, name it in "ports"'],
    ['https://example.com:22/', 'must use port 443; to allow 22, name it in "ports"'],
  ])('%s: it %s', (url, words) => {
    expect(complaint(url)).toBe(words);
  });
});

describe('a feed may name', () => {
  it.each([
    'https://example.com/a.csv',
    'https://example.com:443/',
    'https://93.184.215.14/',
    'https://[2606:4700:4700::1111]/',
    'https://localhost.example.com/',
    'https://internal-data.example.com/',
  ])('%s', (url) => {
    expect(complaint(url)).toBeNull();
  });

  it('a port that the feed lists', () => {
    expect(complaint('https://example.com:8443/', { ...RULES, ports: [8443] })).toBeNull();
  });

  it('a host that the operator trusts, on that port only, and no user even there', () => {
    const rules = { ...RULES, trusted: new Set(['127.0.0.1:8123']) };
    expect(complaint('http://127.0.0.1:8123/feed.csv', rules)).toBeNull();
    expect(complaint('http://127.0.0.1:8124/feed.csv', rules)).not.toBeNull();
    expect(complaint('http://u:p@127.0.0.1:8123/', rules)).not.toBeNull();
    expect(complaint('ftp://127.0.0.1:8123/', rules)).not.toBeNull();
  });
});

describe('an address that a resolver gives', () => {
  it.each(['1.1.1.1', '93.184.215.14', '2606:4700:4700::1111', '::ffff:1.1.1.1'])(
    '%s is public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );
  it.each(['127.0.0.1', '::1', '::ffff:10.0.0.1', 'fd00::1', 'fe80::1%eth0', 'nonsense', ''])(
    '%s is not',
    (address) => {
      expect(isPublicAddress(address)).toBe(false);
    },
  );
});
