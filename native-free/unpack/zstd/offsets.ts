/**
 * The three last distances, and what sequences and tokens say of them (RFC 8878, 3.1.1.5).
 *
 * A token says a repeated distance by its place: rep0 is the last one, rep1 and rep2 those before, whatever number the
 * sequence has for it (behind no literals, numbers mean the next place). Such a sequence's third number is the last
 * distance less one; to tokens that is a match like others, since all but rep0 to rep2 make a new last distance. Where a
 * match could be that and is not, it is a *plain* one: libzstd writes none, and params count them.
 * @module
 */
import { malformed, OP } from '../tokens.ts';
import { OFFSET_SHIFT } from './codes.ts';

export class Offsets {
  first = 1;
  second = 4;
  third = 8;
  /** Matches so far that could be said as the last distance less one. */
  #lesser = 0;
  /** Which of them are plain, in order. */
  readonly plain: number[];
  #nextPlain = 0;

  /** To read sequences, without what is plain; to write them, with it. */
  constructor(plain: readonly number[] = []) {
    this.plain = [...plain];
  }

  /** The op of a sequence's offset; its distance is `first` then. @throws UpdateError unit_malformed */
  read(offset: number, hasLiterals: boolean): number {
    if (offset > OFFSET_SHIFT) {
      const distance = offset - OFFSET_SHIFT;
      if (!hasLiterals && distance === this.first - 1) this.plain.push(this.#lesser++);
      this.#push(distance);
      return OP.match;
    }
    const place = hasLiterals ? offset - 1 : offset;
    if (place < OFFSET_SHIFT) {
      this.#raise(place);
      return OP.rep0 + place;
    }
    if (this.first === 1) malformed('zstd', 'a repeated distance is 0');
    this.#lesser++;
    this.#push(this.first - 1);
    return OP.match;
  }

  /** The offset of a token's sequence. @throws UpdateError unit_malformed where none says it */
  write(op: number, distance: number, hasLiterals: boolean): number {
    if (op === OP.match) {
      const isLesser = !hasLiterals && distance === this.first - 1 && !this.#isPlain();
      this.#push(distance);
      return isLesser ? OFFSET_SHIFT : distance + OFFSET_SHIFT;
    }
    const place = op - OP.rep0;
    const offset = hasLiterals ? place + 1 : place;
    if (offset < 1 || place < 0 || place >= OFFSET_SHIFT) malformed('zstd', `a match has no such kind: ${op}`);
    this.#raise(place);
    if (this.first !== distance) malformed('zstd', `distance ${distance} is not repeated`);
    return offset;
  }

  #isPlain(): boolean {
    if (this.plain[this.#nextPlain] !== this.#lesser++) return false;
    this.#nextPlain++;
    return true;
  }

  #push(distance: number): void {
    this.third = this.second;
    this.second = this.first;
    this.first = distance;
  }

  #raise(place: number): void {
    if (place === 0) return;
    const distance = place === 1 ? this.second : this.third;
    if (place === 2) this.third = this.second;
    this.second = this.first;
    this.first = distance;
  }
}
