/** Progress in a terminal as a bar that is drawn over itself; elsewhere, such as in a log, as a line now and then. */
import type { WriteStream } from 'node:tty';

const BAR_WIDTH = 28;
const REDRAW_MS = 80;
const LINE_MS = 5_000;

export interface Progress {
  /** @param share from 0 to 1; null: not known. */
  show(label: string, share: number | null, details: string): void;
  /** Leaves the last state standing. */
  end(): void;
}

type Output = Pick<WriteStream, 'write'> & { readonly isTTY?: boolean; readonly columns?: number };

export function progressOn(output: Output, now: () => number = Date.now): Progress {
  return output.isTTY === true ? bar(output, now) : lines(output, now);
}

function bar(output: Output, now: () => number): Progress {
  let drawnAt = 0;
  let last = '';
  const draw = (): void => {
    output.write(`\r\u001b[K${last.slice(0, (output.columns ?? 80) - 1)}`);
    drawnAt = now();
  };
  return {
    show(label, share, details) {
      last = `${label.padEnd(10)} ${drawing(share, now())} ${percent(share).padStart(4)}  ${details}`;
      if (now() - drawnAt >= REDRAW_MS) draw();
    },
    end() {
      if (last === '') return;
      draw();
      output.write('\n');
      last = '';
    },
  };
}

function lines(output: Output, now: () => number): Progress {
  let writtenAt = 0;
  let label = '';
  let pending = '';
  const write = (): void => {
    if (pending !== '') output.write(`${pending}\n`);
    pending = '';
    writtenAt = now();
  };
  return {
    show(next, share, details) {
      pending = [next, percent(share), details].filter((part) => part.trim() !== '').join('  ');
      if (next === label && now() - writtenAt < LINE_MS) return;
      label = next;
      write();
    },
    end: write,
  };
}

function drawing(share: number | null, time: number): string {
  if (share === null) {
    const at = Math.floor(time / 120) % BAR_WIDTH;
    return Array.from({ length: BAR_WIDTH }, (_, index) => (index === at ? '█' : '░')).join('');
  }
  const filled = Math.round(Math.min(Math.max(share, 0), 1) * BAR_WIDTH);
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
}

function percent(share: number | null): string {
  return share === null ? '' : `${Math.floor(share * 100)} %`;
}

/** `1234567` as `1.2 MB`. */
export function byteWords(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `95` as `1 min 35 s`. */
export function timeWords(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
