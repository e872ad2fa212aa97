/**
 * A delta from two images, on the caller's thread and with nothing but JavaScript. Large images want `DeltaEngine`, which
 * does the same on a pool of worker threads, and proves it.
 * @module
 */
import type { Profile } from '../format/profile.ts';
import type { ModelSizes } from '../format/model-sizes.ts';
import { digestOf, sha256Pure } from '../hash.ts';
import type { ImageFills } from '../format/payload-header.ts';
import type { HashFactory } from '../io.ts';
import type { ModelCoderFactory } from '../model/model-coder.ts';
import { digestOfImage, sparseImage, type ImageLike } from './fills/sparse-image.ts';
import { inlineSteps, matchImages } from './match-images.ts';
import { referenceMatching, type SuffixSorter } from './match/matching.ts';
import { NO_LAYOUTS, TINY_DELTA_BYTES } from './layout/pair-regions.ts';
import { analyse, finishPlan, type FinishedPlan, type Matched } from './stages.ts';
import { rangesOf, type Images } from './images.ts';
import { cutSegments, UNIT_SEGMENT_CONTENT_BYTES } from './units/cut.ts';
import { explore } from './units/explore.ts';
import { programsIn } from './units/programs.ts';
import type { ExploredImage } from './units/select.ts';
import { smallestOf, trialOf, withoutUnits, type Trial, type TriedDelta } from './units/trial.ts';
import {
  isBeyondBounds,
  takesTooMuch,
  unitImages,
  unitPayloadParts,
  unpackPair,
  type UnpackedPair,
} from './units/unpack-pair.ts';
import { encodeUnitSegment, type EncodedUnitSegment } from './write/encode-unit-segment.ts';
import { assembleDelta } from './write/assemble.ts';
import { SegmentEncoder } from './write/encode-segment.ts';

export interface MakeDeltaOptions {
  /** A power of two within LIMITS; default: by the target's size and what changed. */
  readonly segmentBytes?: number;
  /** What the delta is made for; default `small`. */
  readonly profile?: Profile;
  /** Default: by the profile and the target's literals. */
  readonly modelSizes?: ModelSizes;
  /** Faster ones than the defaults, of equal output. */
  readonly hash?: HashFactory;
  readonly sort?: SuffixSorter;
  readonly models?: ModelCoderFactory;
  /** Default true: look inside of compressed images. */
  readonly unpack?: boolean;
  /** Images stay packed where unpacking would make decoders take more; default: 64 MiB. */
  readonly memoryBytesMax?: number;
}

/** Images without their fills, and what a payload says of them as they are. */
interface Pair extends Images {
  readonly fills: ImageFills;
  readonly sourceDigest: Uint8Array;
  readonly targetDigest: Uint8Array;
}

function pairOf(source: ImageLike, target: ImageLike, hash: HashFactory): Pair {
  const [from, to] = [sparseImage(source, 'source'), sparseImage(target, 'target')];
  return {
    ...{ source: from.dense, target: to.dense, fills: { source: from.map, target: to.map } },
    ...{ sourceDigest: digestOfImage(hash, from), targetDigest: digestOfImage(hash, to) },
  };
}

/**
 * The payload that brings a slot from `source` to `target`. It is not proved: apply it before it is published. Large
 * images with long runs of one value are given as `withFills` leaves them.
 * @throws UpdateError usage_invalid, limit_exceeded
 */
export async function makeDelta(
  source: ImageLike,
  target: ImageLike,
  options: MakeDeltaOptions = {},
): Promise<Uint8Array> {
  const images = pairOf(source, target, options.hash ?? sha256Pure);
  const plain = (): Promise<TriedDelta> => encoded(images, null, options);
  if (options.unpack === false) return (await plain()).payload;
  const a = explored(images.source);
  const b = explored(images.target);
  const pairWithout = (dear: ReadonlySet<number>): UnpackedPair | null =>
    unpackPair(a, { ...b, explored: withoutUnits(b.explored, dear) });
  const withoutSome = async (dear: ReadonlySet<number>): Promise<TriedDelta> => {
    try {
      return await encoded(images, pairWithout(dear), options);
    } catch (error) {
      if (isBeyondBounds(error)) return plain();
      throw error;
    }
  };
  const best = await smallestOf(await withoutSome(new Set()), withoutSome, plain);
  const isTooMuch = best.trial !== null && takesTooMuch(best.payload, options.memoryBytesMax);
  return (isTooMuch ? await plain() : best).payload;
}

const explored = (image: Uint8Array): ExploredImage => ({
  image,
  explored: explore(image, { exact: true, closed: programsIn }),
});

/** The delta of contents, or (null) of the images as they are. */
async function encoded(images: Pair, unpacked: UnpackedPair | null, options: MakeDeltaOptions): Promise<TriedDelta> {
  const { sort } = options;
  const contents = unpacked?.virtual ?? images;
  const layouts = analyse(contents, unpacked?.parts);
  const covers = await matchImages(contents, inlineSteps(contents, layouts, referenceMatching(sort)));
  const made = await written(images, unpacked, { layouts, covers }, options);
  if (unpacked !== null || made.payload.length > TINY_DELTA_BYTES) return made;
  const bare = await written(images, null, { layouts: NO_LAYOUTS, covers }, options);
  return bare.payload.length < made.payload.length ? bare : made;
}

async function written(
  images: Pair,
  unpacked: UnpackedPair | null,
  matched: Matched,
  options: MakeDeltaOptions,
): Promise<TriedDelta> {
  const { hash = sha256Pure } = options;
  const contents = unpacked?.virtual ?? images;
  const wanted = unpacked === null ? options : { ...options, segmentBytes: UNIT_SEGMENT_CONTENT_BYTES };
  const finished = finishPlan(contents, matched, wanted, options.models);
  const { trialFor, ...parts } =
    unpacked === null
      ? await plainParts(images, finished, options)
      : await unitParts(images, finished, unpacked, options);
  const payload = assembleDelta({
    sourceBytes: images.source.length,
    sourceDigest: images.sourceDigest,
    targetBytes: images.target.length,
    targetDigest: images.targetDigest,
    fills: images.fills,
    modelSizes: finished.modelSizes,
    profile: options.profile,
    hash,
    ...parts,
  });
  return { payload, trial: trialFor?.(payload.length) ?? null };
}

async function plainParts(images: Images, finished: FinishedPlan, { hash = sha256Pure, models }: MakeDeltaOptions) {
  const { segmentBytes, bytes: plan, needs: planNeeds } = finished;
  const encoder = new SegmentEncoder(images, finished, { models });
  const ranges = rangesOf(images.target.length, segmentBytes);
  const segments = ranges.map(({ start, end }) => encoder.encode(start, end));
  const segmentDigests = ranges.map(({ start, end }) => digestOf(hash, images.target.subarray(start, end)));
  return { segments, segmentDigests, segmentBytes, segmentWork: encoder.work, plan, planNeeds, trialFor: null };
}

async function unitParts(
  images: Images,
  finished: FinishedPlan,
  unpacked: UnpackedPair,
  { hash = sha256Pure, models }: MakeDeltaOptions,
) {
  const all = unitImages(images, unpacked);
  const spans = cutSegments(all.layouts.target);
  const segments: EncodedUnitSegment[] = [];
  for (const { offset, length } of spans)
    segments.push(await encodeUnitSegment(all, finished, { start: offset, end: offset + length }, { models }));
  const segmentDigests = spans.map(({ offset, length }) =>
    digestOf(hash, images.target.subarray(offset, offset + length)),
  );
  const parts = unitPayloadParts(unpacked, finished, spans, segments);
  const { mapBytes } = parts.units;
  const trialFor = (bytes: number): Trial =>
    trialOf(unpacked, segments, { bytes, mapBytes, targetBytes: images.target.length });
  return { ...parts, segmentDigests, trialFor };
}
