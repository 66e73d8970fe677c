/**
 * Clients of the system tests: they post events as form backends do, note what was answered 202, and send again, with the
 * same id and body, what got no answer.
 */
import type { Random } from './random.ts';

export const KEY = 'Bearer ot_demo';
export const OPTED_OUT = '+14155559999';

/** Which campaigns an event type triggers; both channels, and one event that becomes two messages. */
const CAMPAIGNS = [
  { id: 'welcome', trigger: 'signup', channel: 'sms', media_urls: [] },
  { id: 'thanks', trigger: 'order', channel: 'sms', media_urls: [] },
  { id: 'receipt', trigger: 'order', channel: 'mms', media_urls: ['https://img.example/receipt.png'] },
] as const;

export interface Event {
  readonly id: string;
  readonly type: string;
  readonly customer_id: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A message of an event that was answered 202. */
export interface Accepted {
  readonly eventId: string;
  readonly messageId: string;
  readonly state: string;
}

interface Answer {
  readonly id: string;
  readonly duplicate: boolean;
  readonly messages: readonly { readonly id: string; readonly state: string }[];
}

/** What a campaign of these tests says of itself; the rest is the same for all. */
export interface TestCampaign {
  readonly id: string;
  readonly [field: string]: unknown;
}

export async function setUp(url: string): Promise<void> {
  await putCampaigns(url, CAMPAIGNS);
  await put(url, `/v1/suppressions/${encodeURIComponent(OPTED_OUT)}`, {});
}

export async function putCampaigns(url: string, campaigns: readonly TestCampaign[]): Promise<void> {
  for (const { id, ...campaign } of campaigns) {
    const fixed = { name: id, sender: '+18005550100', body: 'Hi {{ first_name }}!', state: 'live' };
    await put(url, `/v1/campaigns/${id}`, { ...fixed, ...campaign });
  }
}

async function put(url: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${url}${path}`, {
    method: 'PUT',
    headers: { authorization: KEY, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}

export interface TrafficOptions {
  /** Makes the n-th event. */
  readonly event: (n: number, random: Random) => Event;
  /** 503 counts as no answer. Without it any answer but 202 is an error. */
  readonly databaseFails: boolean;
}

export class Traffic {
  /** By message id: what the first 202 said. */
  readonly accepted = new Map<string, Accepted>();
  readonly eventsAccepted = new Set<string>();
  duplicates = 0;
  /** Every request that got no answer, to be sent again. */
  readonly unanswered: (readonly Event[])[] = [];
  readonly #random: Random;
  readonly #options: TrafficOptions;
  #made = 0;

  constructor(random: Random, options: TrafficOptions = { event: eventOfChance, databaseFails: false }) {
    this.#random = random;
    this.#options = options;
  }

  get eventsMade(): number {
    return this.#made;
  }

  /** A round's requests: single posts and batches, mixed. */
  requests(singles: number, batches: readonly number[]): (readonly Event[])[] {
    const sizes = [...Array.from({ length: singles }, () => 1), ...batches];
    const shuffled = sizes
      .map((size) => ({ size, order: this.#random.next() }))
      .sort((a, b) => a.order - b.order);
    return shuffled.map(({ size }) =>
      Array.from({ length: size }, () => this.#options.event(++this.#made, this.#random)),
    );
  }

  /**
   * Posts one request. Where no whole answer came back, it counts as not accepted, whatever the server stored.
   *
   * @param onAnswer called at once when the request was answered 202.
   * @throws on any other answer than 202 (see `databaseFails`): nothing here is malformed.
   */
  async post(url: string, events: readonly Event[], onAnswer?: () => void): Promise<void> {
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${url}/v1/events`, {
        method: 'POST',
        headers: { authorization: KEY, 'content-type': 'application/json' },
        body: JSON.stringify(events.length === 1 ? events[0] : events),
      });
      status = response.status;
      text = await response.text();
    } catch {
      this.unanswered.push(events);
      return;
    }
    if (status === 503 && this.#options.databaseFails) {
      this.unanswered.push(events);
      return;
    }
    if (status !== 202) throw new Error(`POST /v1/events answered ${status}: ${text.slice(0, 500)}`);
    onAnswer?.();
    const body = JSON.parse(text) as Answer | { results: readonly Answer[] };
    for (const answer of 'results' in body ? body.results : [body]) this.#note(answer);
  }

  #note(answer: Answer): void {
    this.eventsAccepted.add(answer.id);
    if (answer.duplicate) this.duplicates++;
    for (const { id, state } of answer.messages) {
      const known = this.accepted.get(id);
      if (known && known.state !== state) throw new Error(`${id} was ${known.state} and is now ${state}`);
      this.accepted.set(id, { eventId: answer.id, messageId: id, state });
    }
  }
}

function eventOfChance(n: number, random: Random): Event {
  const kind = random.next();
  const ordinary = `+1415${2_000_000 + n}`;
  // 70 % go through, 20 % must not be sent, 10 % meet a carrier that is busy, silent or hasty.
  const data = {
    MOBILE_NUMBER:
      kind < 0.7
        ? ordinary
        : kind < 0.76
          ? OPTED_OUT
          : kind < 0.9
            ? ordinary
            : `+1500555000${random.pick([2, 3, 4, 8])}`,
    SMS_CONSENT: kind >= 0.76 && kind < 0.83 ? false : kind >= 0.83 && kind < 0.9 ? null : true,
    SMS_VALID: true,
    first_name: 'Ada',
  };
  const type = random.next() < 0.8 ? 'signup' : 'order';
  return { id: `e-${n}`, type, customer_id: `c-${n}`, data };
}
