/** Whole batches in one bound parameter: `json_each(?1)`. D1 allows 100 parameters, and 2 MB for each value. */

const MAX_PARAMETER_BYTES = 900_000;
const encoder = new TextEncoder();

/** Rows as JSON arrays, each small enough for one bound parameter. An empty list gives no parameter at all. */
export function jsonChunks(rows: readonly unknown[]): string[] {
  const chunks: string[] = [];
  let parts: string[] = [];
  let size = 2;
  for (const row of rows) {
    const text = JSON.stringify(row);
    const bytes = encoder.encode(text).byteLength;
    if (parts.length > 0 && size + bytes > MAX_PARAMETER_BYTES) {
      chunks.push(`[${parts.join(',')}]`);
      parts = [];
      size = 2;
    }
    parts.push(text);
    size += bytes + 1;
  }
  if (parts.length > 0) chunks.push(`[${parts.join(',')}]`);
  return chunks;
}

/** A timestamp of the database as ISO 8601. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
