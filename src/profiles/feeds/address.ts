/**
 * Which addresses a feed may name. A feed is configured over the API, so whoever holds an admin key chooses what this Worker asks:
 * it must never be a machine that only the Worker can reach. IP ranges are those of ipaddr.js.
 */
import ipaddr from 'ipaddr.js';

/** The ranges of global unicast in IPv6 (RFC 4291, 2.4); all else is special, reserved or not assigned. */
const GLOBAL_V6: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/** Names that by their standing never belong to a public host. */
const LOCAL_NAMES =
  /(^|\.)(localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa|test|invalid|onion)$/;

/** What the operator of this Worker allows beyond public https. */
export interface AddressRules {
  /** `host` or `host:port` as FEEDS_ALLOW_HOSTS lists them: no check at all, and http is allowed. For development. */
  readonly trusted: ReadonlySet<string>;
  /** Ports besides 443 that this feed may use. */
  readonly ports: readonly number[];
}

/** Whether an IP address, however it is written, is one of a public host. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // An IPv4 address in IPv6 clothes is judged as what it is.
  const ip = ipaddr.process(address);
  if (ip.range() !== 'unicast') return false;
  return ip instanceof ipaddr.IPv4 || ip.match(GLOBAL_V6);
}

/** Whether a URL's host is an IP address rather than a name. */
export function isIpLiteral(url: URL): boolean {
  return ipaddr.isValid(hostOf(url));
}

/** The host without brackets and the root's dot, in lower case. */
export function hostOf(url: URL): string {
  return url.hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.+$/, '');
}

export function isTrusted(url: URL, rules: AddressRules): boolean {
  return rules.trusted.has(url.host.toLowerCase());
}

/**
 * What is wrong with an address that a feed names, in words that follow its name ("must …"); null: nothing that can be seen
 * without asking the DNS. The URL parser has turned `0x7f.1`, `2130706433` and `0177.0.0.1` into `127.0.0.1` already.
 */
export function addressComplaint(url: URL, rules: AddressRules): string | null {
  if (url.username !== '' || url.password !== '') {
    return 'must not hold a user or password; give them as "auth"';
  }
  if (isTrusted(url, rules)) return /^https?:$/.test(url.protocol) ? null : 'must be an https address';
  if (url.protocol !== 'https:') return 'must be an https address';
  const port = url.port === '' ? 443 : Number(url.port);
  if (port !== 443 && !rules.ports.includes(port)) {
    return `must use port 443; to allow ${port}, name it in "ports"`;
  }
  const host = hostOf(url);
  if (isIpLiteral(url)) return isPublicAddress(host) ? null : 'must not be a private or special IP address';
  if (!host.includes('.') || LOCAL_NAMES.test(host)) return 'must be a public host name';
  return null;
}
