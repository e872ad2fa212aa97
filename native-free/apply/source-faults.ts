/**
 * What a delta says when its source is not the image that it was made from.
 * @module
 */
import type { StatusCode } from '../status-table.ts';

/**
 * Codes that a full payload may help against: the source is another image, was changed, or cannot be read. Chunks are
 * vouched for, so a delta's segment that comes out wrong, or takes more work than was declared, says the same. A full
 * payload's segment that does not decode is not among them: nothing is read but the payload.
 */
export const SOURCE_FAULTS: ReadonlySet<StatusCode> = new Set<StatusCode>([
  'segment_digest',
  'payload_work',
  'source_digest',
  'slot_unreadable',
]);
