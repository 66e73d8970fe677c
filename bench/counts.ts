/** What D1 reported, on its way from the counting Worker to the bench. */
export interface Count {
  /** Calls to D1: a batch is one. */
  trips: number;
  rowsRead: number;
  rowsWritten: number;
}

/** The sandbox carrier's own tables stand for a carrier's storage; they are no part of what OptiText costs. */
export type Account = 'optitext' | 'carrier';
