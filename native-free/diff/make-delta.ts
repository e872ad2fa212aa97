/**
 * A delta from two images, on the caller's thread and with nothing but JavaScript. Large images want `DeltaEngine`, which
 * does the same on a pool of worker threads, and proves it.
 * @module
 */
import type { ModelSizes } from '../format/model-sizes.ts';
import { digestOf, sha256Pure } from '../hash.ts';
import type { HashFactory } from '../io.ts';
import type { ModelCoderFactory } from '../model/model-coder.ts';
import { bytesOf, type BytesLike } from '../views.ts';
import { inlineSteps, matchImages } from './match-images.ts';
import { analyse, finishPlan, type SuffixSorter } from './stages.ts';
import { rangesOf } from './images.ts';
import { assembleDelta } from './write/assemble.ts';
import { SegmentEncoder } from './write/encode-segment.ts';

export interface MakeDeltaOptions {
  /** A power of two within LIMITS; default: by the target's size and what changed. */
  readonly segmentBytes?: number;
  /** Default: by the target's literals. SMALL_SIZES and small segments are for devices with little memory. */
  readonly modelSizes?: ModelSizes;
  /** Faster ones than the defaults, of equal output. */
  readonly hash?: HashFactory;
  readonly sort?: SuffixSorter;
  readonly models?: ModelCoderFactory;
}

/**
 * The payload that brings a slot from `source` to `target`. It is not proved: apply it before it is published.
 * @throws UpdateError usage_invalid, limit_exceeded
 */
export async function makeDelta(
  source: BytesLike,
  target: BytesLike,
  options: MakeDeltaOptions = {},
): Promise<Uint8Array> {
  const images = { source: bytesOf(source, 'source'), target: bytesOf(target, 'target') };
  const { hash = sha256Pure, sort, models } = options;
  const layouts = analyse(images);
  const covers = await matchImages(images, inlineSteps(images, layouts, sort));
  const finished = finishPlan(images, { layouts, covers }, options);
  const { modelSizes, segmentBytes } = finished;
  const encoder = new SegmentEncoder(images, finished, { models });
  const ranges = rangesOf(images.target.length, segmentBytes);
  return assembleDelta({
    sourceBytes: images.source.length,
    sourceDigest: digestOf(hash, images.source),
    targetBytes: images.target.length,
    targetDigest: digestOf(hash, images.target),
    segments: ranges.map(({ start, end }) => encoder.encode(start, end)),
    segmentDigests: ranges.map(({ start, end }) => digestOf(hash, images.target.subarray(start, end))),
    segmentWork: encoder.work,
    plan: finished.bytes,
    planNeeds: finished.needs,
    ...{ modelSizes, segmentBytes, hash },
  });
}
