/**
 * A gateway that speaks the `webhook` provider's contract (docs/provider-webhook.md) and does every wrong thing that a
 * provider can do, on command. It never recognises a message that it has taken already: a second copy of a text is
 * what its records are there to show.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from './random.ts';

/** What one request meets. `taken`: whether the text goes out all the same. */
export type Fault =
  /** Takes the text at once, and says so after `afterMs`. */
  | { readonly kind: 'accept'; readonly afterMs?: number }
  | { readonly kind: 'reject'; readonly code: string; readonly status?: 200 | 422 }
  | { readonly kind: 'busy'; readonly retryAfterSeconds: number | null }
  | { readonly kind: 'error'; readonly status: number; readonly taken: boolean }
  | { readonly kind: 'reset'; readonly when: 'before_body' }
  | { readonly kind: 'reset'; readonly when: 'after_body'; readonly taken: boolean }
  | { readonly kind: 'hang'; readonly taken: boolean }
  | { readonly kind: 'malformed'; readonly taken: boolean };

/** What a look-up meets: the truth, an error, or no answer. */
export type LookupFault = 'honest' | 'error' | 'hang';

/** A request as the script sees it. The id is the idempotency key, which is there before the body. */
export interface Incoming {
  readonly id: string;
  /** 1 for the first request with this id. */
  readonly attempt: number;
}

export interface GatewayCall extends Incoming {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly fault: Fault;
}

export interface Acceptance {
  readonly gatewayId: string;
  readonly at: number;
  readonly to: string;
  readonly text: string;
}

export interface GatewayReceipt {
  readonly id: string;
  readonly reference: string | null;
  readonly state: 'sent' | 'delivered' | 'undelivered' | 'failed';
  readonly code?: string;
  readonly error?: string;
  readonly parts?: number;
  readonly part?: string;
}

export interface GatewayText {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly text: string;
  /** ISO 8601. */
  readonly at?: string;
}

export interface FakeGatewayOptions {
  readonly secret: string;
  /** Decides what each request meets; by default all are accepted. */
  readonly script?: (incoming: Incoming) => Fault;
  readonly lookupScript?: (id: string) => LookupFault;
  /** Called for each text that goes out, before it is answered. */
  readonly onTaken?: (id: string, text: Acceptance) => void;
}

export interface FakeGateway {
  /** What `WEBHOOK_URL` must be. */
  readonly url: string;
  /** Every request to send, in order, also those that were refused. */
  readonly calls: readonly GatewayCall[];
  readonly lookups: readonly string[];
  /** Requests without a right signature; there should be none. */
  readonly unsigned: () => number;
  /** What went out, by our message id. Two entries are two texts on one phone. */
  readonly accepted: ReadonlyMap<string, readonly Acceptance[]>;
  setScript(script: (incoming: Incoming) => Fault): void;
  setLookupScript(script: (id: string) => LookupFault): void;
  /** Posts signed receipts to a Worker. @param worker its origin. @returns the HTTP status. */
  postReceipts(worker: string, receipts: readonly GatewayReceipt[]): Promise<number>;
  /** Posts signed inbound texts to a Worker. @returns the HTTP status. */
  postTexts(worker: string, texts: readonly GatewayText[]): Promise<number>;
  /** Ends all connections, also those that hang. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1, on a free port. */
export async function startFakeGateway(options: FakeGatewayOptions): Promise<FakeGateway> {
  let script = options.script ?? ((): Fault => ({ kind: 'accept' }));
  let lookupScript = options.lookupScript ?? ((): LookupFault => 'honest');
  const calls: GatewayCall[] = [];
  const lookups: string[] = [];
  const accepted = new Map<string, Acceptance[]>();
  const attempts = new Map<string, number>();
  let unsigned = 0;

  const server = createServer((request, response) => {
    const handled = request.method === 'GET' ? look(request, response) : take(request, response);
    handled.catch(() => request.socket.destroy());
  });

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = String(request.headers['idempotency-key'] ?? '');
    const attempt = (attempts.get(id) ?? 0) + 1;
    attempts.set(id, attempt);
    const fault = script({ id, attempt });
    calls.push({ id, attempt, at: Date.now(), fault });
    if (fault.kind === 'reset' && fault.when === 'before_body') return void request.socket.destroy();
    const body = await bodyOf(request);
    if (!isSigned(request, body)) {
      unsigned++;
      return answer(response, 401, { error: { code: 'account_problem' } });
    }
    const gatewayId = goesOut(fault) ? record(id, body) : '';
    switch (fault.kind) {
      case 'accept':
        if (fault.afterMs) await sleep(fault.afterMs);
        return answer(response, 202, { id: gatewayId, parts: 1 });
      case 'reject':
        return answer(response, fault.status ?? 422, { error: { code: fault.code } });
      case 'busy':
        if (fault.retryAfterSeconds !== null) response.setHeader('retry-after', fault.retryAfterSeconds);
        return answer(response, 429, {});
      case 'error':
        return answer(response, fault.status, {});
      case 'reset':
        return void request.socket.destroy();
      case 'hang':
        return;
      case 'malformed':
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"id": ');
    }
  }

  async function look(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = decodeURIComponent((request.url ?? '').split('/').at(-1) ?? '');
    lookups.push(id);
    if (!isSigned(request, id)) {
      unsigned++;
      return answer(response, 401, {});
    }
    const fault = lookupScript(id);
    if (fault === 'hang') return;
    if (fault === 'error') return answer(response, 503, {});
    const [first] = accepted.get(id) ?? [];
    answer(response, first ? 200 : 404, first ? { id: first.gatewayId } : { taken: false });
  }

  function record(id: string, body: Buffer): string {
    const message = JSON.parse(body.toString()) as { to: string; text: string };
    const texts = accepted.get(id) ?? [];
    const gatewayId = `gw-${id}-${texts.length + 1}`;
    const text: Acceptance = { gatewayId, at: Date.now(), to: message.to, text: message.text };
    accepted.set(id, [...texts, text]);
    options.onTaken?.(id, text);
    return gatewayId;
  }

  function isSigned(request: IncomingMessage, signed: string | Buffer): boolean {
    const given = Buffer.from(String(request.headers['x-hub-signature-256'] ?? ''));
    const right = Buffer.from(signatureOf(options.secret, signed));
    return given.length === right.length && timingSafeEqual(given, right);
  }

  async function post(url: string, content: object): Promise<number> {
    const body = JSON.stringify({ sent_at: new Date().toISOString(), ...content });
    const headers = {
      'content-type': 'application/json',
      'x-hub-signature-256': signatureOf(options.secret, body),
    };
    const response = await fetch(url, { method: 'POST', headers, body });
    await response.arrayBuffer();
    return response.status;
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/texts`,
    calls,
    lookups,
    unsigned: () => unsigned,
    accepted,
    setScript: (next) => {
      script = next;
    },
    setLookupScript: (next) => {
      lookupScript = next;
    },
    postReceipts: (worker, receipts) => post(`${worker}/callbacks/webhook/status`, { receipts }),
    postTexts: (worker, texts) => post(`${worker}/callbacks/webhook/inbound`, { texts }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Whether a text goes out where its request met this. */
export function goesOut(fault: Fault): boolean {
  return fault.kind === 'accept' || ('taken' in fault && fault.taken);
}

/**
 * A script that meets a share of all requests with a fault of any kind. Hangs are rarer than the rest: each costs a whole
 * provider time-out.
 *
 * @param share from 0 to 1.
 */
export function randomFaults(random: Random, share: number): (incoming: Incoming) => Fault {
  return () => {
    if (random.next() >= share) return { kind: 'accept' };
    const taken = random.next() < 0.5;
    return random.pick<Fault>([
      { kind: 'busy', retryAfterSeconds: null },
      { kind: 'busy', retryAfterSeconds: 1 },
      { kind: 'reject', code: random.pick(['number_invalid', 'content_blocked', 'unreachable']) },
      { kind: 'reject', code: 'recipient_blocked', status: 200 },
      { kind: 'error', status: random.pick([500, 502, 503]), taken },
      { kind: 'error', status: random.pick([500, 502, 503]), taken },
      { kind: 'reset', when: 'before_body' },
      { kind: 'reset', when: 'after_body', taken },
      { kind: 'reset', when: 'after_body', taken },
      { kind: 'malformed', taken },
      { kind: 'malformed', taken },
      { kind: 'hang', taken },
    ]);
  };
}

/**
 * One receipt for each text that went out, in an order of chance; a share of them doubled and preceded by `sent`.
 *
 * @param doubled from 0 to 1.
 */
export function randomReceipts(gateway: FakeGateway, random: Random, doubled: number): GatewayReceipt[] {
  const receipts = [...gateway.accepted].flatMap(([reference, texts]) =>
    texts.flatMap(({ gatewayId: id }): GatewayReceipt[] => {
      const state = random.pick<'delivered' | 'undelivered'>([
        'delivered',
        'delivered',
        'delivered',
        'undelivered',
      ]);
      const last: GatewayReceipt =
        state === 'delivered'
          ? { id, reference, state }
          : { id, reference, state, code: '27', error: 'unreachable' };
      return random.next() < doubled ? [{ id, reference, state: 'sent' }, last, last] : [last];
    }),
  );
  return shuffled(receipts, random);
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, rank: random.next() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

function signatureOf(secret: string, data: string | Buffer): string {
  return `sha256=${createHmac('sha256', secret).update(data).digest('hex')}`;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
