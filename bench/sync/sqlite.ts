/** What the machine itself can do: the same file by the sqlite3 command line into the same table. */
import { execFileSync, spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';

const TABLE = `CREATE TABLE IF NOT EXISTS profiles (customer_id TEXT PRIMARY KEY, mobile_number TEXT, e164 TEXT, sms_consent INTEGER,
  sms_valid INTEGER, attributes TEXT NOT NULL DEFAULT '{}', updated_at INTEGER NOT NULL, written_at INTEGER NOT NULL) STRICT;`;

const flag = (column: string): string =>
  `CASE ${column} WHEN 'true' THEN 1 WHEN 'false' THEN 0 WHEN '' THEN NULL END`;

/** As the Worker writes: nothing for rows that say nothing new. */
const UPSERT = `INSERT INTO profiles SELECT customer_id, MOBILE_NUMBER, MOBILE_NUMBER, ${flag('SMS_CONSENT')}, ${flag('SMS_VALID')},
    json_object('first_name', first_name, 'city', city, 'plan', plan), 0, 0 FROM incoming WHERE true
  ON CONFLICT (customer_id) DO UPDATE SET mobile_number = excluded.mobile_number, e164 = excluded.e164,
    sms_consent = excluded.sms_consent, sms_valid = excluded.sms_valid, attributes = excluded.attributes
  WHERE profiles.mobile_number IS NOT excluded.mobile_number OR profiles.sms_consent IS NOT excluded.sms_consent
    OR profiles.sms_valid IS NOT excluded.sms_valid OR profiles.attributes <> excluded.attributes;`;

export function sqliteVersion(): string | null {
  const { status, stdout } = spawnSync('sqlite3', ['--version'], { encoding: 'utf8' });
  return status === 0 ? (stdout.split(' ')[0] ?? null) : null;
}

/** Unpacks, imports and upserts. @returns seconds and how many rows were written. */
export function sqliteImport(db: string, gz: string): { seconds: number; written: number } {
  const began = performance.now();
  const script = [
    'PRAGMA journal_mode = WAL;',
    TABLE,
    'DROP TABLE IF EXISTS incoming;',
    `.import --csv "|gzip -dc ${gz}" incoming`,
    UPSERT,
    "SELECT 'written', changes();",
    'DROP TABLE incoming;',
  ].join('\n');
  const output = execFileSync('sqlite3', [db], { input: script, encoding: 'utf8' });
  const written = /^written\|(\d+)$/m.exec(output)?.[1];
  if (written === undefined) throw new Error(`sqlite3 said: ${output}`);
  return { seconds: (performance.now() - began) / 1000, written: Number(written) };
}
