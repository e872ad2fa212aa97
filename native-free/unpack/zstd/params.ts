/**
 * What a zstd frame's writer chose besides tokens.
 * @module
 */
import { LIMITS } from '../../limits.ts';
import type { FrameHead } from './frame.ts';
import type { LiteralsParams } from './literals.ts';
import type { TableChoice } from './sequences.ts';

export const BLOCK = { raw: 0, rle: 1, compressed: 2 } as const;

/** What a block's writer chose, and where its content ends. Bytes of a block that is not compressed are literals. */
export interface ZstdBlock {
  /** One of BLOCK. */
  readonly type: number;
  readonly contentBytes: number;
  /** Of a compressed block. */
  readonly literals: LiteralsParams | null;
  /** Of literal lengths, offsets and match lengths; none where there are no sequences. */
  readonly tables: readonly TableChoice[];
}

export interface ZstdParams {
  readonly head: FrameHead;
  /** Matches that are said in full and need not be (see offsets.ts). */
  readonly plain: readonly number[];
  readonly blocks: readonly ZstdBlock[];
}

/** Each block costs time, and an empty one makes nothing for it. */
export function blocksAllowed(count: number, empty: number): boolean {
  return count <= LIMITS.unit_blocks_max && empty * 2 <= count + LIMITS.unit_blocks_empty_max;
}
