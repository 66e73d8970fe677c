/** What a person can mend: its message is shown, without a stack. */
export class Complaint extends Error {}

/** The words for the terminal; of an error that nobody expected, also where it came from. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof Complaint ? error.message : (error.stack ?? error.message);
}
