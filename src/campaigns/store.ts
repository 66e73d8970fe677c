/** Campaigns in D1. A change of state reaches the messages that wait for it in the same transaction. */
import { type Campaign, type CampaignFields, type CampaignRow, campaignFromRow } from './campaign.ts';

export const CAMPAIGN_SQL = {
  list: 'SELECT * FROM campaigns ORDER BY id LIMIT 500',
  read: 'SELECT * FROM campaigns WHERE id = ?1',
  upsert: `INSERT INTO campaigns (id, name, trigger, channel, sender, body, media_urls, policy, state, ttl_seconds, resend_unknown, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, trigger = excluded.trigger, channel = excluded.channel,
      sender = excluded.sender, body = excluded.body, media_urls = excluded.media_urls, policy = excluded.policy,
      state = excluded.state, ttl_seconds = excluded.ttl_seconds, resend_unknown = excluded.resend_unknown,
      updated_at = excluded.updated_at
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
  const statements = [
    db
      .prepare(CAMPAIGN_SQL.upsert)
      .bind(
        id,
        fields.name,
        fields.trigger,
        fields.channel,
        fields.sender,
        fields.body,
        JSON.stringify(fields.media_urls),
        fields.policy,
        fields.state,
        fields.ttl_seconds,
        Number(fields.resend_unknown),
        now,
      ),
  ];
  if (fields.state === 'live') statements.push(db.prepare(CAMPAIGN_SQL.wakeHeld).bind(id, now));
  const [written] = await db.batch<CampaignRow>(statements);
  const row = written?.results[0];
  if (!row) throw new Error('campaign upsert returned no row');
  return campaignFromRow(row);
}

/** @returns whether there was one. Messages that still wait are canceled when they are next claimed. */
export async function deleteCampaign(db: D1Database, id: string, now: number): Promise<boolean> {
  const [deleted] = await db.batch([
    db.prepare(CAMPAIGN_SQL.delete).bind(id),
    db.prepare(CAMPAIGN_SQL.wakeHeld).bind(id, now),
  ]);
  return (deleted?.meta.changes ?? 0) > 0;
}
