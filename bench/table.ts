/** The bench's one table: the ratio first, because machines differ and ratios travel. */

export interface Line {
  readonly what: string;
  /** To the bare route, where there is one to compare with. */
  readonly ratio?: number;
  readonly value: number;
  readonly unit: string;
  /** Of several runs, or what else must be known to read the value. */
  readonly note?: string;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** Several runs of one thing. */
export interface Runs {
  readonly rates: readonly number[];
  /** Processor time of the server for one event, milliseconds; `null` where this system does not tell. */
  readonly cpuMs?: number | null;
}

/** The median of several runs, with what the runs ranged over. */
export function runsLine(what: string, { rates, cpuMs }: Runs, unit: string, bare?: number): Line {
  const value = median(rates);
  const range = `${rates.length} runs, ${round(Math.min(...rates))} to ${round(Math.max(...rates))}`;
  const note = cpuMs == null ? range : `${range}; ${round(cpuMs)} ms CPU each`;
  return { what, value, unit, note, ...(bare !== undefined && { ratio: value / bare }) };
}

export function print(sections: Readonly<Record<string, readonly Line[]>>): void {
  const lines = Object.values(sections).flat();
  const width = (cells: readonly string[]): number => Math.max(...cells.map((cell) => cell.length));
  const ratio = ({ ratio: r }: Line): string =>
    r === undefined ? '' : r < 0.1 ? r.toFixed(3) : r.toFixed(2);
  const columns = {
    what: width(lines.map((line) => line.what)),
    value: width(lines.map((line) => round(line.value))),
    unit: width(lines.map((line) => line.unit)),
  };
  console.log(`${'× bare'.padStart(8)}  ${'value'.padStart(columns.value)}  what`);
  for (const [title, section] of Object.entries(sections)) {
    console.log(`\n${title}`);
    for (const line of section) {
      const cells = [
        ratio(line).padStart(8),
        round(line.value).padStart(columns.value),
        line.unit.padEnd(columns.unit),
        line.what.padEnd(columns.what),
        line.note ?? '',
      ];
      console.log(cells.join('  ').trimEnd());
    }
  }
}

/** Three significant digits below a hundred, whole numbers above. */
function round(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(value < 1 ? 2 : 3)));
}
