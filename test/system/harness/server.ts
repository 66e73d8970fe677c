/**
 * A server process: one built Worker on local workerd, without the development proxy. It is started by `process.ts` and
 * leads a process group of its own, so that this Node and its workerd can be killed in one blow.
 */
import { readFileSync } from 'node:fs';
import type { D1Database } from '@cloudflare/workers-types';
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare, type V4MiniflareOptions } from 'miniflare';
import type { FromServer, LaunchOptions, ToServer } from './process.ts';

/** Whoever started this process is gone: nothing of the group may stay behind. */
process.on('disconnect', () => process.kill(-process.pid, 'SIGKILL'));
process.once('message', (launch: LaunchOptions) => {
  start(launch).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});

async function start(launch: LaunchOptions): Promise<void> {
  const { build } = launch;
  const options = {
    ...build.workerOptions,
    bindings: { ...(build.workerOptions.bindings as object), ...launch.vars },
    name: 'optitext',
    rootPath: build.dir,
    modulesRoot: build.dir,
    modules: build.modules.map((module) => ({ ...module })),
    host: '127.0.0.1',
    port: launch.port,
    resourcePersistencePath: launch.dataDir,
    // The Worker's own socket, without Miniflare's router before it: what the bench measures.
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    unsafeTriggerHandlers: true,
    logRequests: false,
    log: new Log(LogLevel.WARN),
    cf: false,
  };
  // The options were derived by wrangler and came through JSON; Miniflare checks them again.
  const miniflare = new Miniflare(convertV4MiniflareOptions(options as unknown as V4MiniflareOptions));
  const url = await miniflare.ready;
  const db = await miniflare.getD1Database('DB');
  await migrate(db, build.migrations);
  process.on('message', (message: ToServer) => void answer(miniflare, db, message));
  send({ kind: 'ready', url: url.origin, directUrl: (await miniflare.unsafeGetDirectURL()).origin });
}

/** Applies what is missing, and keeps the same table of applied migrations that wrangler keeps. */
async function migrate(db: D1Database, migrations: LaunchOptions['build']['migrations']): Promise<void> {
  await db.exec(
    'CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)',
  );
  const { results } = await db.prepare('SELECT name FROM d1_migrations').all<{ name: string }>();
  const applied = new Set(results.map((row) => row.name));
  for (const { name, queries } of migrations) {
    if (applied.has(name)) continue;
    await db.batch([
      ...queries.map((query) => db.prepare(query)),
      db.prepare('INSERT INTO d1_migrations (name) VALUES (?1)').bind(name),
    ]);
  }
}

async function answer(miniflare: Miniflare, db: D1Database, message: ToServer): Promise<void> {
  if (message.kind === 'stop') {
    await miniflare.dispose();
    process.exit(0);
  }
  try {
    if (message.kind === 'put') {
      const bucket = await miniflare.getR2Bucket('FEEDS');
      await bucket.put(message.key, readFileSync(message.file));
      return send({ kind: 'rows', id: message.id, rows: [] });
    }
    const { results } = await db
      .prepare(message.sql)
      .bind(...message.values)
      .all();
    send({ kind: 'rows', id: message.id, rows: results });
  } catch (error) {
    send({ kind: 'error', id: message.id, error: String(error) });
  }
}

function send(message: FromServer): void {
  process.send?.(message);
}
