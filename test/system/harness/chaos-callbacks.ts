/** The callbacks of a chaos run: receipts and opt-outs, posted until the server has answered 2xx, over all its deaths. */
import { setTimeout as sleep } from 'node:timers/promises';
import { signedCallback } from '../../../src/delivery/sandbox/signature.ts';
import { reportOf, stopWords } from './chaos-script.ts';
import type { FakeGateway, GatewayReceipt } from './fake-gateway.ts';
import { type Random, randomOf } from './random.ts';

const SENDER = '+18005550100';
/** Posts a person's words again after this. */
const AGAIN_MS = 40;

/** When a person was out: from the 2xx to STOP until START was first posted. Milliseconds since 1970. */
export interface OptOut {
  readonly number: string;
  readonly postedAt: number;
  answeredAt: number;
  startPostedAt: number | null;
  startAnsweredAt: number | null;
}

/** @returns where the server is at the moment; null while it is dead. */
type Address = () => string | null;

export interface CallbackFigures {
  receipts: number;
  early: number;
  forged: number;
  unknownIds: number;
  posts: number;
  unanswered: number;
}

export class Callbacks {
  readonly optOuts: OptOut[] = [];
  readonly figures: CallbackFigures = {
    receipts: 0,
    early: 0,
    forged: 0,
    unknownIds: 0,
    posts: 0,
    unanswered: 0,
  };
  readonly #running = new Set<Promise<void>>();
  readonly #out = new Set<string>();
  readonly #receipts: GatewayReceipt[] = [];

  constructor(
    private readonly seed: number,
    private readonly gateway: FakeGateway,
    private readonly address: Address,
    private readonly sandboxSecret: string,
  ) {}

  /** A text went out: it is reported as the seed says. */
  report(id: string, gatewayId: string): void {
    const report = reportOf(this.seed, id, gatewayId);
    this.#receipts.push(...report.receipts);
    this.figures.receipts += report.receipts.length;
    if (report.afterMs === 0 && report.receipts.length > 0) this.figures.early++;
    this.#run(async () => {
      await sleep(report.afterMs);
      for (const receipt of report.receipts)
        await this.#insist((url) => this.gateway.postReceipts(url, [receipt]));
      if (report.forged) {
        this.figures.forged++;
        await this.#insist((url) => this.#postForged(url, gatewayId, id));
      }
      if (randomOf(this.seed, 'stray', gatewayId).next() < 0.05) {
        this.figures.unknownIds++;
        const stray = {
          id: `stray-${gatewayId}`,
          reference: `msg_${gatewayId}`,
          state: 'delivered',
        } as const;
        await this.#insist((url) => this.gateway.postReceipts(url, [stray]));
      }
    });
  }

  /** This person says STOP now, unless they did; and perhaps START, later. */
  stop(number: string, random: Random): void {
    if (this.#out.has(number)) return;
    this.#out.add(number);
    const words = stopWords(random);
    const startAfter = random.next() < 0.25 ? random.int(500, 5000) : null;
    this.#run(async () => {
      const postedAt = Date.now();
      await this.#say(`in-${number.slice(1)}-1`, number, words);
      const optOut: OptOut = {
        number,
        postedAt,
        answeredAt: Date.now(),
        startPostedAt: null,
        startAnsweredAt: null,
      };
      this.optOuts.push(optOut);
      if (startAfter === null) return;
      await sleep(startAfter);
      optOut.startPostedAt = Date.now();
      await this.#say(`in-${number.slice(1)}-2`, number, 'START');
      optOut.startAnsweredAt = Date.now();
    });
  }

  /** Until everything was posted and answered. */
  async done(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Every receipt once more: what a server took with it when it died is known after this. */
  async repeatReceipts(): Promise<void> {
    for (let i = 0; i < this.#receipts.length; i += 50) {
      const batch = this.#receipts.slice(i, i + 50);
      await this.#insist((url) => this.gateway.postReceipts(url, batch));
    }
  }

  /** Reports by the gateway of texts that another provider took; they are none of its business. */
  async reportForeign(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      this.figures.forged++;
      const foreign = { id: `foreign-${id}`, reference: id, state: 'failed', error: 'unreachable' } as const;
      await this.#insist((url) => this.gateway.postReceipts(url, [foreign]));
    }
  }

  #run(work: () => Promise<void>): void {
    const running: Promise<void> = work().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #say(id: string, from: string, text: string): Promise<void> {
    const at = new Date().toISOString();
    await this.#insist((url) => this.gateway.postTexts(url, [{ id, from, to: SENDER, text, at }]));
  }

  /** The sandbox carrier claims that a text of the gateway failed. */
  async #postForged(url: string, id: string, reference: string): Promise<number> {
    const path = '/callbacks/sandbox/status';
    const signed = signedCallback(this.sandboxSecret, path, {
      receipts: [{ id, reference, state: 'failed' }],
    });
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: signed.headers,
      body: await signed.text(),
    });
    await response.arrayBuffer();
    return response.status;
  }

  /** Carriers post again what was not answered 2xx. A refusal is an error of the test, or of the product. */
  async #insist(post: (url: string) => Promise<number>): Promise<void> {
    for (;;) {
      const url = this.address();
      if (url !== null) {
        this.figures.posts++;
        const status = await post(url).catch(() => 0);
        if (status >= 200 && status < 300) return;
        if (status >= 400 && status < 500) throw new Error(`a callback was answered ${status}`);
        this.figures.unanswered++;
      }
      await sleep(AGAIN_MS);
    }
  }
}
