/** Policies in D1: versions that never change, and the presets beside them. */
import { type NamedPolicy, type Policy, presetPolicy } from '../domain/policy.ts';
import { canonicalJson } from '../platform/json.ts';
import { type PolicyRow, policyFromRow } from './policy-row.ts';

export const POLICY_SQL = {
  newest: 'SELECT * FROM policies WHERE name = ?1 ORDER BY version DESC LIMIT 1',
  version: 'SELECT * FROM policies WHERE name = ?1 AND version = ?2',
  versions: 'SELECT * FROM policies WHERE name = ?1 ORDER BY version DESC LIMIT 500',
  list: 'SELECT name, max(version) AS version, document, created_at FROM policies GROUP BY name ORDER BY name LIMIT 500',
  insert: `INSERT INTO policies (name, version, document, created_at)
    SELECT ?1, coalesce((SELECT max(version) FROM policies WHERE name = ?1), 0) + 1, ?2, ?3 RETURNING *`,
} as const;

export interface PolicyVersion extends NamedPolicy {
  /** `null` for presets. */
  readonly createdAt: number | null;
}

/** The preset or stored policy of that name, its newest version unless one is named. */
export async function readPolicy(
  db: D1Database,
  name: string,
  version?: number,
): Promise<PolicyVersion | null> {
  const preset = presetPolicy(name);
  if (preset)
    return version === undefined || version === preset.version ? { ...preset, createdAt: null } : null;
  const statement =
    version === undefined
      ? db.prepare(POLICY_SQL.newest).bind(name)
      : db.prepare(POLICY_SQL.version).bind(name, version);
  const row = await statement.first<PolicyRow>();
  return row && withTime(row);
}

export async function policyVersions(db: D1Database, name: string): Promise<PolicyVersion[]> {
  const preset = presetPolicy(name);
  if (preset) return [{ ...preset, createdAt: null }];
  const { results } = await db.prepare(POLICY_SQL.versions).bind(name).all<PolicyRow>();
  return results.map(withTime);
}

export async function listPolicies(db: D1Database): Promise<PolicyVersion[]> {
  const { results } = await db.prepare(POLICY_SQL.list).all<PolicyRow>();
  return results.map(withTime);
}

/** Stores a document as the newest version, unless it already is; two writers at once get two versions. */
export async function writePolicy(
  db: D1Database,
  name: string,
  document: Policy,
  now: number,
): Promise<{ readonly policy: PolicyVersion; readonly created: boolean }> {
  const current = await readPolicy(db, name);
  if (current && canonicalJson(current.document) === canonicalJson(document))
    return { policy: current, created: false };
  const row = await db
    .prepare(POLICY_SQL.insert)
    .bind(name, JSON.stringify(document), now)
    .first<PolicyRow>();
  if (!row) throw new Error('policy insert returned no row');
  return { policy: withTime(row), created: true };
}

function withTime(row: PolicyRow): PolicyVersion {
  return { ...policyFromRow(row), createdAt: row.created_at };
}
