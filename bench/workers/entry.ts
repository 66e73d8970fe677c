/**
 * The real Worker with a counter on its database, and routes that only the bench calls. What is measured for speed is
 * measured on the real Worker, never on this one.
 */
import { type Attributes, readAttributes } from '../../src/domain/attributes.ts';
import { DEFAULT_POLICY } from '../../src/domain/policy.ts';
import { type ResolveInput, resolve } from '../../src/domain/resolve.ts';
import worker from '../../src/index.ts';
import type { Bindings } from '../../src/platform/config.ts';
import { countingDb, counts, resetCounts } from './counting.ts';

const NUMBERS = [undefined, '+14152000001', '(415) 200-0002', 'nonsense'];
const FLAGS = [undefined, true, false];
const AT = '2026-01-01T00:00:00.000Z';

type Side = Record<string, unknown>;

/** One side's whole range of answers, twelve of them; all pairs make the mix that is resolved. */
const SIDES: readonly Side[] = NUMBERS.flatMap((MOBILE_NUMBER) =>
  FLAGS.map((flag) => ({ MOBILE_NUMBER, SMS_CONSENT: flag, SMS_VALID: flag })),
);
const PAIRS = SIDES.flatMap((profile) => SIDES.map((event) => ({ profile, event })));

const countedEnvs = new WeakMap<object, Bindings>();

function counted(env: Bindings): Bindings {
  const known = countedEnvs.get(env) ?? { ...env, DB: countingDb(env.DB) };
  countedEnvs.set(env, known);
  return known;
}

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === '/bench/counts') return Response.json(counts);
    if (url.pathname === '/bench/key') {
      const { id, hash } = (await request.json()) as { id: string; hash: string };
      await env.CACHE.put(`key:${hash}`, JSON.stringify({ id, scopes: ['ingest'], default_country: null }));
      return Response.json({});
    }
    if (url.pathname === '/bench/resolve') {
      return Response.json(resolveMany(Number(url.searchParams.get('n')), url.searchParams.has('parse')));
    }
    resetCounts();
    const response = await worker.fetch(request, counted(env), ctx);
    const answered = new Response(response.body, response);
    answered.headers.set('x-bench-counts', JSON.stringify(counts.optitext));
    return answered;
  },
  queue: (batch, env, ctx) => worker.queue(batch, counted(env), ctx),
  scheduled: (controller, env, ctx) => worker.scheduled(controller, counted(env), ctx),
} satisfies ExportedHandler<Bindings, unknown>;

/** Timed from outside: inside a Worker, clocks stand still between I/O. */
function resolveMany(n: number, parse: boolean): { delivered: number } {
  const parsed = PAIRS.map((pair) => ({ profile: attributes(pair.profile), event: attributes(pair.event) }));
  let delivered = 0;
  for (let i = 0; i < n; i++) {
    const pair = PAIRS[i % PAIRS.length];
    const known = parsed[i % PAIRS.length];
    if (!pair || !known) throw new Error('no inputs');
    const profile = parse ? attributes(pair.profile) : known.profile;
    const event = parse ? attributes(pair.event) : known.event;
    const input: ResolveInput = {
      profile: { attributes: profile, at: AT },
      event: { attributes: event, at: AT },
      optedOut: new Set(),
      decidedAt: AT,
    };
    if (resolve(input, DEFAULT_POLICY).outcome === 'deliver') delivered++;
  }
  return { delivered };
}

function attributes(side: Side): Attributes {
  const read = readAttributes(side, 'data', 'US');
  if ('errors' in read) throw new Error(JSON.stringify(read.errors));
  return read.attributes;
}
