/**
 * Encoding of one segment of a delta. Segments are independent, so they can be encoded anywhere in any order.
 * @module
 */
import { piecesOf, sourceBytesOf } from '../../format/pieces.ts';
import type { CoverList } from '../../format/cover.ts';
import { plainPlan, type Plan } from '../../format/plan.ts';
import { LIMITS } from '../../limits.ts';
import { BitMeter, STREAM } from '../../model/costs.ts';
import { rangesOf, type Images } from '../images.ts';
import { MixCoder, referenceModels } from '../../model/mix-coder.ts';
import type { ModelCoder, ModelCoderFactory } from '../../model/model-coder.ts';
import { DEFAULT_SIZES, MANY_LITERALS_BYTE_BITS, type ModelSizes } from '../../format/model-sizes.ts';
import { encodePlan, planNeeds } from '../../model/plan-coder.ts';
import { SegmentCoder } from '../../model/segment-coder.ts';

const MIB = 1024 * 1024;

/** What segments cost, by stream, in bytes. */
export interface SegmentCosts {
  flags: number;
  misses: number;
  literals: number;
  /** What compressors chose: how contents are said, and all else. */
  tokens: number;
  params: number;
}

/**
 * Size of a target's segments. Larger ones cost fewer digests, smaller ones less memory and less work after a power
 * cut; this keeps digests under 32 bytes for each 2 MiB once images are large.
 */
export function segmentBytesFor(targetBytes: number): number {
  return targetBytes <= 16 * MIB ? MIB : 2 * MIB;
}

/** A patch that is expected to be smaller than this is better off with few digests than with many restart points. */
const TINY_BYTES = 16 * 1024;
/** Targets so small are coded in segments of DELTA_SEGMENT_BYTES: what each segment learns again is much of them. */
const SMALL_TARGET_BYTES = 16 * MIB;
const DELTA_SEGMENT_BYTES = 4 * MIB;

/** Segment size for a delta; the whole target, within bounds, when the patch will be tiny. */
export function segmentBytesOf(covers: CoverList, targetBytes: number): number {
  let covered = 0;
  for (let i = 0; i < covers.count; i++) covered += covers.length[i]!;
  const expected = 4 * covers.count + (targetBytes - covered);
  let bytes = targetBytes <= SMALL_TARGET_BYTES ? DELTA_SEGMENT_BYTES : segmentBytesFor(targetBytes);
  if (expected > TINY_BYTES) return bytes;
  while (bytes < targetBytes && bytes < LIMITS.segment_bytes_max) bytes *= 2;
  return bytes;
}

/**
 * Model tables for a delta: as large as the literals of its fullest segment can use, since tables that are mostly empty
 * cost memory and time for nothing.
 */
export function modelSizesFor(
  covers: CoverList,
  targetBytes: number,
  segmentBytes: number,
  most: ModelSizes = DEFAULT_SIZES,
): ModelSizes {
  const literals = new Float64Array(Math.ceil(targetBytes / segmentBytes) + 1);
  let end = 0;
  const addGap = (to: number): void => {
    for (let at = end; at < to;) {
      const segment = Math.floor(at / segmentBytes);
      const next = Math.min(to, (segment + 1) * segmentBytes);
      literals[segment]! += next - at;
      at = next;
    }
  };
  for (let i = 0; i < covers.count; i++) {
    addGap(covers.targetOffset[i]!);
    end = covers.targetOffset[i]! + covers.length[i]!;
  }
  addGap(targetBytes);
  // Ten contexts of a literal take two groups of 16 slots each; misses take as much again.
  const wanted = 64 * Math.max(...literals) + 2 ** 18;
  // Below four times what a table holds the larger one gains less than half a percent.
  const isMuch = most === DEFAULT_SIZES && wanted >= 4 * 2 ** most.byteBits;
  const bits = isMuch ? MANY_LITERALS_BYTE_BITS : most.byteBits;
  return { ...most, byteBits: Math.min(bits, Math.ceil(Math.log2(wanted))) };
}

/** A plan as its decoder will know it, and the tables that segments are coded with: what `finishPlan` gives. */
export interface CodedPlan {
  readonly plan: Plan;
  readonly modelSizes: ModelSizes;
}

export interface SegmentEncoderOptions {
  /** Default: the reference coder, in JavaScript. All give the same bytes. */
  readonly models?: ModelCoderFactory;
  /** Count what each stream costs, which only the reference coder can. */
  readonly metered?: boolean;
}

/** A coder that encodes, and what counts its bits if they are to be counted. */
export function encodingCoder(
  modelSizes: ModelSizes,
  { metered, models }: SegmentEncoderOptions,
): { readonly coder: ModelCoder; readonly meter: BitMeter | null } {
  if (metered !== true) return { coder: (models ?? referenceModels)(true, modelSizes), meter: null };
  const coder = new MixCoder(true, modelSizes);
  return { coder, meter: new BitMeter(coder.metered()) };
}

export function costsIn(meter: BitMeter): SegmentCosts {
  meter.stream(STREAM.flags);
  const [flags, misses, literals, tokens, params] = Array.from(meter.bits, (bits) => bits / 8);
  return { flags: flags!, misses: misses!, literals: literals!, tokens: tokens!, params: params! };
}

/** Encodes segments of one delta: what follows from the plan is worked out once. */
export class SegmentEncoder {
  readonly #plan: Plan;
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  readonly #coder: ModelCoder;
  readonly #segment: SegmentCoder;
  readonly #meter: BitMeter | null;
  #work = 0;

  constructor({ source, target }: Images, { plan, modelSizes }: CodedPlan, options: SegmentEncoderOptions = {}) {
    this.#plan = plan;
    this.#source = source;
    this.#target = target;
    const { coder, meter } = encodingCoder(modelSizes, options);
    this.#coder = coder;
    this.#meter = meter;
    this.#segment = new SegmentCoder(plan, this.#coder, this.#meter ?? undefined);
  }

  /** Bytes spent so far, by stream; null when not metered. */
  get costs(): SegmentCosts | null {
    return this.#meter && costsIn(this.#meter);
  }

  /** Look-ups that decoding what was encoded so far will take. */
  get work(): number {
    return this.#work;
  }

  /**
   * Codes target range [start, end); the target's own bytes where coding does not make it smaller (a decoder tells by
   * the equal length).
   */
  encode(start: number, end: number): Uint8Array {
    const target = this.#target.subarray(start, end);
    const { work } = this.#coder;
    const before = work.spent;
    this.#segment.begin(null);
    for (const piece of piecesOf(this.#plan.covers, start, end)) {
      const { offset, length } = sourceBytesOf(piece, this.#source.length);
      this.#segment.piece(piece, this.#source.subarray(offset, offset + length), target, piece.targetOffset - start);
    }
    const encoded = this.#coder.finish();
    if (encoded.length >= target.length) return target.slice();
    this.#work += work.spent - before;
    return encoded;
  }
}

/** The parts of a delta of which covers alone are known, nothing of the images' structure. */
export function encodeCovered(
  images: Images & { readonly covers: CoverList },
  segmentBytes: number,
  sizes: ModelSizes = DEFAULT_SIZES,
) {
  const { source, target, covers } = images;
  const plan = encodePlan(covers, undefined, undefined, undefined, sizes);
  const lengths = { sourceBytes: source.length, targetBytes: target.length };
  const encoder = new SegmentEncoder(images, { plan: plainPlan(covers), modelSizes: sizes });
  const segments = rangesOf(target.length, segmentBytes).map(({ start, end }) => encoder.encode(start, end));
  return { plan, planNeeds: planNeeds(plan, lengths, sizes), segments, segmentWork: encoder.work, modelSizes: sizes };
}
