/** Processor time of a server's processes: unlike events per second, it hardly depends on who else uses the machine. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second for everybody who asks. */
const TICK_MS = 10;

/** Milliseconds that a process group has used so far, or `null` where there is no `/proc`. */
export function groupCpuMs(leader: number): number | null {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.reduce((sum, pid) => sum + ticksOf(pid, leader), 0) * TICK_MS;
  } catch {
    return null;
  }
}

/** User and system time of one process, if it belongs to the group; see proc_pid_stat(5). */
function ticksOf(pid: string, leader: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold anything; what follows it is separated by spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[2]) === leader ? Number(fields[11]) + Number(fields[12]) : 0;
  } catch {
    return 0; // it ended while we looked
  }
}
