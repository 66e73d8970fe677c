/** The load client: node:http with kept-alive connections, because fetch would itself cost as much as a cheap route. */
import { Agent, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Of the bench's own entry: what D1 counted until the answer, as JSON. */
  readonly counts: string | null;
}

export class Client {
  readonly #agent: Agent;
  readonly #url: URL;
  readonly #key: string;

  /** @param connections how many requests may be under way at once. */
  constructor(url: string, connections: number, key = 'ot_demo') {
    this.#url = new URL(url);
    this.#key = key;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  post(path: string, body: string): Promise<Answer> {
    return this.#call('POST', path, body);
  }

  get(path: string): Promise<Answer> {
    return this.#call('GET', path, '');
  }

  close(): void {
    this.#agent.destroy();
  }

  #call(method: string, path: string, body: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          agent: this.#agent,
          host: this.#url.hostname,
          port: this.#url.port,
          method,
          path,
          headers: {
            authorization: `Bearer ${this.#key}`,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              text: Buffer.concat(chunks).toString(),
              counts: response.headers['x-bench-counts']?.toString() ?? null,
            }),
          );
          response.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

/** Posts all bodies, so many at once. @returns seconds. @throws where one is not answered with the status. */
export async function postAll(
  url: string,
  path: string,
  bodies: readonly string[],
  concurrency: number,
  expected: number,
): Promise<number> {
  const client = new Client(url, concurrency);
  const queue = bodies.values();
  const began = performance.now();
  const worker = async (): Promise<void> => {
    for (const body of queue) {
      const { status, text } = await client.post(path, body);
      if (status !== expected) throw new Error(`${path} answered ${status}: ${text.slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = (performance.now() - began) / 1000;
  client.close();
  return seconds;
}
