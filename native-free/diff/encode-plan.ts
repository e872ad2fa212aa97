/**
 * Encoding of the plan section: the covers of the whole image.
 * @module
 */
import type { CoverList } from '../format/cover.ts';
import { CoverCoder } from '../model/cover-coder.ts';
import { RangeEncoder } from '../model/range-coder.ts';

/** The plan's bytes. Covers are in target order and do not overlap there. */
export function encodePlan(covers: CoverList): Uint8Array {
  const coder = new RangeEncoder();
  new CoverCoder().code(coder, covers, { sourceBytes: Infinity, targetBytes: Infinity });
  return coder.finish();
}
