/**
 * Sizes of the models that a payload is coded with. Those of the tables stand in the header; the others are the same for
 * every payload.
 * @module
 */
import { LIMITS } from '../limits.ts';

/** Most contexts of one decision; of a flag, whose contexts have three inputs each. */
export const CONTEXTS_MAX = 12;
export const FLAG_CONTEXTS_MAX = 9;
/** Weights of a set of flags: one more than there are inputs, so that they go in fours. */
export const FLAG_STRIDE = 3 * FLAG_CONTEXTS_MAX + 1;

/** Weight sets of flags and of bytes. */
export const FLAG_SETS = 8192;
export const BYTE_SETS = 8192;
/** Those of the other two mixtures of bytes: one for each value of the bits so far, and by what is near. */
export const TREE_SETS = 256;
export const NEAR_SETS = 1536;
/** Plain adaptive bits, each with an index of its own. */
export const PLAIN_BITS = 1 << 16;

/** Table sizes, as powers of two; part of the payload header. */
export interface ModelSizes {
  /** Slots of the flags' table. 5 bytes a slot. */
  readonly flagBits: number;
  /** Slots of the bytes' table. 4 bytes a slot. */
  readonly byteBits: number;
  /** Segments are coded by the models of the fast profile, in tables of these sizes; plans and tokens are mixed. */
  readonly fast?: boolean | undefined;
}

/** Tables of the mix coder: a payload of the fast profile has no bytes for it. */
export function mixingSizes({ flagBits, byteBits, fast }: ModelSizes): ModelSizes {
  return { flagBits, byteBits: fast === true ? LIMITS.model_bits_min : byteBits };
}

export const SMALLEST_SIZES: ModelSizes = { flagBits: LIMITS.model_bits_min, byteBits: LIMITS.model_bits_min };
export const DEFAULT_SIZES: ModelSizes = { flagBits: 18, byteBits: 20 };
/** Slots of the bytes' table where a segment has very many literals: 4 MiB more, for a percent or two of the patch. */
export const MANY_LITERALS_BYTE_BITS = 21;

/** What the loops of the fast profile hold beside their tables: weights, literals and their places, risks. */
const FAST_BYTES = 2 ** 20;

/** Bytes that a coder's tables take, state of the coder included. */
export function modelBytes(sizes: ModelSizes): number {
  const mixing = mixingSizes(sizes);
  const weights = 4 * FLAG_STRIDE * FLAG_SETS + 4 * CONTEXTS_MAX * (BYTE_SETS + TREE_SETS + NEAR_SETS);
  const fast = sizes.fast === true ? 4 * (2 ** sizes.flagBits + 2 ** sizes.byteBits) + FAST_BYTES : 0;
  return 5 * 2 ** mixing.flagBits + 4 * (2 ** mixing.byteBits + PLAIN_BITS) + weights + fast;
}
