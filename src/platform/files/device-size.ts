/**
 * How large a block device is: stat says 0, and node:fs has neither ioctl nor lseek.
 * @module
 */
import { readFileSync, readSync } from 'node:fs';

/** More than any device holds. */
const BYTES_MAX = 2 ** 46;

/** `device` is what stat calls `rdev`. */
export function deviceSize(fd: number, device: bigint): number {
  return sizeInSysfs(device) ?? probeSize(fd);
}

/** `MAJOR:MINOR`. Linux packs 12 bits of major and 20 bits of minor number (and the rest above). */
export function deviceNumber(packed: bigint): string {
  const major = ((packed >> 8n) & 0xfffn) | ((packed >> 32n) & ~0xfffn);
  const minor = (packed & 0xffn) | ((packed >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

function sizeInSysfs(device: bigint): number | null {
  let text: string;
  try {
    text = readFileSync(`/sys/dev/block/${deviceNumber(device)}/size`, 'utf8');
  } catch {
    return null;
  }
  // Always in units of 512, whatever the device's sectors are.
  return /^\d+\n?$/.test(text) ? 512 * Number(text) : null;
}

/** Without sysfs the size is what can be read, found by halving. Reads behind the end give nothing and cost no I/O. */
function probeSize(fd: number): number {
  const probe = new Uint8Array(1);
  let low = 0;
  let high = BYTES_MAX;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (readSync(fd, probe, 0, 1, middle) === 1) low = middle + 1;
    else high = middle;
  }
  return low;
}
