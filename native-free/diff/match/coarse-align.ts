/**
 * Which long parts of the target resemble which parts of the source, from anywhere, in one pass: enough to know where
 * code and data went, before anything is matched byte by byte.
 *
 * As in rsync (Tridgell and Mackerras, 1996) blocks of the source at fixed places are indexed by a hash, and a hash
 * rolls over the target until it meets one. From there a cover grows in both directions over mismatches, as long as
 * half of the bytes agree. Where it ends, its displacement is tried on before anything else: content mostly goes on
 * where it went on before. Blocks of one repeated byte say nothing about places and are not indexed; of other repeated
 * content only a few blocks are. Every growing is cut off soon after its best end, so that all work is linear.
 * @module
 */
import type { Cover } from '../../format/cover.ts';
import { matchLength } from './source-index.ts';

const BLOCK_BYTES = 32;
/** Blocks of images over LARGE_BYTES. */
const LARGE_BLOCK_BYTES = 64;
const LARGE_BYTES = 64 * 2 ** 20;
/** Equal blocks that are indexed; more of them would not be told apart. */
const EQUAL_BLOCKS_MAX = 4;
/** Entries looked at before a block counts as absent, or stays out of the index. */
const PROBES_MAX = 16;
/** A growing ends this many bytes after its best place, or when it lost this much. */
const GROW_BYTES_MAX = 512;
const GROW_FALL = 64;
/** The last displacement is taken up again where it agrees with so many bytes but for a few. */
const RESUME_BYTES = 32;
const RESUME_UNEQUAL_MAX = 8;
/** A place that explains so many of the next bytes is not worth comparing with others. */
const AHEAD_BYTES = 256;
const HASH_FACTOR = 0x2c1b3c6d;
const SPREAD_FACTOR = 0x9e3779b1;
const NONE = -1;

interface CoarseOptions {
  /** Length and distance of the indexed source blocks; a power of two. */
  readonly blockBytes?: number;
  /** Counts work, for tests of its growth. */
  readonly work?: {
    /** Bytes hashed and compared, entries looked at. */
    steps: number;
  };
}

/** Long approximate covers of the whole target, in target order, without overlap in the target. */
export function coarseCovers(source: Uint8Array, target: Uint8Array, options: CoarseOptions = {}): Cover[] {
  const blockBytes = options.blockBytes ?? (source.length > LARGE_BYTES ? LARGE_BLOCK_BYTES : BLOCK_BYTES);
  const index = new BlockIndex(source, blockBytes);
  const walk = new CoarseWalk(source, target, index);
  const covers = walk.run();
  if (options.work !== undefined) options.work.steps += index.steps + walk.steps;
  return covers;
}

/** Source blocks by hash: open addressing, behind a bit map that keeps most strangers out of it. */
class BlockIndex {
  readonly blockBytes: number;
  steps = 0;
  readonly #source: Uint8Array;
  /** Block number plus one; zero is empty. */
  readonly #slots: Int32Array;
  readonly #slotShift: number;
  readonly #seen: Uint32Array;
  readonly #seenShift: number;

  constructor(source: Uint8Array, blockBytes: number) {
    this.blockBytes = blockBytes;
    this.#source = source;
    const blocks = Math.floor(source.length / blockBytes);
    const slotBits = Math.max(8, 33 - Math.clz32(blocks));
    this.#slots = new Int32Array(2 ** slotBits);
    this.#slotShift = 32 - slotBits;
    const seenBits = Math.min(slotBits + 3, 31);
    this.#seen = new Uint32Array(2 ** (seenBits - 5));
    this.#seenShift = 32 - seenBits;
    for (let block = 0; block < blocks; block++) this.#insert(block);
  }

  /** False if no indexed block has this hash. */
  mayHave(hash: number): boolean {
    const bit = Math.imul(hash, SPREAD_FACTOR) >>> this.#seenShift;
    return (this.#seen[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  /**
   * Where the indexed block with this hash is that goes on longest with the target bytes from `at`, of equally long
   * ones the nearest to `expected`; NONE if there is none.
   */
  find(hash: number, target: Uint8Array, at: number, expected: number): number {
    const mask = this.#slots.length - 1;
    let slot = Math.imul(hash, SPREAD_FACTOR) >>> this.#slotShift;
    let best = NONE;
    let bestLength = this.blockBytes - 1;
    for (let probe = 0; probe < PROBES_MAX && this.#slots[slot] !== 0; probe++) {
      const place = (this.#slots[slot]! - 1) * this.blockBytes;
      slot = (slot + 1) & mask;
      const length = matchLength(this.#source, place, target, at, 0, AHEAD_BYTES);
      this.steps += length + 1;
      if (length < bestLength) continue;
      if (length === bestLength && (best === NONE || Math.abs(place - expected) >= Math.abs(best - expected))) continue;
      best = place;
      bestLength = length;
    }
    return best;
  }

  #insert(block: number): void {
    const source = this.#source;
    const { blockBytes } = this;
    const start = block * blockBytes;
    const end = start + blockBytes;
    const first = source[start]!;
    let hash = 0;
    let isUniform = true;
    for (let i = start; i < end; i++) {
      hash = (Math.imul(hash, HASH_FACTOR) + source[i]! + 1) | 0;
      if (source[i] !== first) isUniform = false;
    }
    this.steps += blockBytes;
    if (isUniform) return;
    const spread = Math.imul(hash, SPREAD_FACTOR);
    const mask = this.#slots.length - 1;
    let slot = spread >>> this.#slotShift;
    let equal = 0;
    for (let probe = 0; this.#slots[slot] !== 0; probe++) {
      if (probe === PROBES_MAX) return;
      const other = (this.#slots[slot]! - 1) * blockBytes;
      const length = matchLength(source, other, source, start, 0, blockBytes);
      this.steps += length + 1;
      if (length === blockBytes && ++equal === EQUAL_BLOCKS_MAX) return;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = block + 1;
    const bit = spread >>> this.#seenShift;
    this.#seen[bit >>> 5]! |= 1 << (bit & 31);
  }
}

/** The walk over the target. */
class CoarseWalk {
  steps = 0;
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  readonly #index: BlockIndex;
  readonly #covers: Cover[] = [];
  /** What the byte that leaves the window has been multiplied by. */
  readonly #leaving: number;
  /** Of the last cover. */
  #displacement = 0;
  /** Where the last cover ends. */
  #end = 0;

  constructor(source: Uint8Array, target: Uint8Array, index: BlockIndex) {
    this.#source = source;
    this.#target = target;
    this.#index = index;
    let leaving = 1;
    for (let i = 0; i < index.blockBytes; i++) leaving = Math.imul(leaving, HASH_FACTOR);
    this.#leaving = leaving;
  }

  run(): Cover[] {
    while (this.#nextCover()) {
      // Each cover is longer than nothing: this ends.
    }
    return this.#covers;
  }

  /** Looks for the next cover from #end on. False when there is none. */
  #nextCover(): boolean {
    const target = this.#target;
    const { blockBytes } = this.#index;
    const leaving = this.#leaving;
    const displacement = this.#displacement;
    let hash = 0;
    let hashed = this.#end;
    for (let at = this.#end; at < target.length; at++) {
      const isAlike = at + displacement >= 0 && this.#source[at + displacement] === target[at];
      if (isAlike && this.#canResume(at)) return this.#cover(at, displacement);
      const windowEnd = at + blockBytes;
      if (windowEnd > target.length) continue;
      for (; hashed < windowEnd; hashed++) {
        hash = (Math.imul(hash, HASH_FACTOR) + target[hashed]! + 1) | 0;
        const left = hashed - blockBytes;
        if (left >= this.#end) hash = (hash - Math.imul(target[left]! + 1, leaving)) | 0;
      }
      if (!this.#index.mayHave(hash)) continue;
      const place = this.#index.find(hash, target, at, at + displacement);
      if (place === NONE) continue;
      this.steps += at - this.#end;
      return this.#cover(at, place - at);
    }
    this.steps += target.length - this.#end;
    return false;
  }

  /** Whether the last displacement agrees with enough of the next bytes from `at`. */
  #canResume(at: number): boolean {
    const source = this.#source;
    const target = this.#target;
    const displacement = this.#displacement;
    const end = Math.min(at + RESUME_BYTES, target.length, source.length - displacement);
    if (end - at < RESUME_BYTES) return false;
    let unequal = 0;
    let i = at;
    for (; i < end && unequal <= RESUME_UNEQUAL_MAX; i++) if (source[i + displacement] !== target[i]) unequal++;
    this.steps += i - at;
    return unequal <= RESUME_UNEQUAL_MAX;
  }

  /** Adds the cover with this displacement around `at`. */
  #cover(at: number, displacement: number): boolean {
    const from = this.#growBack(at, displacement);
    const end = this.#grow(at, displacement);
    const last = this.#covers.at(-1);
    const sourceOffset = from + displacement;
    if (last !== undefined && this.#end === from && this.#displacement === displacement) {
      this.#covers[this.#covers.length - 1] = { ...last, length: end - last.targetOffset };
    } else {
      this.#covers.push({ sourceOffset, targetOffset: from, length: end - from });
    }
    this.#displacement = displacement;
    this.#end = end;
    return true;
  }

  /** Where a cover that agrees at `at` ends: where it has the most equal over unequal bytes. */
  #grow(at: number, displacement: number): number {
    const source = this.#source;
    const target = this.#target;
    const limit = Math.min(target.length, source.length - displacement);
    let score = 0;
    let best = 0;
    let end = at;
    let i = at;
    while (i < limit && score > best - GROW_FALL && i - end <= GROW_BYTES_MAX) {
      const run = matchLength(source, i + displacement, target, i, 0, limit - i);
      i += run;
      score += run;
      if (score > best) {
        best = score;
        end = i;
      }
      i++;
      score--;
    }
    this.steps += i - at;
    return end;
  }

  /** Where such a cover begins, not before the end of the last one. */
  #growBack(at: number, displacement: number): number {
    const source = this.#source;
    const target = this.#target;
    const limit = Math.max(this.#end, -displacement);
    let score = 0;
    let best = 0;
    let from = at;
    let i = at - 1;
    for (; i >= limit && score > best - GROW_FALL && from - i <= GROW_BYTES_MAX; i--) {
      score += source[i + displacement] === target[i] ? 1 : -1;
      if (score > best) {
        best = score;
        from = i;
      }
    }
    this.steps += at - i;
    return from;
  }
}
