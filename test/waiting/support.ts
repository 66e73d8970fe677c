/** Driving waiting messages with a clock in hand: events through ingest, rows through the store, texts through delivery. */
import { deliver } from '../../src/delivery/deliver.ts';
import { sweep } from '../../src/delivery/sweeper.ts';
import { decideWaiting } from '../../src/ingress/decide-again.ts';
import { parseEvent } from '../../src/ingress/event.ts';
import { type Answer, ingest } from '../../src/ingress/ingest.ts';
import { shardFor } from '../../src/platform/shard.ts';
import { upsertProfiles } from '../../src/profiles/store.ts';
import { mapColumns } from '../../src/profiles/sync/mapping.ts';
import { readRow } from '../../src/profiles/sync/row.ts';
import type { TestRuntime } from '../support.ts';

type Accepted = Extract<Answer, { kind: 'accepted' }>;

export async function post(runtime: TestRuntime, event: Record<string, unknown>): Promise<Accepted> {
  const parsed = await parseEvent(event, runtime.now(), undefined);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const [answer] = await ingest(runtime, 'test', [parsed.event]);
  if (answer?.kind !== 'accepted') throw new Error('not accepted');
  await runtime.settled();
  return answer;
}

/** The id of the only message of an event. */
export async function postOne(runtime: TestRuntime, event: Record<string, unknown>): Promise<string> {
  const { messages } = await post(runtime, event);
  const [message] = messages;
  if (!message || messages.length !== 1) throw new Error(`${messages.length} messages`);
  return message.id;
}

/** A row of the batch, as a feed writes it whose blanks clear. Nothing is decided yet. */
export async function row(
  runtime: TestRuntime,
  customer_id: string,
  fields: Record<string, unknown>,
): Promise<void> {
  const values = { customer_id, ...fields };
  const mapping = mapColumns(Object.keys(values), { columns: {}, other_columns: 'attributes' });
  if ('problem' in mapping) throw new Error(mapping.problem);
  const options = { documentTime: runtime.now(), country: undefined, blankClears: true };
  const record = readRow(Object.values(values), mapping, options);
  if (!record.ok) throw new Error(JSON.stringify(record.errors));
  await upsertProfiles(shardFor(runtime, customer_id).db, [record.profile], runtime.now());
}

/** What a minute does: sweep, decide, and the queue's consumer takes every pointer. */
export async function tick(runtime: TestRuntime): Promise<void> {
  await sweep(runtime);
  await decideWaiting(runtime);
  await drain(runtime);
}

export async function drain(runtime: TestRuntime): Promise<void> {
  const ids = runtime.sent.splice(0).map(({ pointer }) => pointer.message);
  await deliver(runtime, shardFor(runtime, ''), ids);
  await runtime.settled();
}
