/**
 * What every codec unpacks to: the content, and the tokens (literals and matches) that its compressor chose.
 *
 * Tokens and params together say all that the compressor decided, so packing them again needs no compressor: it is
 * entropy coding, which has no choices (decision 0125). A token takes eight bytes, because a device holds a unit's
 * millions of them beside its content.
 * @module
 */
import { UpdateError } from '../status.ts';

/** What a token does. Codecs without repeated distances have literals and matches only. */
export const OP = { literal: 0, match: 1, shortRep: 2, rep0: 3, rep1: 4, rep2: 5, rep3: 6 } as const;

/** Bounds of one unit, set by whoever knows what it may be. */
export interface UnpackLimits {
  readonly contentBytesMax: number;
  /** There is as much content as there may be: memory for it is taken at once, and does not grow. */
  readonly isExact?: boolean;
  /** Default: as many as there may be content bytes, since each token makes one at least. */
  readonly tokensMax?: number;
}

/** A unit taken apart. */
export interface Unpacked<P> {
  readonly content: Uint8Array;
  readonly tokens: TokenList;
  /** What else the compressor chose. */
  readonly params: P;
  /** Bytes of the input that were used. */
  readonly packedBytes: number;
}

/** @throws UpdateError unit_malformed */
export function malformed(codec: string, what: string, detail?: Readonly<Record<string, unknown>>): never {
  throw new UpdateError('unit_malformed', `${codec}: ${what}`, { detail });
}

/** Memory of a token. */
export const TOKEN_BYTES = 8;
/** An op stands above a distance, which ends within a unit's content. */
export const OP_SHIFT = 24;
const DISTANCE_MASK = 2 ** OP_SHIFT - 1;
/** Tokens of a chunk, as a power of two: lists grow by chunks, so that nothing is copied or held twice. */
const CHUNK_BITS = 12;
const CHUNK_MASK = 2 ** CHUNK_BITS - 1;
const CHUNK_SLOTS = 2 * 2 ** CHUNK_BITS;
const FIRST_SLOTS = 128;
/** What a list takes over its tokens' bytes at most, while it grows. */
export const GROWING_BYTES = 4 * CHUNK_SLOTS;

/** Tokens of one unit, in order. A literal has length 1, distance 0; its value stands in the content. */
export class TokenList {
  count = 0;
  /** Where the last one ends: bytes of content that all of them make. */
  end = 0;
  /** The last chunk. Two slots a token: where it begins, and its op and distance. */
  chunk: Int32Array = new Int32Array(0);
  readonly #chunks = [this.chunk];
  /** Tokens before the last chunk. */
  #before = 0;
  readonly #countMax: number;

  /** Memory grows with the tokens that come, up to `countMax`. */
  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  opAt(i: number): number {
    return this.#chunks[i >> CHUNK_BITS]![((i & CHUNK_MASK) << 1) | 1]! >>> OP_SHIFT;
  }

  distanceAt(i: number): number {
    return this.#chunks[i >> CHUNK_BITS]![((i & CHUNK_MASK) << 1) | 1]! & DISTANCE_MASK;
  }

  /** Where token `i` begins in the content, or, of `count`, where the last one ends. */
  startAt(i: number): number {
    return i < this.count ? this.#chunks[i >> CHUNK_BITS]![(i & CHUNK_MASK) << 1]! : this.end;
  }

  lengthAt(i: number): number {
    return this.startAt(i + 1) - this.#chunks[i >> CHUNK_BITS]![(i & CHUNK_MASK) << 1]!;
  }

  /** @throws UpdateError unit_malformed where that is over the bound, or no distance within a unit */
  push(op: number, length: number, distance: number): void {
    let slot = this.slot;
    if (slot === this.chunk.length) {
      this.#grow();
      slot = this.slot;
    }
    if (distance > DISTANCE_MASK) malformed('unit', `a distance of ${distance} is more than a unit may have bytes`);
    this.chunk[slot] = this.end;
    this.chunk[slot + 1] = (op << OP_SHIFT) | distance;
    this.end += length;
    this.count++;
  }

  /** `count` literals. */
  pushLiterals(count: number): void {
    if (this.count + count > this.#countMax) this.#refuse();
    for (let i = 0; i < count; i++) this.push(OP.literal, 1, 0);
  }

  /** The next free slot of `chunk`, into which a loop may write itself, up to its end; `took` says so then. */
  get slot(): number {
    return (this.count - this.#before) << 1;
  }

  /** Tokens were written into `chunk` up to `slot`; they end at `end`. */
  took(slot: number, end: number): void {
    this.count = this.#before + (slot >> 1);
    this.end = end;
  }

  /** Begins anew, with the memory that there is for the first tokens. */
  clear(): void {
    this.#chunks.length = 1;
    this.chunk = this.#chunks[0]!;
    this.#before = 0;
    this.count = 0;
    this.end = 0;
  }

  /** Gives back what is not used. */
  trim(): this {
    const { slot } = this;
    if (slot < this.chunk.length) this.#replaceLast(this.chunk.slice(0, slot));
    return this;
  }

  #grow(): void {
    const slots = this.chunk.length;
    const left = 2 * (this.#countMax - this.#before);
    if (slots >= left) this.#refuse();
    if (slots < CHUNK_SLOTS) {
      const grown = new Int32Array(Math.min(CHUNK_SLOTS, left, Math.max(FIRST_SLOTS, 2 * slots)));
      grown.set(this.chunk);
      this.#replaceLast(grown);
    } else {
      this.#before = this.count;
      this.chunk = new Int32Array(Math.min(CHUNK_SLOTS, left - CHUNK_SLOTS));
      this.#chunks.push(this.chunk);
    }
  }

  #replaceLast(chunk: Int32Array): void {
    this.chunk = chunk;
    this.#chunks[this.#chunks.length - 1] = chunk;
  }

  #refuse(): never {
    malformed('unit', `it has more than ${this.#countMax} tokens`);
  }
}
