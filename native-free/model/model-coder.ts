/**
 * The seam between what is predicted and how surprises are priced: one coder of binary decisions with its models.
 *
 * Models are written once against this interface: an encoder is told each value, a decoder ignores what it is told and
 * returns the real one. There are two coders of equal output, byte for byte: MixCoder in TypeScript, the reference, and
 * a WebAssembly twin for runtimes that have it. Calls are few and their arguments are numbers, so that crossing into
 * WebAssembly costs little.
 * @module
 */

import type { WorkMeter } from './work.ts';

/** Most contexts of one decision. */
export const CONTEXTS_MAX = 12;

/** Weight sets of flags and of bytes. */
export const FLAG_SETS = 8192;
export const BYTE_SETS = 8192;
/** Plain adaptive bits, each with an index of its own. */
export const PLAIN_BITS = 1 << 16;

/** Table sizes, as powers of two; part of the payload header. */
export interface ModelSizes {
  /** Slots of the flags' table. 4 bytes a slot. */
  readonly flagBits: number;
  /** Slots of the bytes' table. 4 bytes a slot. */
  readonly byteBits: number;
}

/** Smallest tables that a header can say. */
export const MODEL_BITS_MIN = 10;
export const SMALLEST_SIZES: ModelSizes = { flagBits: MODEL_BITS_MIN, byteBits: MODEL_BITS_MIN };
export const DEFAULT_SIZES: ModelSizes = { flagBits: 18, byteBits: 20 };
/** The low-memory profile: with segments of LOW_MEMORY_SEGMENT_BYTES a decoder needs less than 8 MiB. */
export const SMALL_SIZES: ModelSizes = { flagBits: 16, byteBits: 17 };
export const LOW_MEMORY_SEGMENT_BYTES = 256 * 1024;

/** Bytes that a coder's tables take, state of the coder included. */
export function modelBytes(sizes: ModelSizes): number {
  const weights = 4 * 2 * CONTEXTS_MAX * (FLAG_SETS + BYTE_SETS + 256);
  return 4 * (2 ** sizes.flagBits + 2 ** sizes.byteBits + PLAIN_BITS) + weights;
}

export interface ModelCoder {
  /** True if values are read by the calls, false if they are returned only. */
  readonly encoding: boolean;
  /** Hashes of the contexts of the next decision: filled by the caller before `flag` and `byte`. */
  readonly contexts: Uint32Array;
  /** Counted by those who call, who know what else they do. */
  readonly work: WorkMeter;

  /** A new stream with fresh models: to be written (null), or read from `bytes`; past their end zeros are read. */
  start(bytes: Uint8Array | null): void;
  /** One decision, mixed from the first `count` contexts with weight set `set`. */
  flag(value: number, count: number, set: number): number;
  /** A byte, most significant bit first, each bit mixed likewise. */
  byte(value: number, count: number, set: number): number;
  /** One decision with one adaptive probability of its own, `index` below PLAIN_BITS. */
  bit(value: number, index: number): number;
  /** The stream written since `start`. */
  finish(): Uint8Array;
}

export type ModelCoderFactory = (encoding: boolean, sizes: ModelSizes) => ModelCoder;
