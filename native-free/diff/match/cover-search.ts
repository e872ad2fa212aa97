/**
 * Finding covers: which source ranges resemble which ranges of a window of the target.
 *
 * Approximate matching after Percival, "Matching with Mismatches and Assorted Applications" (2006), as in bsdiff 4:
 * walk the target, look for a place in the source that explains what follows clearly better than the open cover does,
 * and extend covers over mismatches in both directions as long as half of the bytes agree. Different from bsdiff:
 * - While the open cover goes on exactly, nothing is searched, and after a search the walk goes on behind the open
 *   cover's next mismatch: only a mismatch can make another place better. Runs of zeros and repeated content cost one
 *   comparison a byte, and no comparison is longer than MATCH_BYTES_MAX.
 * - Of equally long matches the one in the best context is taken, not an arbitrary one.
 * - Covers that save less than they cost are dropped, and neighbours on one diagonal become one.
 * The work is linear in the window but for the searches, of which there is at most one a mismatching byte.
 * @module
 */
import type { Cover } from '../../format/cover.ts';
import { UpdateError } from '../../status.ts';
import { countEqual, matchLength, Searcher, type SourceIndex } from './source-index.ts';

/** An exact continuation of this length is not questioned. */
const TRUSTED_RUN_BYTES = 32;
/** By how many equal bytes a new place must be better than the open cover. */
const ADVANTAGE_BYTES = 8;
/** Shorter matches are chance. */
const ANCHOR_BYTES_MIN = 6;
/** Tables of numbers have no long exact matches: a place is also better if it explains this many more bytes ahead. */
const AHEAD_BYTES = 64;
const AHEAD_ADVANTAGE_BYTES = 24;
/** A cover's own cost, in equal bytes that it must bring. */
const COVER_COST_BYTES = 12;
/** Literals between two covers of one displacement that are cheaper as mismatches than as another cover. */
const BRIDGE_BYTES_MAX = 16;

/**
 * Covers for the target window [windowStart, windowEnd), in target order, inside the window, without overlap in the
 * target. The result depends on the arguments only. All offsets are in bytes.
 *
 * @throws UpdateError usage_invalid for a window outside the target
 */
export function findCovers(index: SourceIndex, target: Uint8Array, windowStart: number, windowEnd: number): Cover[] {
  if (!(windowStart >= 0 && windowStart <= windowEnd && windowEnd <= target.length)) {
    throw new UpdateError('usage_invalid', `window ${windowStart}..${windowEnd} of a target of ${target.length} bytes`);
  }
  return new CoverWalk(index, target, windowStart, windowEnd).run();
}

/** The walk over one window. At any time at most one cover is open: it has a displacement, its end is undecided. */
class CoverWalk {
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  readonly #searcher: Searcher;
  readonly #end: number;
  readonly #covers: Cover[] = [];
  /** First target byte that is not decided yet; while a cover is open, where it begins. */
  #from: number;
  /** Where the open cover was chosen: what lies before is settled, or the same bytes would be argued over for ever. */
  #anchor: number;
  /** Source offset minus target offset of the open cover. */
  #displacement = 0;
  #isOpen = false;

  constructor(index: SourceIndex, target: Uint8Array, start: number, end: number) {
    this.#source = index.source;
    this.#target = target;
    this.#searcher = new Searcher(index, target);
    this.#from = start;
    this.#anchor = start;
    this.#end = end;
  }

  run(): Cover[] {
    for (let at = this.#from; ;) {
      const anchor = this.#nextAnchor(at);
      if (anchor === this.#end) break;
      this.#switchTo(anchor, this.#searcher.offset - anchor);
      at = anchor + Math.min(this.#searcher.length, this.#end - anchor);
    }
    if (this.#isOpen) this.#close(this.#from + this.#forward(this.#end));
    return this.#covers;
  }

  /** Walks on from `at` to the next place where the searcher's match beats the open cover; the window's end if none. */
  #nextAnchor(at: number): number {
    const searcher = this.#searcher;
    while (at < this.#end) {
      const run = this.#openRun(at, TRUSTED_RUN_BYTES);
      if (run >= TRUSTED_RUN_BYTES) {
        at += this.#openRun(at, this.#end - at);
        continue;
      }
      if (!searcher.mayMatch(at)) {
        // No match of ANCHOR_BYTES_MIN bytes: the search would be for nothing.
        at += run + 1;
        continue;
      }
      searcher.search(at);
      const length = Math.min(searcher.length, this.#end - at);
      if (length >= ANCHOR_BYTES_MIN) {
        const advantage = length - this.#openMatches(at, length);
        if (advantage > 0) {
          searcher.chooseRival(at, at + this.#displacement);
          if (advantage > ADVANTAGE_BYTES || this.#isBetterAhead(at)) return at;
        }
      }
      at += run + 1;
    }
    return this.#end;
  }

  /** Whether the searcher's place explains clearly more of what lies ahead than the open cover, mismatches included. */
  #isBetterAhead(at: number): boolean {
    const length = Math.min(AHEAD_BYTES, this.#end - at);
    const equal = countEqual(this.#source, this.#searcher.offset, this.#target, at, length);
    return equal - this.#openMatches(at, length) >= AHEAD_ADVANTAGE_BYTES;
  }

  /** How far the open cover goes on exactly from `at`, up to `limit` bytes. */
  #openRun(at: number, limit: number): number {
    const a = at + this.#displacement;
    if (!this.#isOpen || a < 0) return 0;
    return matchLength(this.#source, a, this.#target, at, 0, Math.min(limit, this.#end - at));
  }

  /** How many of the `length` bytes from `at` the open cover explains. */
  #openMatches(at: number, length: number): number {
    return this.#isOpen ? countEqual(this.#source, at + this.#displacement, this.#target, at, length) : 0;
  }

  /** Ends the open cover in favour of the match at `anchor`, each taking what it explains better. */
  #switchTo(anchor: number, displacement: number): void {
    const forward = this.#isOpen ? this.#forward(anchor) : 0;
    const backward = this.#backward(anchor, displacement);
    let border = anchor - backward;
    const overlap = this.#from + forward - border;
    if (overlap > 0) border += this.#split(border, overlap, displacement);
    if (this.#isOpen) this.#close(Math.min(this.#from + forward, border));
    this.#from = border;
    this.#anchor = anchor;
    this.#displacement = displacement;
    this.#isOpen = true;
  }

  /** Length of the open cover: the one with the most equal over unequal bytes, ending before `limit`. */
  #forward(limit: number): number {
    const source = this.#source;
    const target = this.#target;
    const displacement = this.#displacement;
    const end = Math.min(limit, source.length - displacement);
    let score = 0;
    let best = 0;
    let length = 0;
    for (let i = this.#from; i < end; i++) {
      score += source[i + displacement] === target[i] ? 1 : -1;
      if (score > best) {
        best = score;
        length = i + 1 - this.#from;
      }
    }
    return length;
  }

  /** How far a cover with an exact match at `anchor` reaches back, by the same measure, not past what is settled. */
  #backward(anchor: number, displacement: number): number {
    const source = this.#source;
    const target = this.#target;
    const start = Math.max(this.#from, this.#anchor, -displacement);
    let score = 0;
    let best = 0;
    let length = 0;
    for (let i = anchor - 1; i >= start; i--) {
      score += source[i + displacement] === target[i] ? 1 : -1;
      if (score > best) {
        best = score;
        length = anchor - i;
      }
    }
    return length;
  }

  /** Of `overlap` bytes from `start`, how many the open cover keeps so that the most bytes agree in all. */
  #split(start: number, overlap: number, displacement: number): number {
    const source = this.#source;
    const target = this.#target;
    const open = this.#displacement;
    let score = 0;
    let best = 0;
    let kept = 0;
    for (let i = start; i < start + overlap; i++) {
      if (source[i + open] === target[i]) score++;
      if (source[i + displacement] === target[i]) score--;
      if (score > best) {
        best = score;
        kept = i + 1 - start;
      }
    }
    return kept;
  }

  /** Keeps the open cover, up to target offset `end`, if it is worth it. */
  #close(end: number): void {
    const length = end - this.#from;
    if (length <= 0) return;
    const before = this.#covers.at(-1);
    const sourceOffset = this.#from + this.#displacement;
    if (before !== undefined && before.sourceOffset - before.targetOffset === this.#displacement) {
      const gap = this.#from - before.targetOffset - before.length;
      if (gap <= BRIDGE_BYTES_MAX) {
        this.#covers[this.#covers.length - 1] = { ...before, length: end - before.targetOffset };
        return;
      }
    }
    if (this.#openMatches(this.#from, length) < COVER_COST_BYTES) return;
    this.#covers.push({ sourceOffset, targetOffset: this.#from, length });
  }
}
