/** Requests to where feeds lie: checked addresses, redirects followed by hand, time and size bounded. */
import type { Runtime } from '../../platform/runtime.ts';
import { BrokenFeed } from '../formats/broken.ts';
import { type AddressRules, addressComplaint, hostOf, isIpLiteral, isTrusted } from './address.ts';
import { InterruptedFeed } from './interrupted.ts';
import { checkHost, DEFAULT_RESOLVER } from './resolver.ts';

export type World = Pick<Runtime, 'fetch' | 'variable' | 'now'>;

export interface OutwardLimits {
  readonly ports: readonly number[];
  /** For the answer to begin, and then between two pieces of its body. */
  readonly timeoutMs: number;
}

export interface BodyLimits {
  readonly maxBytes: number;
  /** Is told of every piece. */
  readonly onBytes?: (count: number) => void;
}

export interface OutwardRequest {
  readonly url: URL;
  /** Sent to whatever host a redirect leads to. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to the first URL's origin only. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** false: a redirect is an answer. */
  readonly follow?: boolean;
}

export const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** What FEEDS_ALLOW_HOSTS lists: `127.0.0.1:8080, fake.test`. */
export function trustedHosts(variable: World['variable']): ReadonlySet<string> {
  const names = (variable('FEEDS_ALLOW_HOSTS') ?? '').split(',').map((name) => name.trim().toLowerCase());
  return new Set(names.filter((name) => name !== ''));
}

export class Outward {
  readonly #world: World;
  readonly #limits: OutwardLimits;
  readonly #rules: AddressRules;
  /** Hosts that were looked up. A connector lives for one tick at most, so an answer is never old. */
  readonly #checked = new Map<string, Promise<void>>();

  constructor(world: World, limits: OutwardLimits) {
    this.#world = world;
    this.#limits = limits;
    this.#rules = { trusted: trustedHosts(world.variable), ports: limits.ports };
  }

  /**
   * GETs a URL; of redirects every stop is checked as the first one.
   *
   * @returns the answer, whatever its status, with its body unread. The body goes through `body` or is cancelled.
   * @throws BrokenFeed for an address that must not be asked or redirects without end; InterruptedFeed where nobody answers
   */
  async get({ url: first, headers = {}, secrets = {}, follow = true }: OutwardRequest): Promise<Response> {
    let url = first;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      await this.#check(url, hops > 0);
      const own = url.origin === first.origin ? secrets : {};
      const response = await this.#send(url, { ...headers, ...own });
      if (!follow || !REDIRECTS.has(response.status)) return response;
      await response.body?.cancel();
      url = nextStop(response, url);
    }
    throw new BrokenFeed(
      `${first.host} redirects more than ${MAX_REDIRECTS} times; give the address where it ends, if it ends.`,
    );
  }

  /** A body that fails, rather than waits for ever or never ends. @param name for words: "The document" */
  body(response: Response, name: string, limits: BodyLimits): ReadableStream<Uint8Array> {
    return bounded(response, name, { ...limits, timeoutMs: this.#limits.timeoutMs });
  }

  async #check(url: URL, isRedirect: boolean): Promise<void> {
    const complaint = addressComplaint(url, this.#rules);
    if (complaint !== null) {
      const what = isRedirect
        ? `The server redirects to ${url.host}, which`
        : `The feed's address (${url.host})`;
      throw new BrokenFeed(`${what} ${complaint}; nothing was sent there.`);
    }
    if (isTrusted(url, this.#rules) || isIpLiteral(url)) return;
    const host = hostOf(url);
    const resolver = this.#world.variable('FEEDS_RESOLVER') ?? DEFAULT_RESOLVER;
    const check = this.#checked.get(host) ?? checkHost(this.#world.fetch, resolver, host);
    this.#checked.set(host, check);
    await check;
  }

  async #send(url: URL, headers: Readonly<Record<string, string>>): Promise<Response> {
    const { timeoutMs } = this.#limits;
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), timeoutMs);
    try {
      return await this.#world.fetch(url.href, { headers, redirect: 'manual', signal: patience.signal });
    } catch {
      throw new InterruptedFeed(
        patience.signal.aborted
          ? `${url.host} did not answer within ${timeoutMs / 1000} s. It is tried again; "timeout_seconds" gives it longer.`
          : `${url.host} cannot be reached. It is tried again; check the address if this goes on.`,
      );
    } finally {
      clearTimeout(timer);
    }
  }
}

function nextStop(response: Response, from: URL): URL {
  const location = response.headers.get('location');
  if (location === null || !URL.canParse(location, from.href)) {
    throw new BrokenFeed(`${from.host} answers HTTP ${response.status} without an address to go on to.`);
  }
  return new URL(location, from);
}

function bounded(
  response: Response,
  name: string,
  { timeoutMs, maxBytes, onBytes }: BodyLimits & { readonly timeoutMs: number },
): ReadableStream<Uint8Array> {
  const declared = declaredLength(response);
  if (declared !== null && declared > maxBytes) throw tooLarge(name, maxBytes);
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  let size = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await within(reader.read(), timeoutMs, name);
        if (done && declared !== null && size < declared) throw cutShort(name, size, declared);
        if (done) return controller.close();
        size += value.byteLength;
        if (size > maxBytes) throw tooLarge(name, maxBytes);
        onBytes?.(value.byteLength);
        controller.enqueue(value);
      } catch (error) {
        // Not awaited: what hangs may hang in being cancelled, too.
        void reader.cancel().catch(() => undefined);
        const isOurs = error instanceof BrokenFeed || error instanceof InterruptedFeed;
        throw isOurs ? error : cutShort(name, size, declared);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

async function within<T>(promise: Promise<T>, ms: number, name: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const words = `${name} stopped coming: nothing for ${ms / 1000} s. It is tried again; "timeout_seconds" gives it longer.`;
      reject(new InterruptedFeed(words));
    }, ms);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** Bytes that are to come; null where the server does not say, or says it of a packed form that `fetch` has unpacked. */
export function declaredLength(response: Response): number | null {
  const text = response.headers.get('content-length');
  if (text === null || !/^\d{1,15}$/.test(text)) return null;
  const encoding = response.headers.get('content-encoding') ?? 'identity';
  return encoding === 'identity' ? Number(text) : null;
}

function tooLarge(name: string, maxBytes: number): BrokenFeed {
  return new BrokenFeed(
    `${name} is larger than ${maxBytes} bytes; split it, or raise the limit of the feed.`,
  );
}

function cutShort(name: string, size: number, declared: number | null): InterruptedFeed {
  const of = declared === null ? '' : ` of ${declared}`;
  return new InterruptedFeed(`${name} broke off after ${size}${of} bytes. It is tried again.`);
}
