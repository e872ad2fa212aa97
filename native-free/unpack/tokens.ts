/**
 * What every codec unpacks to: the content, and the tokens (literals and matches) that its compressor chose.
 *
 * Tokens and params together say all that the compressor decided, so packing them again needs no compressor: it is
 * entropy coding, which has no choices (decision 0125). Tokens stand in columns, one entry each, because a device holds
 * a unit's millions of them beside its content.
 * @module
 */
import { UpdateError } from '../status.ts';

/** What a token does. Codecs without repeated distances have literals and matches only. */
export const OP = { literal: 0, match: 1, shortRep: 2, rep0: 3, rep1: 4, rep2: 5, rep3: 6 } as const;

/** Bounds of one unit, set by whoever knows what it may be. */
export interface UnpackLimits {
  readonly contentBytesMax: number;
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

const FIRST_CAPACITY = 1024;

/** Tokens of one unit in columns, in order. A literal has length 1, distance 0; its value stands in the content. */
export class TokenList {
  count = 0;
  op: Uint8Array;
  length: Uint32Array;
  distance: Uint32Array;
  readonly #countMax: number;

  /** Memory grows with the tokens that come, up to `countMax`. */
  constructor(countMax: number) {
    this.#countMax = countMax;
    const capacity = Math.min(countMax, FIRST_CAPACITY);
    this.op = new Uint8Array(capacity);
    this.length = new Uint32Array(capacity);
    this.distance = new Uint32Array(capacity);
  }

  push(op: number, length: number, distance: number): void {
    if (this.count === this.op.length) this.reserve(1);
    this.op[this.count] = op;
    this.length[this.count] = length;
    this.distance[this.count++] = distance;
  }

  /** `count` literals. */
  pushLiterals(count: number): void {
    this.reserve(count);
    this.length.fill(1, this.count, this.count + count); // op and distance are zero behind the end
    this.count += count;
  }

  /**
   * Room for `wanted` more, which a loop may then write into the columns itself.
   * @throws UpdateError unit_malformed where that would be over the bound
   */
  reserve(wanted: number): void {
    const needed = this.count + wanted;
    const capacity = this.op.length;
    if (needed <= capacity) return;
    if (needed > this.#countMax) malformed('unit', `it has more than ${this.#countMax} tokens`);
    const grown = Math.min(this.#countMax, Math.max(needed, capacity * 2));
    this.op = enlarge(this.op, new Uint8Array(grown));
    this.length = enlarge(this.length, new Uint32Array(grown));
    this.distance = enlarge(this.distance, new Uint32Array(grown));
  }
}

function enlarge<T extends Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
