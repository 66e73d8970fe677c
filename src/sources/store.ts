/** The rows of sources. */
import type { CountryCode } from '../domain/phone.ts';
import { newId, sha256Hex } from '../platform/ids.ts';
import { invalid } from '../platform/problem.ts';
import { retryIdempotent } from '../platform/retry.ts';
import type { Runtime } from '../platform/runtime.ts';
import { KINDS } from './kinds/index.ts';
import { fingerprint, openSecrets, sealSecrets } from './secrets.ts';
import type { Source, SourceFields } from './source.ts';

export const SOURCE_SQL = {
  read: 'SELECT * FROM trigger_sources WHERE id = ?1',
  list: 'SELECT * FROM trigger_sources ORDER BY id LIMIT 1000',
  write: `INSERT INTO trigger_sources (id, kind, name, secrets, fingerprints, event_type, mapping, vouches, allowed_origins, rate,
      countries, options, default_country, tolerance_seconds, publishable_hash, state, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17)
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name, secrets = excluded.secrets,
      fingerprints = excluded.fingerprints, event_type = excluded.event_type, mapping = excluded.mapping,
      vouches = excluded.vouches, allowed_origins = excluded.allowed_origins, rate = excluded.rate,
      countries = excluded.countries, options = excluded.options, default_country = excluded.default_country,
      tolerance_seconds = excluded.tolerance_seconds, publishable_hash = excluded.publishable_hash,
      state = excluded.state, updated_at = excluded.updated_at`,
  remove: 'DELETE FROM trigger_sources WHERE id = ?1',
  forgetDeliveries: 'DELETE FROM source_deliveries WHERE source_id = ?1',
  forgetCounts: 'DELETE FROM source_counts WHERE source_id = ?1',
} as const;

interface SourceRow {
  readonly id: string;
  readonly kind: string;
  readonly name: string | null;
  readonly secrets: string | null;
  readonly fingerprints: string;
  readonly event_type: string | null;
  readonly mapping: string;
  readonly vouches: string | null;
  readonly allowed_origins: string;
  readonly rate: string;
  readonly countries: string | null;
  readonly options: string;
  readonly default_country: string | null;
  readonly tolerance_seconds: number;
  readonly publishable_hash: string | null;
  readonly state: 'on' | 'off';
  readonly updated_at: number;
}

export async function readSource(runtime: Runtime, id: string): Promise<Source | null> {
  const row = await runtime.db.prepare(SOURCE_SQL.read).bind(id).first<SourceRow>();
  return row && (await sourceFrom(runtime, row));
}

/** At most 1000, by their ids. */
export async function listSources(runtime: Runtime): Promise<Source[]> {
  const { results } = await runtime.db.prepare(SOURCE_SQL.list).all<SourceRow>();
  return await Promise.all(results.map((row) => sourceFrom(runtime, row)));
}

/**
 * Writes a source over the one that stands.
 *
 * @returns the key for pages where a new one was made: it is stored hashed and never shown again.
 * @throws Problem 422 where the kind needs a secret and none is given or stored, 503 without a key to encrypt with.
 */
export async function writeSource(
  runtime: Runtime,
  id: string,
  fields: SourceFields,
): Promise<{ readonly publishableKey: string | null }> {
  const earlier = await runtime.db.prepare(SOURCE_SQL.read).bind(id).first<SourceRow>();
  const sameKind = earlier?.kind === fields.kind;
  const kept = sameKind ? { secrets: earlier.secrets, fingerprints: earlier.fingerprints } : null;
  const { secrets, fingerprints } =
    fields.secrets === undefined
      ? (kept ?? { secrets: null, fingerprints: '[]' })
      : {
          secrets: fields.secrets.length === 0 ? null : await sealSecrets(runtime, id, fields.secrets),
          fingerprints: JSON.stringify(
            await Promise.all(fields.secrets.map((secret) => fingerprint(id, secret))),
          ),
        };
  if (KINDS.get(fields.kind)?.needsSecret && secrets === null)
    throw invalid([
      {
        path: 'secrets',
        message: `is required: nothing that ${fields.kind} sends can be believed without one`,
      },
    ]);

  const standing = sameKind ? earlier.publishable_hash : null;
  const makesKey = fields.kind === 'form' && (standing === null || fields.new_publishable_key);
  const publishableKey = makesKey ? newId('pk') : null;
  const hash = publishableKey === null ? standing : await sha256Hex(publishableKey);
  const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));
  const { kind, name, event_type, mapping, vouches, allowed_origins, rate, countries, options } = fields;
  const statement = runtime.db
    .prepare(SOURCE_SQL.write)
    .bind(
      id,
      kind,
      name,
      secrets,
      fingerprints,
      event_type,
      json(mapping),
      json(vouches),
      json(allowed_origins),
      json(rate),
      json(countries),
      json(options),
      fields.default_country,
      fields.tolerance_seconds,
      hash,
      fields.state,
      runtime.now(),
    );
  await retryIdempotent(() => statement.run());
  return { publishableKey };
}

/** Also what was kept of its deliveries. `false` where there was none. */
export async function deleteSource(db: D1Database, id: string): Promise<boolean> {
  const [removed] = await retryIdempotent(() =>
    db.batch([
      db.prepare(SOURCE_SQL.remove).bind(id),
      db.prepare(SOURCE_SQL.forgetDeliveries).bind(id),
      db.prepare(SOURCE_SQL.forgetCounts).bind(id),
    ]),
  );
  return (removed?.meta.changes ?? 0) > 0;
}

/** Its columns were checked when they were written. */
async function sourceFrom(runtime: Runtime, row: SourceRow): Promise<Source> {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    secrets: row.secrets === null ? [] : await openSecrets(runtime, row.id, row.secrets),
    fingerprints: JSON.parse(row.fingerprints),
    eventType: row.event_type,
    mapping: JSON.parse(row.mapping),
    defaultCountry: row.default_country as CountryCode | null,
    vouches: row.vouches === null ? null : JSON.parse(row.vouches),
    allowedOrigins: JSON.parse(row.allowed_origins),
    rate: JSON.parse(row.rate),
    countries: row.countries === null ? null : JSON.parse(row.countries),
    options: JSON.parse(row.options),
    toleranceSeconds: row.tolerance_seconds,
    publishableHash: row.publishable_hash,
    state: row.state,
    updatedAt: row.updated_at,
  };
}
