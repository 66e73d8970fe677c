/** `POST /v1/profiles/import`: profiles come in as a stream, and their import is a run like any other. */
import { Hono } from 'hono';
import { z } from 'zod';
import { type AccessEnv, requires } from '../../access/requires.ts';
import { slug } from '../../platform/fields.ts';
import { Problem } from '../../platform/problem.ts';
import type { Runtime } from '../../platform/runtime.ts';
import { parse } from '../../platform/validate.ts';
import type { FeedDocument } from './connector.ts';
import { onceOnlyPrefix, storePushed, sweepIncoming, tooLarge } from './push-store.ts';
import { pushedDocument } from './r2.ts';

/** What became of a pushed document. */
export interface ImportStart {
  readonly id: string;
  /** The run as the API shows it; null: it waits, because another run of its feed is under way. */
  readonly run: Readonly<Record<string, unknown>> | null;
  /** The same bytes were pushed before, and this is their run. */
  readonly duplicate: boolean;
}

export interface PushedDocument {
  readonly feedId: string;
  readonly document: FeedDocument;
  /** A new run, though these bytes have one. */
  readonly again: boolean;
  readonly dryRun: boolean;
}

/** What pushing needs of the sync engine. */
export interface ImportDesk {
  /** Below which prefix documents that are pushed to this feed wait for the ticks; null: there is no such push feed. */
  prefixOf(runtime: Runtime, feedId: string): Promise<string | null>;
  /** Begins the run, works on it in the background as far as one tick's budget goes, and leaves the rest to the ticks. */
  startImport(runtime: Runtime, pushed: PushedDocument): Promise<ImportStart>;
}

const TYPES = new Set([
  'text/csv',
  'application/csv',
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/jsonlines',
  'application/gzip',
  'application/x-gzip',
  'application/octet-stream',
]);

const flag = z
  .enum(['true', 'false'], 'must be true or false')
  .default('false')
  .transform((word) => word === 'true');

const query = z.strictObject({ feed: slug.default('push'), dry_run: flag, again: flag });

export function pushRoutes(desk: ImportDesk): Hono<AccessEnv> {
  const routes = new Hono<AccessEnv>();

  routes.post('/import', requires('admin'), async (c) => {
    const { runtime } = c.var;
    const { feed: feedId, dry_run: dryRun, again } = parse(query, c.req.query());
    const prefix = await desk.prefixOf(runtime, feedId);
    if (prefix === null) throw new Problem(404, 'There is no push feed with this id; see GET /v1/feeds.');
    const { pushMaxBytes } = runtime.config;
    checkHeaders(c.req.raw.headers, pushMaxBytes);
    const place = again || dryRun ? onceOnlyPrefix() : prefix;
    const object = await storePushed(runtime.feeds, c.req.raw.body, place, pushMaxBytes);
    runtime.background(sweepIncoming(runtime.feeds, runtime.now()));
    const { id, run, duplicate } = await desk.startImport(runtime, {
      feedId,
      document: pushedDocument(object),
      again,
      dryRun,
    });
    return c.json({ id, ...(run ?? waiting(feedId)), duplicate }, 202, { location: `/v1/sync/runs/${id}` });
  });

  return routes;
}

function waiting(feed: string): Record<string, unknown> {
  const detail = 'Another import of this feed is under way; this one begins when it has ended.';
  return { feed, state: 'queued', detail };
}

/** @throws Problem 415 or 413, before a byte of the body is read */
function checkHeaders(headers: Headers, maxBytes: number): void {
  const type = (headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (!TYPES.has(type)) {
    throw new Problem(
      415,
      'Send the file itself as "content-type: text/csv" or "application/x-ndjson", gzip or not; with curl: --data-binary @FILE.',
    );
  }
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new Problem(415, 'Pack the body with gzip, or not at all; other encodings are not read.');
  }
  if (Number(headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
}
