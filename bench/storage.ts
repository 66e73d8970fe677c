/** What an event costs in D1: round trips, and rows read and written as D1 reports them. */
import { createHash } from 'node:crypto';
import type { Server } from '../test/system/harness/process.ts';
import type { Account, Count } from './counts.ts';
import { batches, event } from './data.ts';
import { Client } from './load.ts';
import { untilIdle } from './speed.ts';
import type { Line } from './table.ts';

const BATCH = 500;

interface Cost {
  /** Up to the 202. */
  readonly ingest: Count;
  /** Up to the last receipt. */
  readonly all: Record<Account, Count>;
}

/** @param server of the bench's own entry, which counts from each request on. */
export async function storage(server: Server): Promise<Line[]> {
  // The first requests of a fresh Worker prepare things; they are not counted.
  await cost(server, JSON.stringify(event('warm', 0, 'deliverable')));
  const single = await cost(server, JSON.stringify(event('stored', 0, 'deliverable')));
  const suppressed = await cost(server, JSON.stringify(event('refused', 0, 'suppressed')));
  const again = await cost(server, JSON.stringify(event('stored', 0, 'deliverable')));
  const [body] = batches('stored-batch', 1, BATCH, 'deliverable');
  const batch = await cost(server, body ?? '');
  const [inKv, notInKv] = await withStoredKey(server);
  return [
    trips('single post, until the 202', single.ingest.trips, 'one after the other; key ot_demo'),
    trips('single post, a key in KV', inKv, 'where npm run key puts it'),
    trips('single post, a key in D1 only', notInKv),
    ...rows('single post, suppressed, all in all', suppressed.ingest, 1),
    ...rows('single post, until the 202', single.ingest, 1),
    ...rows('single post, until the receipt', single.all.optitext, 1),
    ...rows('single post, repeated', again.ingest, 1),
    ...rows(`batch of ${BATCH}, until the 202, per event`, batch.ingest, BATCH),
    ...rows(`batch of ${BATCH}, until the receipts, per event`, batch.all.optitext, BATCH),
    trips(`batch of ${BATCH}, until the 202, for all`, batch.ingest.trips),
    trips(`batch of ${BATCH}, until the receipts, for all`, batch.all.optitext.trips),
  ];
}

function trips(what: string, value: number, note?: string): Line {
  return { what, value, unit: 'round trips', ...(note !== undefined && { note }) };
}

function rows(what: string, count: Count, events: number): Line[] {
  const note =
    events === 1 ? `${count.trips} round trips` : `${(count.trips / events).toFixed(3)} round trips`;
  return [
    { what, value: count.rowsRead / events, unit: 'rows read', note },
    { what, value: count.rowsWritten / events, unit: 'rows written' },
  ];
}

async function cost(server: Server, body: string): Promise<Cost> {
  const client = new Client(server.directUrl, 1);
  const { status, text, counts } = await client.post('/v1/events', body);
  if (status !== 202 || counts === null)
    throw new Error(`/v1/events answered ${status}: ${text.slice(0, 300)}`);
  await untilIdle(server);
  const all = JSON.parse((await client.get('/bench/counts')).text) as Cost['all'];
  client.close();
  return { ingest: JSON.parse(counts) as Count, all };
}

/** Round trips before the 202 of a caller with a key of its own: one that KV has, and one that only D1 has. */
async function withStoredKey(server: Server): Promise<[number, number]> {
  const trip = async (key: string, inKv: boolean): Promise<number> => {
    const hash = createHash('sha256').update(key).digest('hex');
    await server.query(
      `INSERT INTO api_keys (id, name, key_hash, scopes, created_at) VALUES (?1, 'Bench', ?2, '["ingest"]', 0)`,
      key,
      hash,
    );
    const client = new Client(server.directUrl, 1, key);
    if (inKv) await client.post('/bench/key', JSON.stringify({ id: key, hash }));
    const { counts } = await client.post('/v1/events', JSON.stringify(event(key, 0, 'suppressed')));
    client.close();
    return (JSON.parse(counts ?? '{}') as Partial<Count>).trips ?? Number.NaN;
  };
  return [await trip('bench-in-kv', true), await trip('bench-in-d1', false)];
}
