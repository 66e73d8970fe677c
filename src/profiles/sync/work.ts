/** A run that this worker holds: its claim, its budget, and the ways its row changes. */
import { newId } from '../../platform/ids.ts';
import type { Runtime } from '../../platform/runtime.ts';
import { type Claim, RUN_SQL, type Run, type RunPhase } from './runs.ts';

/** Another worker holds the run now; nothing more may be written by this one. */
export class LostClaim extends Error {
  override readonly name = 'LostClaim';
}

/** What one tick may use. Time stands still between I/O on workerd, so rows stand in for CPU time. */
export class Budget {
  readonly #runtime: Runtime;
  readonly #until: number;
  #subrequests: number;
  #rows: number;

  constructor(runtime: Runtime) {
    const { syncTickMs, syncTickSubrequests, syncTickRows } = runtime.config;
    this.#runtime = runtime;
    this.#until = runtime.now() + syncTickMs;
    this.#subrequests = syncTickSubrequests;
    this.#rows = syncTickRows;
  }

  use(subrequests: number, rows = 0): void {
    this.#subrequests -= subrequests;
    this.#rows -= rows;
  }

  get isSpent(): boolean {
    return this.#subrequests <= 0 || this.#rows <= 0 || this.#runtime.now() >= this.#until;
  }
}

export function newClaim(runtime: Runtime): Claim {
  const now = runtime.now();
  return { id: newId('clm'), leaseUntil: now + runtime.config.leaseMs, now };
}

/** The run as it is now; every change of its row goes through `apply`, which fails where the claim is lost. */
export class Work {
  constructor(
    readonly runtime: Runtime,
    readonly budget: Budget,
    public run: Run,
  ) {}

  get db(): D1Database {
    return this.runtime.db;
  }

  get leaseUntil(): number {
    return this.runtime.now() + this.runtime.config.leaseMs;
  }

  /**
   * One transaction whose last statement returns the run's row where the claim still holds.
   *
   * @throws LostClaim
   */
  async apply(statements: readonly D1PreparedStatement[]): Promise<void> {
    const results = await this.db.batch<Run>([...statements]);
    this.budget.use(1);
    const run = results.at(-1)?.results[0];
    if (!run) throw new LostClaim();
    this.run = run;
  }

  async enter(phase: RunPhase): Promise<void> {
    const { id, claim_id } = this.run;
    await this.apply([
      this.db.prepare(RUN_SQL.phase).bind(id, claim_id, phase, this.leaseUntil, this.runtime.now()),
    ]);
  }

  async finish(state: 'done' | 'failed' | 'refused', detail: string | null): Promise<void> {
    const { id, claim_id } = this.run;
    await this.db.prepare(RUN_SQL.finish).bind(id, claim_id, state, detail, this.runtime.now()).run();
  }

  /** Gives the run back: at once, or after a pause where something went wrong, with words about it for the operator. */
  async release(pauseMs: number, why: string | null = null): Promise<void> {
    const { id, claim_id } = this.run;
    const now = this.runtime.now();
    await this.db
      .prepare(RUN_SQL.release)
      .bind(id, claim_id, now + pauseMs, Number(pauseMs === 0), now, why)
      .run();
  }
}
