/**
 * What `apply` writes to.
 *
 * @module
 */
import type { FileSink } from '../../platform/files/node-io.ts';

export interface ApplyTarget extends FileSink {
  /**
   * Called once, before the first write, with the target's size and how much of it are zeros that come as fills.
   * Throws UpdateError `disk_full`, `slot_too_small`.
   */
  reserve(bytes: number, zeros?: number): Promise<void>;
}
