/** One JSON line per event of note. Never numbers, bodies, names or keys: ids, codes and counts only. */
export function log(
  level: 'info' | 'warn' | 'error',
  event: string,
  fields: Readonly<Record<string, string | number | boolean | null>> = {},
): void {
  console[level === 'info' ? 'log' : level](JSON.stringify({ level, event, ...fields }));
}

/** An error as a log field: its name and the first line of its message, shortened. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return (text.split('\n')[0] ?? '').replace(/\+?\d{7,}/g, '•••').slice(0, 200);
}
