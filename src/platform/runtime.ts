/** Everything that a request, a queue batch or a cron run needs from the world, handed down as one value. */
import { type Bindings, type Config, readConfig } from './config.ts';

/** A pointer to a deliverable message: ids only, no personal data. */
export interface Pointer {
  readonly message: string;
  readonly shard: string;
}

/** A delivery receipt on its way to the ledger. `reference` is our message id where the provider returns it. */
export interface ReceiptNote {
  readonly provider: string;
  readonly provider_message_id: string;
  readonly reference: string | null;
  readonly state: 'sent' | 'delivered' | 'undelivered' | 'failed';
  /** The provider's own code. */
  readonly code: string | null;
  /** Our canonical error (`SendErrorCode`) where the receipt reports one. */
  readonly error: string | null;
  /** How many parts the message has, where the provider sends a receipt for each; null: this receipt is for the whole. */
  readonly parts: number | null;
  /** Which part this receipt is for; tells a doubled receipt from the next part's. */
  readonly part: string | null;
}

export interface Runtime {
  readonly db: D1Database;
  readonly cache: KVNamespace;
  readonly feeds: R2Bucket;
  readonly outbox: Queue<Pointer>;
  readonly receipts: Queue<ReceiptNote>;
  readonly config: Config;
  /** A variable or secret of the environment by its name; `undefined` where it is not set or empty. */
  readonly variable: (name: string) => string | undefined;
  /** Counts one use of a key at a rate-limit binding; `false` beyond its limit. Without such a binding nothing is limited. */
  readonly withinRate: (binding: 'FORM_KEY_RATE' | 'FORM_ADDRESS_RATE', key: string) => Promise<boolean>;
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Keeps the Worker alive until the promise settles. */
  readonly background: (promise: Promise<unknown>) => void;
  /** The Worker's own front door, through which the sandbox carrier calls back. */
  readonly frontDoor: (request: Request) => Promise<Response>;
}

export function createRuntime(
  env: Bindings,
  background: Runtime['background'],
  frontDoor: Runtime['frontDoor'],
): Runtime {
  return {
    db: env.DB,
    cache: env.CACHE,
    feeds: env.FEEDS,
    outbox: env.OUTBOX as Queue<Pointer>,
    receipts: env.RECEIPTS as Queue<ReceiptNote>,
    config: readConfig(env),
    variable: (name) => variableOf(env, name),
    withinRate: async (binding, key) => (await env[binding]?.limit({ key }))?.success ?? true,
    fetch: (input, init) => fetch(input, init),
    now: () => Date.now(),
    background,
    frontDoor,
  };
}

function variableOf(env: Bindings, name: string): string | undefined {
  const value = (env as unknown as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
