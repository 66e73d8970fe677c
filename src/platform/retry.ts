/** Backing off, with jitter so that many who failed together do not come back together. */

const MAX_BACKOFF_MS = 15 * 60_000;

/**
 * How long to wait after a failed attempt: “equal jitter”, half fixed and half random.
 *
 * @param attempt 1 for the first attempt that failed.
 */
export function backoffMs(attempt: number, baseMs: number, random: () => number = Math.random): number {
  const ceiling = Math.min(baseMs * 2 ** (attempt - 1), MAX_BACKOFF_MS);
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}

/** Runs an idempotent D1 operation up to three times. D1 never retries writes by itself. */
export async function retryIdempotent<T>(operation: () => Promise<T>, attempts = 3, baseMs = 50): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (attempt >= attempts) throw error;
      await sleep(backoffMs(attempt, baseMs));
    }
  }
}

export async function sleep(ms: number): Promise<void> {
  await new Promise((resume) => setTimeout(resume, ms));
}
