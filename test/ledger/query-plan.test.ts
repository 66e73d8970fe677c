import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { CAMPAIGN_SQL } from '../../src/campaigns/store.ts';
import { SANDBOX_RECEIPT_SQL } from '../../src/delivery/sandbox/receipts.ts';
import { CONTEXT_SQL } from '../../src/ingress/context.ts';
import { RECEIPTS_SQL } from '../../src/ledger/receipts.ts';
import { SWEEP_SQL, WAKE_SQL } from '../../src/ledger/sweep.ts';
import { WAITING_SQL } from '../../src/ledger/waiting.ts';
import { listSql } from '../../src/messages/log.ts';
import { WHAT_IF_SQL } from '../../src/policies/what-if.ts';
import { RUN_SQL } from '../../src/profiles/sync/runs.ts';
import { RECONCILIATION_SQL } from '../../src/reports/reconciliation.ts';

/** Every group of statements in src, by its name there. */
type Group = string | Readonly<Record<string, string>>;
const modules = import.meta.glob<Readonly<Record<string, unknown>>>('../../src/**/*.ts', { eager: true });
const GROUPS: Readonly<Record<string, Group>> = Object.fromEntries(
  Object.values(modules).flatMap((module) =>
    Object.entries(module)
      .filter(([name]) => /^[A-Z_]+_SQL$/.test(name))
      .map(([name, group]) => [name, group as Group]),
  ),
);

/** All of them are looked at, and the log's statement with the filters that people use all day. */
const STATEMENTS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(GROUPS).flatMap(([group, member]) => named(group, member))),
  'log: newest': listSql({}).sql,
  'log: of a customer': listSql({ customer_id: 'c' }).sql,
  'log: of an event': listSql({ event_id: 'e' }).sql,
};

/** Walks of a b-tree in its own order that stop at a LIMIT, and lists of configuration, which is small. */
const LIMITED = new Set([
  'INBOX_SQL.all',
  'RUN_SQL.list',
  'CAMPAIGN_SQL.list',
  'POLICY_SQL.list',
  'SENDER_SQL.pauses',
  'SENDER_SQL.paces',
  'HEALTH_SQL.resting',
  'HEALTH_SQL.campaigns',
  'FEED_SQL.list',
  'SOURCE_SQL.list',
]);

function named(group: string, member: string | Readonly<Record<string, string>>): [string, string][] {
  if (typeof member === 'string') return [[group, member]];
  return Object.entries(member).map(([name, sql]) => [`${group}.${name}`, sql]);
}

async function plan(sql: string): Promise<string[]> {
  const parameters = Math.max(0, ...[...sql.matchAll(/\?(\d+)/g)].map((match) => Number(match[1])));
  const anonymous = (sql.match(/\?(?!\d)/g) ?? []).length;
  const values = Array.from({ length: Math.max(parameters, anonymous) }, () => '[]');
  const { results } = await env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .bind(...values)
    .all<{ detail: string }>();
  return results.map((row) => row.detail);
}

describe('no statement of the hot path scans a table', () => {
  it.each(Object.keys(STATEMENTS))('%s', async (name) => {
    const details = await plan(STATEMENTS[name] ?? '');
    const scans = details.filter(
      (detail) =>
        /^SCAN /.test(detail) &&
        !/^SCAN (json_each|j|a|value|CONSTANT|\d+ CONSTANT|v|b|\(subquery)\b|VIRTUAL TABLE/.test(detail),
    );
    if (LIMITED.has(name)) {
      expect(scans).toHaveLength(1);
      expect(STATEMENTS[name]).toContain('LIMIT');
      expect(details.join()).not.toContain('TEMP B-TREE');
    } else {
      expect(scans).toEqual([]);
    }
  });

  it('and the indexes that were made for it are used', async () => {
    const uses = async (sql: string): Promise<string> => (await plan(sql)).join('\n');
    for (const sql of Object.values(SWEEP_SQL))
      expect(await uses(sql)).toContain('INDEX messages_due (due_at<?)');
    expect(await uses(RECEIPTS_SQL.byProviderId)).toContain(
      'INDEX messages_by_provider (provider_message_id=? AND provider=?)',
    );
    expect(await uses(CONTEXT_SQL.campaigns)).toContain('INDEX campaigns_by_trigger (trigger=? AND state=?)');
    expect(await uses(listSql({ customer_id: 'c' }).sql)).toContain(
      'INDEX messages_by_customer (customer_id=?',
    );
    for (const sql of Object.values(WAKE_SQL))
      expect(await uses(sql)).toContain('INDEX messages_resting (reason=?');
    expect(await uses(CAMPAIGN_SQL.wakeHeld)).toContain('INDEX messages_held (campaign_id=?)');
    expect(await uses(SANDBOX_RECEIPT_SQL.owed)).toContain('INDEX sandbox_messages_owed (receipt_due_at<?)');
    expect(await uses(WHAT_IF_SQL.page)).toContain('INDEX events_by_time (received_at>? AND received_at<?)');
    expect(await uses(WAITING_SQL.mark)).toContain('INDEX messages_waiting (customer_id=?)');
    expect(await uses(WAITING_SQL.due)).toContain('INDEX messages_due (due_at<?)');
    expect(await uses(WAITING_SQL.cancelContradicted)).toContain(
      'INDEX messages_by_customer (customer_id=?)',
    );
    for (const sql of Object.values(RECONCILIATION_SQL))
      expect(await uses(sql)).toContain('INDEX events_by_time (received_at>? AND received_at<?)');
    expect(await uses(RUN_SQL.list)).toContain('INDEX sync_runs_by_start');
  });
});

describe('the list above is whole', () => {
  const sources = import.meta.glob<string>('../../src/**/*.ts', {
    query: '?raw',
    import: 'default',
    eager: true,
  });

  it('because every statement in src is a named constant', () => {
    const inline = Object.entries(sources).flatMap(([file, text]) =>
      [...text.matchAll(/\.prepare\(\s*([^)]*?)\s*[,)]/g)]
        .map((match) => match[1] ?? '')
        .filter((argument) => !/^([A-Z_]+_SQL(\.\w+)?|sql|'SELECT 1')$/.test(argument))
        .map((argument) => `${file}: ${argument}`),
    );
    expect(inline).toEqual([]);
  });

  it('and every group of them is looked at here', () => {
    const groups = Object.values(sources).flatMap((text) =>
      [...text.matchAll(/export const ([A-Z_]+_SQL)\b/g)].map((match) => match[1] ?? ''),
    );
    expect(groups.sort()).toEqual(Object.keys(GROUPS).sort());
  });
});
