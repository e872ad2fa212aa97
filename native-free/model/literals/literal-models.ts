/**
 * The seam around what predicts and codes literals: contexts and the match, asked for each byte. As with units there is
 * ReferenceLiterals in TypeScript, and the twin that a coder in WebAssembly brings along, of equal output byte for byte.
 * @module
 */
import type { RegionKind } from '../../format/regions.ts';

/** Literals of one kind of region: `target[start..end)`, of which an encoder reads and a decoder fills. */
export interface LiteralRun {
  /** The segment. */
  readonly target: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly kind: RegionKind;
  /** Address of the first byte: its offset where no region is. */
  readonly va: number;
  /** Source bytes that come after the last cover. */
  readonly follow: Uint8Array;
}

/** Places are offsets into the run's target. What a run teaches, later ones of the segment use. */
export interface LiteralModels {
  /** A segment begins, before the coder starts its stream: everything is forgotten. */
  reset(): void;
  begin(run: LiteralRun): void;
  /** Codes [at, to) of the run, or a little more where a unit crosses `to`; returns where it stopped. Counts its work. */
  code(at: number, to: number): number;
  /** [at, end) was stored: the match has ended, others may lead into it. */
  stored(at: number, end: number): void;
  /** Whether [at, end) has bytes that a match would lead to; asked by encoders. */
  isKnown(at: number, end: number): boolean;
}
