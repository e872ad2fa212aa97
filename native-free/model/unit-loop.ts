/**
 * The seam around the coding of units under covers: predictions, their memories and the loop over blocks, in one piece
 * because all of it is asked once or more for each unit.
 *
 * There are two loops of equal output, byte for byte: ReferenceUnits in TypeScript, and the twin that a coder in
 * WebAssembly brings along. Which one codes is decided once for a plan, since what units teach is kept inside.
 * @module
 */
import type { RegionKind } from '../format/regions.ts';
import type { Run } from '../predict/unit-reader.ts';
import type { LiteralRun } from './literals/literal-models.ts';

/** Part of a run. Offsets into the run's source bytes. */
export interface Stretch {
  readonly run: Run;
  /** Of the source. */
  readonly regionKind: RegionKind;
  readonly from: number;
  readonly end: number;
  /** Bytes of the cover behind the run. */
  readonly coverLeft: number;
}

export interface UnitLoop {
  /** A segment begins, before the coder starts its stream: everything is forgotten. */
  reset(): void;
  /** A cover begins. */
  begin(): void;
  /** Chooses the module of the source that the runs to come lie in. */
  select(module: number): void;
  /** A run begins, or goes on behind bytes that were not coded as units; of a region of this kind. */
  beginRun(kind: RegionKind, run: Run): void;
  /**
   * Codes source bytes [from, end) of the run that was begun, or a little more where a unit crosses `end`; returns where
   * it stopped. `target[at..]`, for `from`, is read by an encoder and filled by a decoder. Counts its work.
   */
  code(stretch: Stretch, target: Uint8Array, at: number): number;
}

/** The loop over literals: target bytes under no cover. */
export interface LiteralLoop {
  /** A segment begins. */
  reset(): void;
  code(run: LiteralRun): void;
}

/** What codes the two kinds of pieces. */
export interface SegmentLoops {
  readonly units: UnitLoop;
  readonly literals: LiteralLoop;
}
