/**
 * Preloaded into a measured process (`node --import`): at its end it writes its peak resident set to the file that
 * ENGRAFT_PEAK_FILE names.
 *
 * VmHWM and not `resourceUsage().maxRSS`: the kernel hands maxRSS on from the parent through fork and exec.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';

process.on('exit', () => {
  const file = process.env['ENGRAFT_PEAK_FILE'];
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  if (file !== undefined && kib !== undefined) writeFileSync(file, kib);
});
