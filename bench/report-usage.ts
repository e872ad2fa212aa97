/**
 * Preloaded into a measured Node process (`node --import`): at its end it writes its peak resident set and its CPU time,
 * those of all its threads, to the file that ENGRAFT_USAGE_FILE names.
 *
 * VmHWM and not `resourceUsage().maxRSS`: the kernel hands maxRSS on from the parent through fork and exec.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

export interface ReportedUsage {
  readonly peakKib: number;
  readonly cpuMicros: number;
}

// Worker threads inherit the preload; the last word is the main thread's.
if (isMainThread)
  process.on('exit', () => {
    const file = process.env['ENGRAFT_USAGE_FILE'];
    const peakKib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (file === undefined || peakKib === undefined) return;
    const { user, system } = process.cpuUsage();
    const usage: ReportedUsage = { peakKib: Number(peakKib), cpuMicros: user + system };
    writeFileSync(file, JSON.stringify(usage));
  });
