/**
 * Coarse alignment: long resemblances from anywhere in the source, in one pass over each image.
 *
 * Blocks of the source are hashed into a table; a rolling hash (Karp and Rabin, 1987, as rsync uses it) finds them at any
 * place in the target; from there covers reach over mismatches in both directions while most bytes agree. What is
 * found so steers everything after it: the first address map, and which part of the source a window is matched with.
 * @module
 */
import type { Cover } from '../format/cover.ts';
import { matchLength } from './source-index.ts';

const BLOCK_BYTES = 32;
const MULTIPLIER = 0x08088405;
/** A cover ends where the last of these scores fell this far below the best. */
const FALL_MAX = 48;
/** A run of mismatches is worse than the same number scattered. */
const EQUAL_SCORE = 1;
const UNEQUAL_SCORE = 2;
const COVER_BYTES_MIN = 48;
const EMPTY = 0;

/** Covers in target order, without overlap in the target. The result depends on the arguments only. */
export function coarseCovers(source: Uint8Array, target: Uint8Array): Cover[] {
  if (source.length < BLOCK_BYTES || target.length < BLOCK_BYTES) return [];
  return new CoarseWalk(source, target).run();
}

/** MULTIPLIER to the power of BLOCK_BYTES - 1: what the oldest byte of a window has been multiplied with. */
const OLDEST = Array.from({ length: BLOCK_BYTES - 1 }).reduce((power: number) => Math.imul(power, MULTIPLIER), 1);

function blockHash(bytes: Uint8Array, at: number): number {
  let hash = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) hash = (Math.imul(hash, MULTIPLIER) + bytes[at + i]!) | 0;
  return hash;
}

/** Source blocks by hash; of equal ones the first, so that repeated content costs nothing. */
class BlockTable {
  readonly #table: Int32Array;
  readonly #shift: number;

  constructor(source: Uint8Array) {
    const blocks = Math.floor(source.length / BLOCK_BYTES);
    const bits = Math.max(8, 33 - Math.clz32(blocks));
    this.#table = new Int32Array(2 ** bits);
    this.#shift = 32 - bits;
    for (let block = 0; block < blocks; block++) {
      const slot = this.slot(blockHash(source, block * BLOCK_BYTES));
      if (this.#table[slot] === EMPTY) this.#table[slot] = block + 1;
    }
  }

  slot(hash: number): number {
    return Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> this.#shift;
  }

  /** Source offset of a block with this hash, or -1. It may be another block with the same slot. */
  find(hash: number): number {
    return (this.#table[this.slot(hash)]! - 1) * BLOCK_BYTES;
  }
}

class CoarseWalk {
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  readonly #table: BlockTable;
  readonly #covers: Cover[] = [];
  /** Where the last cover ended, and its displacement. */
  #end = 0;
  #displacement = 0;

  constructor(source: Uint8Array, target: Uint8Array) {
    this.#source = source;
    this.#target = target;
    this.#table = new BlockTable(source);
  }

  run(): Cover[] {
    const target = this.#target;
    const last = target.length - BLOCK_BYTES;
    let at = 0;
    let hash = blockHash(target, 0);
    for (;;) {
      const place = this.#placeOf(at, hash);
      if (place >= 0) {
        at = this.#take(at, place);
        if (at > last) break;
        hash = blockHash(target, at);
        continue;
      }
      if (at === last) break;
      hash = (Math.imul(hash - Math.imul(target[at]!, OLDEST), MULTIPLIER) + target[at + BLOCK_BYTES]!) | 0;
      at++;
    }
    return this.#covers;
  }

  /** Where in the source the block at target offset `at` is, or -1: with the last displacement if that fits as well. */
  #placeOf(at: number, hash: number): number {
    const found = this.#table.find(hash);
    if (found < 0) return -1;
    if (matchLength(this.#source, found, this.#target, at, 0, BLOCK_BYTES) < BLOCK_BYTES) return -1;
    const expected = at + this.#displacement;
    const fits =
      expected >= 0 && matchLength(this.#source, expected, this.#target, at, 0, BLOCK_BYTES) === BLOCK_BYTES;
    return fits ? expected : found;
  }

  /** Makes a cover of the block and what resembles around it; returns where to go on. */
  #take(at: number, place: number): number {
    const displacement = place - at;
    const start = at - this.#backward(at, displacement);
    const end = this.#forward(at, displacement);
    this.#displacement = displacement;
    if (end - start >= COVER_BYTES_MIN) {
      this.#covers.push({ sourceOffset: start + displacement, targetOffset: start, length: end - start });
      this.#end = end;
    }
    return Math.max(end, at + 1);
  }

  #forward(from: number, displacement: number): number {
    const source = this.#source;
    const target = this.#target;
    const limit = Math.min(target.length, source.length - displacement);
    let score = 0;
    let best = 0;
    let end = from;
    for (let at = from; at < limit && score > best - FALL_MAX; at++) {
      if (source[at + displacement] === target[at]) score += EQUAL_SCORE;
      else score -= UNEQUAL_SCORE;
      if (score >= best) {
        best = score;
        end = at + 1;
      }
    }
    return end;
  }

  #backward(from: number, displacement: number): number {
    const source = this.#source;
    const target = this.#target;
    const limit = Math.max(this.#end, -displacement);
    let score = 0;
    let best = 0;
    let length = 0;
    for (let at = from - 1; at >= limit && score > best - FALL_MAX; at--) {
      if (source[at + displacement] === target[at]) score += EQUAL_SCORE;
      else score -= UNEQUAL_SCORE;
      if (score >= best) {
        best = score;
        length = from - at;
      }
    }
    return length;
  }
}
