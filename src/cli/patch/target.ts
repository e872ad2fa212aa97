/**
 * What `apply` writes to.
 *
 * @module
 */
import type { SegmentSink } from '../../../native-free/io.ts';

export interface ApplyTarget extends SegmentSink {
  /** Called once, before the first write. Throws UpdateError `disk_full`, `slot_too_small`. */
  reserve(bytes: number): Promise<void>;
}
