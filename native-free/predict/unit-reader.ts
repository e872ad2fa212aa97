/**
 * The seam between a region's structure and the coding of its units: one reader for each kind of region.
 * @module
 */
import type { Candidates } from './candidates.ts';
import type { UnitBlock } from './unit-block.ts';

/** A stretch of a cover that lies in one region on each side. Offsets into `source` are those of the window at hand. */
export interface Run {
  /** The window of source bytes; only [start, end) may be looked at. */
  source: Uint8Array;
  start: number;
  end: number;
  /** Address of source byte `start`, and of the target byte that it goes to. */
  sourceVa: number;
  targetVa: number;
  /** Index of the source's region, for statistics of its own. */
  region: number;
}

export interface UnitReader {
  /** Units are numbers with the most significant byte first. */
  readonly bigEndian: boolean;
  /** A new run begins. */
  begin(run: Run): void;
  /** Reads units from `source[at]` until `limit` is reached or passed, never past the run's end, into `block`. */
  read(block: UnitBlock, at: number, limit: number): void;
  /** Lists what unit `i` may become; `at` is the block's place in the window. At least one candidate. */
  propose(block: UnitBlock, i: number, at: number, candidates: Candidates): void;
  /**
   * One value that unit `i` may become, at less cost than a list: by what usually holds, or of a table's word by this origin
   * (the source's own where that says nothing).
   */
  expect(block: UnitBlock, i: number, at: number, origin: number): number;
  /** In place of `learn`, for a unit that is to teach nothing: only what registers of the target hold is followed. */
  pass(block: UnitBlock, i: number, at: number, actual: number): void;
  /** Told each unit in order, once it is known. */
  learn(block: UnitBlock, i: number, at: number, actual: number): void;
}
