/**
 * The seam between what is predicted and how surprises are priced: one coder of binary decisions with its models.
 *
 * Models are written once against this interface: an encoder is told each value, a decoder ignores what it is told and
 * returns the real one. There are two coders of equal output, byte for byte: MixCoder in TypeScript, the reference, and
 * a WebAssembly twin for runtimes that have it, which brings its own loop over units, and its own models of literals, along. Calls are few and their
 * arguments are numbers, so that crossing into WebAssembly costs little.
 * @module
 */
import type { ModelSizes } from '../format/model-sizes.ts';
import type { Plan } from '../format/plan.ts';
import type { WorkMeter } from '../format/work.ts';
import type { LiteralModels } from './literals/literal-models.ts';
import type { SegmentLoops, UnitLoop } from './unit-loop.ts';

export interface ModelCoder {
  /** True if values are read by the calls, false if they are returned only. */
  readonly encoding: boolean;
  /** Of the payload's tables. */
  readonly sizes: ModelSizes;
  /** Hashes of the contexts of the next decision: filled by the caller before `flag` and `byte`. */
  readonly contexts: Uint32Array;
  /** Counted by those who call, who know what else they do. */
  readonly work: WorkMeter;

  /** Encoder: bytes written since `start`, stored ones too, without the last few that `finish` adds. */
  readonly written: number;

  /** A new stream with fresh models: to be written (null), or read from `bytes`; past their end zeros are read. */
  start(bytes: Uint8Array | null): void;
  /** One decision, mixed from the first `count` contexts with weight set `set`. */
  flag(value: number, count: number, set: number): number;
  /** A byte, most significant bit first, each bit mixed likewise, and with set `near`, below NEAR_SETS. */
  byte(value: number, count: number, set: number, near: number): number;
  /** One decision with one adaptive probability of its own, `index` below PLAIN_BITS. */
  bit(value: number, index: number): number;
  /** One decision at a probability that the caller has: of a 1, in 1/65536, from 1 to 65535. */
  code(value: number, probability: number): number;
  /** Bytes as they are, at no other price than their length: read from `block`, or written to it. */
  stored(block: Uint8Array): void;
  /** The stream written since `start`. */
  finish(): Uint8Array;
  /**
   * The coder's own loop over units under covers, which codes into its stream; of those that it made, one at a time. Null
   * where the plan is too large for it, or has regions of a kind that it does not know.
   */
  unitLoop?(plan: Plan): UnitLoop | null;
  /** The coder's own models of literals, which code into its stream; of those that it made, one at a time. */
  literalModels?(): LiteralModels;
  /** The same for the loops of the fast profile. */
  fastLoops?(plan: Plan): SegmentLoops | null;
}

export type ModelCoderFactory = (encoding: boolean, sizes: ModelSizes) => ModelCoder;
