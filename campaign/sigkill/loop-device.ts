/**
 * Loop devices (`losetup` of util-linux; root is needed): real block devices over files.
 * @module
 */
import { spawnSync } from 'node:child_process';

export interface LoopOptions {
  readonly sectorBytes?: number;
  readonly readOnly?: boolean;
  /** Let the kernel look for a partition table. */
  readonly partitions?: boolean;
}

/** A new loop device over `file` (or over another device): its path, or null where there are none to be had. */
export function attachLoop(file: string, options: LoopOptions = {}): string | null {
  const more = [
    ...(options.sectorBytes === undefined ? [] : ['--sector-size', String(options.sectorBytes)]),
    ...(options.readOnly === true ? ['--read-only'] : []),
    ...(options.partitions === true ? ['--partscan'] : []),
  ];
  const made = spawnSync('losetup', ['--find', '--show', ...more, file], { encoding: 'utf8' });
  return made.status === 0 ? made.stdout.trim() : null;
}

/** Give the device back. One that is still in use goes when its last user does. */
export function detachLoop(device: string): void {
  spawnSync('losetup', ['--detach', device]);
}
