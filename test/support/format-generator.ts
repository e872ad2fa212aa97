/**
 * Payloads of every kind that docs/format.md allows, not only those that our encoder writes, with what a straightforward
 * reading of them gives.
 *
 * A coded segment of a delta may be any bytes: what they decode to is worked out here with all of the source at hand and
 * without streams, chunks or restarts; digests are then made to fit.
 */
import fc from 'fast-check';
import { declaredMemoryBytes } from '../../native-free/format/decoder-memory.ts';
import { SegmentEncoder } from '../../native-free/diff/write/encode-segment.ts';
import { coverListOf, type Cover } from '../../native-free/format/cover.ts';
import { withoutFills } from '../../native-free/format/fill-map.ts';
import { CODEC, encodeHeader, evenSegments } from '../../native-free/format/payload-header.ts';
import { FOLLOW_BYTES_MAX, piecesOf } from '../../native-free/format/pieces.ts';
import type { Plan } from '../../native-free/format/plan.ts';
import { REGION_KIND, type Region, type RegionKind } from '../../native-free/format/regions.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { MixCoder } from '../../native-free/model/mix-coder.ts';
import { SMALLEST_SIZES, type ModelSizes } from '../../native-free/format/model-sizes.ts';
import { decodePlan, encodePlan, needsOf } from '../../native-free/model/plan-coder.ts';
import type { PairedRegions, RegionPair } from '../../native-free/model/region-coder.ts';
import { SegmentCoder } from '../../native-free/model/segment-coder.ts';
import { workUnits } from '../../native-free/format/work.ts';
import { zstdFrame } from '../../scripts/vectors/good.ts';
import { imageBytes, sha256 } from './images.ts';

export interface Generated {
  readonly payload: Uint8Array;
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  readonly segments: number;
  /** The same, declaring other needs. */
  readonly declaring: (change: { memoryBytes?: number; work?: number }) => Uint8Array;
  readonly needs: { readonly memoryBytes: number; readonly work: number };
}

export interface Shape {
  readonly isFull: boolean;
  readonly isInline: boolean;
  readonly segmentBits: number;
  readonly sourceBytes: number;
  readonly seed: number;
  readonly sizes: ModelSizes;
  /** Gap before, length and place in the source of each cover, the last two as shares of what there is. */
  readonly covers: readonly { readonly gap: number; readonly length: number; readonly place: number }[];
  /** Literals at the end. */
  readonly rest: number;
  readonly regions: readonly {
    kind: RegionKind;
    gap: number;
    length: number;
    isNew: boolean;
    bases: number;
    gone: boolean;
  }[];
  /** How each segment is written, again and again. */
  readonly styles: readonly ('coded' | 'stored' | 'noise' | 'nothing')[];
}

/** All of what a payload may be; large targets are mostly whole pages of the source, so that they take no seconds. */
export const shapes: fc.Arbitrary<Shape> = fc.record({
  isFull: fc.nat(3).map((number) => number === 0),
  isInline: fc.boolean(),
  segmentBits: fc.constantFrom(16, 16, 17, 24),
  sourceBytes: fc.oneof(fc.constantFrom(0, 1, 4096), fc.integer({ min: 0, max: 9000 }), fc.constant(140_000)),
  seed: fc.nat(1e6),
  sizes: fc.record({
    flagBits: fc.constantFrom(10, 11, 14),
    byteBits: fc.constantFrom(10, 13, 16),
  }),
  covers: fc.array(
    fc.record({
      gap: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 })),
      length: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true }), fc.constant(1)),
      place: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    { maxLength: 8 },
  ),
  rest: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 700 })),
  regions: fc.array(
    fc.record({
      kind: fc.constantFrom(...Object.values(REGION_KIND)),
      gap: fc.integer({ min: 0, max: 9 }),
      length: fc.integer({ min: 1, max: 900 }),
      isNew: fc.boolean(),
      bases: fc.integer({ min: 0, max: 8 }),
      gone: fc.boolean(),
    }),
    { maxLength: 12 },
  ),
  styles: fc.array(fc.constantFrom('coded', 'stored', 'noise', 'nothing'), { minLength: 1, maxLength: 4 }),
});

function coversOf({ covers, sourceBytes, rest }: Shape): { covers: Cover[]; targetBytes: number } {
  const list: Cover[] = [];
  let at = 0;
  for (const { gap, length, place } of covers) {
    if (sourceBytes === 0) break;
    const sourceOffset = Math.min(sourceBytes - 1, Math.floor(place * sourceBytes));
    const bytes = Math.max(1, Math.floor(length * (sourceBytes - sourceOffset)));
    at += gap;
    list.push({ sourceOffset, targetOffset: at, length: bytes });
    at += bytes;
  }
  return { covers: list, targetBytes: at + rest };
}

/** Regions one behind the other; a region's counterpart is at the same place where the target has that. */
function regionsOf(shape: Shape, targetBytes: number): PairedRegions {
  const pairs: RegionPair[] = [];
  const highs: [number, number][] = [];
  let end = 0;
  for (const { kind, gap, length, isNew, bases, gone } of shape.regions) {
    if (highs.length === 0 || isNew) highs.push([highs.length, shape.seed]);
    const module = highs.length - 1;
    const isBss = kind === REGION_KIND.bss;
    const offset = isBss ? -1 : end + gap;
    if (!isBss && offset + length > shape.sourceBytes) continue;
    if (!isBss) end = offset + length;
    // Near the top, so that addresses wrap.
    const source: Region = { module, kind, offset, length, va: (0xfffffe00 + pairs.length * 64 + end) >>> 0 };
    const fits = isBss || offset + length <= targetBytes;
    const target = gone || !fits ? null : { ...source, va: (source.va + 0x40) >>> 0 };
    const isTable = kind === REGION_KIND.data32 || kind === REGION_KIND.data64;
    const base = { source: source.va, target: (target ?? source).va, scale: 4 };
    pairs.push({ source, target, bases: isTable ? Array.from({ length: bases }, () => base) : [] });
  }
  // A module that lost all of its regions to the source's end is no module.
  const modules = [...new Set(pairs.map(({ source }) => source.module))];
  const renumbered = (region: Region): Region => ({ ...region, module: modules.indexOf(region.module) });
  return {
    pairs: pairs.map((pair) => ({
      ...pair,
      source: renumbered(pair.source),
      target: pair.target === null ? null : renumbered(pair.target),
    })),
    highs: modules.map((module) => highs[module]!),
  };
}

/** What a stream of decisions gives, all of the source at hand. Returns the look-ups that it takes. */
function decoded(
  plan: Plan,
  sizes: ModelSizes,
  source: Uint8Array,
  coded: Uint8Array,
  target: Uint8Array,
  at: number,
): number {
  const coder = new MixCoder(false, sizes);
  const segment = new SegmentCoder(plan, coder);
  segment.begin(coded);
  for (const piece of piecesOf(plan.covers, at, at + target.length)) {
    const from = piece.sourceOffset < 0 ? piece.follow : piece.sourceOffset;
    const count = piece.sourceOffset < 0 ? Math.min(piece.length, FOLLOW_BYTES_MAX) : piece.length;
    segment.piece(piece, source.subarray(from, from + count), target, piece.targetOffset - at);
  }
  return coder.work.spent;
}

interface Coded {
  readonly segments: Uint8Array[];
  readonly work: number;
}

function codedSegments(shape: Shape, plan: Plan, source: Uint8Array, target: Uint8Array, segmentBytes: number): Coded {
  const segments: Uint8Array[] = [];
  let work = 0;
  for (let at = 0; at < target.length; at += segmentBytes) {
    const part = target.subarray(at, at + segmentBytes);
    const style = shape.styles[segments.length % shape.styles.length]!;
    let coded = imageBytes(style === 'noise' ? 30 : 0, shape.seed + at);
    if (style === 'stored') coded = part.slice();
    if (style === 'coded') {
      const encoder = new SegmentEncoder({ source, target }, { plan, modelSizes: shape.sizes });
      coded = encoder.encode(at, at + part.length);
    }
    coded = coded.subarray(0, part.length);
    segments.push(coded);
    if (coded.length === part.length) part.set(coded);
    else work += decoded(plan, shape.sizes, source, coded, part, at);
  }
  return { segments, work };
}

/** Frames of one block, or the bytes themselves. */
function frames(shape: Shape, target: Uint8Array, segmentBytes: number): Coded {
  const segments: Uint8Array[] = [];
  for (let at = 0; at < target.length; at += segmentBytes) {
    const part = target.subarray(at, at + segmentBytes);
    const isStored = shape.styles[segments.length % shape.styles.length] === 'stored' || part.length < 300;
    if (!isStored) part.fill(7, 200);
    segments.push(isStored ? part.slice() : zstdFrame(part.slice(0, 200), 7, part.length));
  }
  return { segments, work: 0 };
}

export function payloadOf(shape: Shape): Generated {
  const source = imageBytes(shape.isFull ? 0 : shape.sourceBytes, shape.seed);
  const { covers, targetBytes } = coversOf(shape);
  const segmentBytes = 2 ** shape.segmentBits;
  const target = new Uint8Array(targetBytes);
  for (const { sourceOffset, targetOffset, length } of shape.isFull ? [] : covers) {
    target.set(source.subarray(sourceOffset, sourceOffset + length), targetOffset);
    if (length > 9) target[targetOffset + 7]! += 3;
  }
  const lengths = { sourceBytes: source.length, targetBytes };
  const sizes = shape.isFull ? SMALLEST_SIZES : shape.sizes;
  let needs = { memoryBytes: 0, work: 0 };
  let planBytes = new Uint8Array(0);
  let coded: Coded;
  if (shape.isFull) coded = frames(shape, target, segmentBytes);
  else {
    planBytes = new Uint8Array(
      encodePlan(coverListOf(covers), regionsOf(shape, targetBytes), lengths, undefined, sizes),
    );
    const coder = new MixCoder(false, sizes);
    const plan = decodePlan(planBytes, lengths, undefined, coder);
    needs = needsOf(plan, coder);
    coded = codedSegments(shape, plan, source, target, segmentBytes);
  }
  const body = new Uint8Array(Buffer.concat([planBytes, ...coded.segments]));
  const isInline = shape.isInline || body.length === 0;
  const chunkDigests: Uint8Array[] = [];
  for (let at = 0; at < body.length && !isInline; at += LIMITS.chunk_bytes) {
    chunkDigests.push(sha256(body.subarray(at, at + LIMITS.chunk_bytes)));
  }
  const segments = coded.segments.map((bytes, i) => {
    const span = evenSegments(targetBytes, segmentBytes)[i]!;
    const digest = sha256(target.subarray(span.offset, span.offset + span.length));
    return { ...span, encodedBytes: bytes.length, digest };
  });
  const kind = shape.isFull ? ('full' as const) : ('delta' as const);
  const parts = {
    kind,
    targetBytes,
    fills: { source: withoutFills(shape.isFull ? 0 : source.length), target: withoutFills(targetBytes) },
    segmentBytes,
    planBytes: planBytes.length,
    modelSizes: sizes,
    profile: sizes.fast === true ? ('fast' as const) : ('small' as const),
    segments,
    chunkDigests,
  };
  const inlineBody = isInline ? body : null;
  const memoryBytes = declaredMemoryBytes({ ...parts, inlineBody }, needs.memoryBytes);
  const work = shape.isFull ? 0 : workUnits(needs.work + coded.work);
  const declaring = (change: { memoryBytes?: number; work?: number }): Uint8Array => {
    const header = encodeHeader({
      ...{ ...parts, inlineBody, sourceBytes: source.length, targetDigest: sha256(target) },
      codec: shape.isFull ? CODEC.zstd : CODEC.mixing,
      units: null,
      sourceDigest: shape.isFull ? new Uint8Array(32) : sha256(source),
      decoderMemoryBytes: change.memoryBytes ?? memoryBytes,
      decoderWork: change.work ?? work,
    });
    return new Uint8Array(isInline ? header : Buffer.concat([header, body]));
  };
  return { payload: declaring({}), source, target, segments: segments.length, declaring, needs: { memoryBytes, work } };
}

/** Two segments in a header, the first of which does not compress: the second one begins behind 64 KiB. */
export const BEHIND_64_KIB: Shape = {
  ...{ isFull: false, isInline: true, segmentBits: 16, sourceBytes: 140_000, seed: 3, regions: [], rest: 100 },
  sizes: { flagBits: 10, byteBits: 10 },
  covers: [{ gap: 0, length: 1, place: 0 }],
  styles: ['stored', 'coded'],
};
