/** Feeds as they are stored: one row each, and the built-in ones where no row has taken their place. */
import type { Runtime } from '../../platform/runtime.ts';
import { iso } from '../../platform/sql.ts';
import { builtInFeeds, type Feed, type FeedSettings, feedFields } from './feed.ts';
import { nextRun } from './schedule.ts';

export const FEED_SQL = {
  list: 'SELECT * FROM feeds ORDER BY id LIMIT 1000',
  read: 'SELECT * FROM feeds WHERE id = ?1',
  put: `INSERT INTO feeds (id, document, created_at, updated_at, next_due_at) VALUES (?1, ?2, ?3, ?3, ?4)
    ON CONFLICT (id) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at, next_due_at = excluded.next_due_at`,
  remove: 'DELETE FROM feeds WHERE id = ?1',
  due: 'UPDATE feeds SET next_due_at = ?2 WHERE id = ?1',
} as const;

/** A feed with what is known of it besides its settings. Times in milliseconds since 1970. */
export interface StoredFeed {
  readonly feed: Feed;
  readonly builtIn: boolean;
  /** When to look for documents next; 0: at every tick. */
  readonly nextDueAt: number;
  readonly updatedAt: number | null;
}

interface FeedRow {
  readonly id: string;
  readonly document: string;
  readonly next_due_at: number;
  readonly updated_at: number;
}

export async function listFeeds(runtime: Runtime): Promise<StoredFeed[]> {
  const { results } = await runtime.db.prepare(FEED_SQL.list).all<FeedRow>();
  const stored = results.map(fromRow);
  const ids = new Set(stored.map(({ feed }) => feed.id));
  return [...builtIn(runtime).filter(({ feed }) => !ids.has(feed.id)), ...stored];
}

export async function readFeed(runtime: Runtime, id: string): Promise<StoredFeed | null> {
  const row = await runtime.db.prepare(FEED_SQL.read).bind(id).first<FeedRow>();
  if (row) return fromRow(row);
  return builtIn(runtime).find(({ feed }) => feed.id === id) ?? null;
}

export async function putFeed(runtime: Runtime, id: string, settings: FeedSettings): Promise<void> {
  const now = runtime.now();
  const due = settings.schedule === null ? 0 : (nextRun(settings.schedule, now) ?? Number.MAX_SAFE_INTEGER);
  await runtime.db.prepare(FEED_SQL.put).bind(id, JSON.stringify(settings), now, due).run();
}

export async function removeFeed(runtime: Runtime, id: string): Promise<boolean> {
  return (await runtime.db.prepare(FEED_SQL.remove).bind(id).run()).meta.changes > 0;
}

export async function setNextDue(runtime: Runtime, id: string, at: number): Promise<void> {
  await runtime.db.prepare(FEED_SQL.due).bind(id, at).run();
}

/** A feed as the API shows it. */
export function feedJson({ feed, builtIn, nextDueAt, updatedAt }: StoredFeed): Record<string, unknown> {
  return {
    ...feed,
    built_in: builtIn,
    next_due_at: nextDueAt === 0 ? null : iso(nextDueAt),
    updated_at: updatedAt === null ? null : iso(updatedAt),
  };
}

function builtIn(runtime: Runtime): StoredFeed[] {
  return builtInFeeds(runtime.config.feedPrefix).map((feed) => ({
    feed,
    builtIn: true,
    nextDueAt: 0,
    updatedAt: null,
  }));
}

function fromRow(row: FeedRow): StoredFeed {
  const settings = feedFields.parse(JSON.parse(row.document));
  return {
    feed: { ...settings, id: row.id },
    builtIn: false,
    nextDueAt: row.next_due_at,
    updatedAt: row.updated_at,
  };
}
