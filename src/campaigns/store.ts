/** Campaigns in D1. A change of state reaches the messages that wait for it in the same transaction. */
import { type Campaign, type CampaignFields, type CampaignRow, campaignFromRow } from './campaign.ts';

const COLUMNS = [
  'id',
  'name',
  'trigger',
  'channel',
  'sender',
  'body',
  'media_urls',
  'policy',
  'state',
  'ttl_seconds',
  'purpose',
  'providers',
  'on_unknown',
  'unknown_after_seconds',
  'wait_seconds',
] as const satisfies readonly (keyof CampaignRow)[];

export const CAMPAIGN_SQL = {
  list: 'SELECT * FROM campaigns ORDER BY id LIMIT 500',
  read: 'SELECT * FROM campaigns WHERE id = ?1',
  /** `?1`: the row as JSON, `?2`: now. */
  upsert: `INSERT INTO campaigns (${COLUMNS.join(', ')}, created_at, updated_at)
    SELECT ${COLUMNS.map((name) => `?1 ->> '${name}'`).join(', ')}, ?2, ?2 WHERE true
    ON CONFLICT (id) DO UPDATE SET ${COLUMNS.slice(1)
      .map((name) => `${name} = excluded.${name}`)
      .join(', ')}, updated_at = excluded.updated_at
    RETURNING *`,
  delete: 'DELETE FROM campaigns WHERE id = ?1',
  /** Messages that a pause held become due; the sweeper releases them and the claim looks at the campaign again. */
  wakeHeld: `UPDATE messages SET due_at = ?2 WHERE campaign_id = ?1 AND state = 'held' AND reason = 'campaign_paused'`,
} as const;

export async function listCampaigns(db: D1Database): Promise<Campaign[]> {
  const { results } = await db.prepare(CAMPAIGN_SQL.list).all<CampaignRow>();
  return results.map(campaignFromRow);
}

export async function readCampaign(db: D1Database, id: string): Promise<Campaign | null> {
  const row = await db.prepare(CAMPAIGN_SQL.read).bind(id).first<CampaignRow>();
  return row && campaignFromRow(row);
}

export async function writeCampaign(
  db: D1Database,
  id: string,
  fields: CampaignFields,
  now: number,
): Promise<Campaign> {
  const { unknown_after, wait_for_profile, ...rest } = fields;
  const row: Readonly<Record<(typeof COLUMNS)[number], string | number | null>> = {
    ...rest,
    id,
    media_urls: JSON.stringify(fields.media_urls),
    providers: JSON.stringify(fields.providers),
    unknown_after_seconds: unknown_after,
    wait_seconds: wait_for_profile,
  };
  const statements = [db.prepare(CAMPAIGN_SQL.upsert).bind(JSON.stringify(row), now)];
  if (fields.state === 'live') statements.push(db.prepare(CAMPAIGN_SQL.wakeHeld).bind(id, now));
  const [written] = await db.batch<CampaignRow>(statements);
  const stored = written?.results[0];
  if (!stored) throw new Error('campaign upsert returned no row');
  return campaignFromRow(stored);
}

/** @returns whether there was one. Messages that still wait are canceled when they are next claimed. */
export async function deleteCampaign(db: D1Database, id: string, now: number): Promise<boolean> {
  const [deleted] = await db.batch([
    db.prepare(CAMPAIGN_SQL.delete).bind(id),
    db.prepare(CAMPAIGN_SQL.wakeHeld).bind(id, now),
  ]);
  return (deleted?.meta.changes ?? 0) > 0;
}
