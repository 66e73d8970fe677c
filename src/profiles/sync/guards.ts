/** What must hold before the first profile is written. */
import type { Feed } from '../feeds/feed.ts';
import type { Run } from './runs.ts';

export type Verdict =
  | { readonly ok: true }
  /** `failed`: the document is no good. `refused`: a person may say yes. */
  | { readonly ok: false; readonly state: 'failed' | 'refused'; readonly detail: string };

/** Below this many customers the share that would be cleared says little. */
const CLEAR_COUNTS_FROM = 100;

const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;

/** Judges what was read and compared. @param lastGood rows of the feed's last good full run; null: none yet. */
export function judge(run: Run, feed: Pick<Feed, 'guards'>, lastGood: number | null): Verdict {
  const { rows_read, rows_rejected, rows_absent, rows_known } = run;
  const { max_bad_share, min_share, max_clear_share } = feed.guards;
  const failed = (detail: string): Verdict => ({ ok: false, state: 'failed', detail });
  if (rows_read === 0) return failed('The feed has no rows; nothing was changed.');
  if (rows_rejected === rows_read) return failed(`All ${rows_read} rows are wrong; nothing was changed.`);
  if (rows_rejected > rows_read * max_bad_share) {
    return failed(
      `${rows_rejected} of ${rows_read} rows are wrong, more than ${percent(max_bad_share)}; nothing was changed.`,
    );
  }
  if (run.approved || run.mode !== 'full') return { ok: true };
  const refused = (detail: string): Verdict => ({
    ok: false,
    state: 'refused',
    detail: `${detail} Nothing was changed; approve the run if that is right.`,
  });
  const rows = rows_read - rows_rejected;
  if (lastGood !== null && rows < lastGood * min_share) {
    return refused(
      `The full feed has ${rows} rows, less than ${percent(min_share)} of the ${lastGood} of its last good run.`,
    );
  }
  if (rows_absent > CLEAR_COUNTS_FROM && rows_absent > rows_known * max_clear_share) {
    return refused(
      `The full feed would clear ${rows_absent} of ${rows_known} customers, more than ${percent(max_clear_share)}.`,
    );
  }
  return { ok: true };
}
