/**
 * What the pieces of a map that are known say of the next one, and what the source's pieces do.
 * @module
 */
import type { Unit, VirtualPiece } from '../../format/unit-map.ts';
import { firstWhere } from '../../search.ts';
import { badMap } from './bad-map.ts';
import type { Skips } from './skips.ts';

/** How a piece is found from those before it. */
export const WAY = {
  /** The whole unit behind the last whole one. */
  whole: 0,
  /** Goes on where the last part of a unit ended. */
  on: 1,
  /** The beginning of the unit behind the last of which a part was taken. */
  nextPart: 2,
  /** Bytes of the image behind the last ones. */
  image: 3,
  other: 4,
} as const;

/** Pieces of the source that a length is looked for in. */
const AHEAD = 32;

/** What pieces before say of the next one. */
export class PieceState {
  readonly units: readonly Unit[];
  readonly #skips: Skips;
  readonly #source: readonly VirtualPiece[];
  /** The last unit that was taken whole, the last of which a part was, and where that part ended. */
  whole = -1;
  part = -1;
  #partEnd = 0;
  #imageEnd = 0;
  /**
   * Where units of the image that follow each other end, by the first, without what is skipped: a walk for each piece
   * could take hours.
   */
  readonly #runEnds: Float64Array;
  /** Ways and hits of the last pieces, three bits and one each. */
  ways = 0;
  hits = 0;
  #next = 0;

  constructor(skips: Skips, units: readonly Unit[], source: readonly VirtualPiece[]) {
    this.#skips = skips;
    this.units = units;
    this.#source = source;
    this.#runEnds = new Float64Array(units.length);
    for (let i = units.length - 1; i >= 0; i--) {
      const end = units[i]!.offset + units[i]!.packedBytes;
      const next = units[i + 1];
      this.#runEnds[i] = next?.parent === -1 && next.offset === end ? this.#runEnds[i + 1]! : end;
    }
  }

  wayOf({ unit, offset, length }: VirtualPiece): number {
    if (unit < 0) return WAY.image;
    const isWhole = offset === 0 && length === this.units[unit]!.contentBytes;
    if (isWhole && unit === this.whole + 1) return WAY.whole;
    if (unit === this.part && offset === this.#partEnd) return WAY.on;
    if (unit === this.part + 1 && offset === 0) return WAY.nextPart;
    return WAY.other;
  }

  placeOf(way: number): { unit: number; offset: number } {
    if (way === WAY.whole) return { unit: this.whole + 1, offset: 0 };
    if (way === WAY.on) return { unit: this.part, offset: this.#partEnd };
    if (way === WAY.nextPart) return { unit: this.part + 1, offset: 0 };
    if (way === WAY.image) return { unit: -1, offset: this.#behindUnits() };
    if (way === WAY.other) return { unit: this.part, offset: 0 };
    return badMap('a piece that is found in no known way');
  }

  /**
   * Where the last bytes of the image ended; or, if a unit has the byte there, where it and those that follow it end or
   * are first cut by a skip.
   */
  #behindUnits(): number {
    const at = this.#skips.joinedAt(this.#imageEnd);
    const unit = this.#unitOver(at);
    // A skip that was not taken yet comes first.
    if (unit < 0 || this.#skips.imageAt(at) > this.#imageEnd) return this.#imageEnd;
    return Math.min(this.#skips.nextBehind(at), this.#skips.imageAt(this.#runEnds[unit]!));
  }

  /** Bytes from `offset` of the image to the next byte of a unit, or the next skip; 0 where neither follows. */
  toNext(offset: number): number {
    const at = this.#skips.joinedAt(offset);
    const first = this.#skips.imageAt(at);
    if (first > offset && this.#unitOver(at) >= 0) return first - offset;
    const unit = this.units[this.#unitAt(at)];
    const start = unit?.parent === -1 ? this.#skips.imageAt(unit.offset) : Infinity;
    const next = Math.min(start, this.#skips.nextBehind(at));
    return next === Infinity ? 0 : next - offset;
  }

  /** The unit of the image that has byte `at` of what is not skipped, or -1. */
  #unitOver(at: number): number {
    const next = this.#unitAt(at);
    if (this.units[next]?.parent === -1 && this.units[next]!.offset === at) return next;
    const before = this.units[next - 1];
    return before !== undefined && before.offset + before.packedBytes > at ? next - 1 : -1;
  }

  /** The first unit of the image that does not begin before `offset` of what is not skipped. */
  #unitAt(offset: number): number {
    return firstWhere(0, this.units.length, (i) => this.units[i]!.parent >= 0 || this.units[i]!.offset >= offset);
  }

  /** Length of the source's piece that is due, or -1. */
  expectedLength(): number {
    return this.#source[this.#next]?.length ?? -1;
  }

  hit(length: number): number {
    this.#next++;
    this.hits = ((this.hits << 1) | 1) & 15;
    return length;
  }

  /** Goes on behind the next piece of the source that has this length. */
  miss(length: number): number {
    this.hits = (this.hits << 1) & 15;
    for (let i = 0; i < AHEAD; i++) {
      if (this.#source[this.#next + i]?.length !== length) continue;
      this.#next += i + 1;
      break;
    }
    return length;
  }

  learn({ unit, offset, length }: VirtualPiece, way: number): void {
    this.ways = ((this.ways << 3) | way) & 0xffff;
    if (unit < 0) this.#imageEnd = offset + length;
    else if (offset === 0 && length === this.units[unit]!.contentBytes) {
      this.whole = unit;
      if (way === WAY.nextPart) this.part = unit;
    } else {
      this.part = unit;
      this.#partEnd = offset + length;
    }
  }
}
