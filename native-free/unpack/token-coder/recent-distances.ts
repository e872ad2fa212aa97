/**
 * The distances that a codec has symbols for, the latest first, as LZMA and zstd keep them.
 * @module
 */
import { OP } from '../tokens.ts';

const REPS_MAX = 4;

export class RecentDistances {
  readonly distance = new Uint32Array(REPS_MAX);
  count = 0;

  start(first: readonly number[]): void {
    this.count = first.length;
    this.distance.set(first);
  }

  copyFrom(other: RecentDistances): void {
    this.count = other.count;
    for (let i = 0; i < REPS_MAX; i++) this.distance[i] = other.distance[i]!;
  }

  /** The op with which a distance is said in the shortest way. */
  opOf(distance: number): number {
    for (let i = 0; i < this.count; i++) if (this.distance[i] === distance) return OP.rep0 + i;
    return OP.match;
  }

  /** A token was coded: its distance comes first; the last one goes, unless the op has taken it from its place. */
  follow(op: number, distance: number): void {
    if (op === OP.literal || op === OP.shortRep || this.count === 0) return;
    const recent = this.distance;
    for (let i = op === OP.match ? this.count - 1 : op - OP.rep0; i > 0; i--) recent[i] = recent[i - 1]!;
    recent[0] = distance;
  }
}
