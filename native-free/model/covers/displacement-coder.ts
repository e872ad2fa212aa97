/**
 * Coding of displacements, source minus target offset of each cover.
 *
 * Covers of one moved function share a displacement with a neighbour, so the last sixteen are kept in move-to-front order.
 * A fresh one mostly begins near a mark: where one of these displacements leads to, or where one of the last covers
 * ended or began in the source; code makes detours and returns to where it left off. What is near no mark is spelled out
 * as a place in the source, bit by bit from the top, in the light of the places before: half of a list's bytes are
 * fresh displacements, and places come back.
 * @module
 */
import { UpdateError } from '../../status.ts';
import { FLAG, NUMBER } from '../contexts.ts';
import type { NumberCoder } from '../number-coder.ts';
import { sizeOf, type FourStepCoder } from './four-step-coder.ts';

const RECENT = 16;
/** Of each of the last covers, newest first: where its displacement leads to, its end and its start in the source. */
const MARKS = 3 * RECENT;
/** Nearer than this to a mark, a place is told by its distance. */
const NEAR_BYTES = 128;
/** Bits of a place in an image. */
const PLACE_BITS = 31;
/** Low bits of a place, which depend on those of the target's place. */
const LOW_BITS = 2;
/** Distances between places, in what the bits so far tell of them, are cut to this. */
const APART_MAX = 7;

/** How the displacement of the last cover was said; of those near a mark 2 plus its kind, or 5 plus that beyond the first three. */
const KNOWN = 0;
const FAR = 1;
const NEAR = 2;

export class DisplacementCoder {
  readonly #numbers: NumberCoder;
  readonly #steps: FourStepCoder;
  readonly #recent = new Float64Array(RECENT);
  readonly #ends = new Float64Array(RECENT);
  readonly #starts = new Float64Array(RECENT);
  /** Whether each of the last displacements was known, and each of the last fresh ones near a mark; newest lowest. */
  #hits = 0;
  #nears = 0;
  /** Size of the last change, and how it was said. */
  #change = 0;
  #how = KNOWN;
  /** The last mark, below 16, and the last place that was spelled out. */
  #mark = 0;
  #far = 0;

  constructor(numbers: NumberCoder, steps: FourStepCoder) {
    this.#numbers = numbers;
    this.#steps = steps;
  }

  /** What tells of the last displacement: the size of its change, and how it was said. */
  get story(): number {
    return (this.#change << 3) | this.#how;
  }

  /**
   * Codes the displacement of a cover at target offset `at`, behind a gap of size `gapSize` and a cover of size
   * `lengthSize`.
   * @throws UpdateError plan_malformed for a mark that there is none of
   */
  code(wanted: number, at: number, gapSize: number, lengthSize: number): number {
    const index = this.#recentIndex(wanted, gapSize, lengthSize);
    const last = this.#recent[0]!;
    if (index < RECENT) this.#how = KNOWN;
    const displacement = index < RECENT ? this.#recent[index]! : this.#fresh(wanted, at, gapSize);
    this.#recent.copyWithin(1, 0, Math.min(index, RECENT - 1));
    this.#recent[0] = displacement;
    this.#hits = (this.#hits << 1) | (index < RECENT ? 1 : 0);
    this.#change = sizeOf(Math.abs(displacement - last));
    return displacement;
  }

  /** The cover whose displacement was coded last begins at this source offset. */
  remember(sourceOffset: number, length: number): void {
    this.#starts.copyWithin(1, 0);
    this.#starts[0] = sourceOffset;
    this.#ends.copyWithin(1, 0);
    this.#ends[0] = sourceOffset + length;
  }

  /** Index among the recent displacements, or RECENT. Duplicates are skipped, so no code is wasted on them. */
  #recentIndex(wanted: number, gapSize: number, lengthSize: number): number {
    const known = this.#numbers.encoding && this.#recent.includes(wanted);
    if (!this.#numbers.flag(known, FLAG.coverKnown, this.#hits & 15, gapSize, lengthSize)) return RECENT;
    for (let i = 0; i < RECENT - 1; i++) {
      if (this.#recent.indexOf(this.#recent[i]!) < i) continue;
      const hit = this.#numbers.flag(
        this.#recent[i] === wanted,
        FLAG.coverRecent,
        i,
        (Math.min(gapSize, 7) << 3) | (this.#hits & 7),
        this.#change,
      );
      if (hit) return i;
    }
    return RECENT - 1;
  }

  #fresh(wanted: number, at: number, gapSize: number): number {
    const best = this.#numbers.encoding ? this.#nearestMark(wanted, at) : 0;
    const isNear = this.#numbers.flag(
      Math.abs(wanted - this.#markAt(best, at)) < NEAR_BYTES,
      FLAG.coverNear,
      this.#nears & 7,
      gapSize,
      this.#hits & 3,
    );
    this.#nears = (this.#nears << 1) | (isNear ? 1 : 0);
    if (isNear) return this.#near(wanted, best, at, gapSize);
    this.#how = FAR;
    return this.#place(wanted + at, at) - at;
  }

  /** Displacement of a cover at `at` that begins at a mark. */
  #markAt(index: number, at: number): number {
    const age = Math.floor(index / 3);
    if (index % 3 === 0) return this.#recent[age]!;
    return (index % 3 === 1 ? this.#ends[age]! : this.#starts[age]!) - at;
  }

  /** The mark that costs least, about: a bit of the distance costs a bit, one of the index more. */
  #nearestMark(wanted: number, at: number): number {
    let best = 0;
    let least = Infinity;
    for (let i = 0; i < MARKS; i++) {
      const cost = 2 * sizeOf(Math.abs(wanted - this.#markAt(i, at))) + 3 * sizeOf(i);
      if (cost >= least) continue;
      least = cost;
      best = i;
    }
    return best;
  }

  #near(wanted: number, best: number, at: number, gapSize: number): number {
    const index = this.#numbers.code(best, NUMBER.coverMark, this.#mark, gapSize, this.#nears & 7);
    if (index >= MARKS) throw new UpdateError('plan_malformed', `mark ${index} of ${MARKS}`);
    this.#mark = Math.min(index, 15);
    const kind = index % 3;
    this.#how = NEAR + kind + (index > 2 ? 3 : 0);
    const mark = this.#markAt(index, at);
    const isLess = this.#numbers.flag(wanted < mark, FLAG.coverLess, kind, index, gapSize);
    const side = (Math.min(index, 7) << 1) | (isLess ? 1 : 0);
    const distance = this.#steps.code(Math.abs(wanted - mark), NUMBER.coverDistance, kind, side, gapSize);
    return isLess ? mark - distance : mark + distance;
  }

  /** A place in the source, for a cover at `at`. Every bit is told whether places that agree so far have it. */
  #place(wanted: number, at: number): number {
    const last = this.#recent[0]! + at;
    let place = 1;
    for (let left = PLACE_BITS - 1; left >= 0; left--) {
      const followed = follows(place, last, left) + 3 * follows(place, this.#far, left) + 9 * follows(place, at, left);
      const beside =
        left < LOW_BITS
          ? ((place % 2 ** (LOW_BITS - left - 1)) << LOW_BITS) | (at & (2 ** LOW_BITS - 1))
          : Math.max(-APART_MAX, Math.min(APART_MAX, place - prefixOf(last, left + 1)));
      const bit = Math.floor(wanted / 2 ** left) % 2 !== 0;
      place = 2 * place + (this.#numbers.flag(bit, FLAG.coverPlace + left, followed, place, beside) ? 1 : 0);
    }
    this.#far = place - 2 ** PLACE_BITS;
    return this.#far;
  }
}

/** A place without its lowest `left` bits, below a 1. */
function prefixOf(place: number, left: number): number {
  return Math.floor((2 ** PLACE_BITS + place) / 2 ** left);
}

/** 0 where `known` differs from `place` above bit `left`, else 1 plus that bit of it. */
function follows(place: number, known: number, left: number): number {
  const prefix = prefixOf(known, left);
  return Math.floor(prefix / 2) === place ? 1 + (prefix % 2) : 0;
}
