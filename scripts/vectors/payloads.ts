/**
 * Vectors as payloads, coded with any coder: all coders have to give the same bytes.
 * @module
 */
import { createHash } from 'node:crypto';
import { assembleDelta, assembleFull, type DeltaParts } from '../../native-free/diff/write/assemble.ts';
import { SegmentEncoder } from '../../native-free/diff/write/encode-segment.ts';
import { concat } from '../../native-free/format/bytes.ts';
import { coverListOf } from '../../native-free/format/cover.ts';
import { fillMapOf, imageRuns, type FillMap } from '../../native-free/format/fill-map.ts';
import { referenceModels } from '../../native-free/model/mix-coder.ts';
import type { ModelCoderFactory } from '../../native-free/model/model-coder.ts';
import { decodePlan, encodePlan, needsOf } from '../../native-free/model/plan-coder.ts';
import { repeated } from './bytes.ts';
import type { VectorImages } from './good.ts';

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

function sourceOf({ source }: Pick<VectorImages, 'source'>): Uint8Array {
  return source === null ? new Uint8Array(0) : repeated(source.bytes, source.times);
}

/** Ranges of the dense target that are segments. */
function rangesOf(target: Uint8Array, segmentBytes: number): [number, number][] {
  const ranges: [number, number][] = [];
  for (let start = 0; start < target.length; start += segmentBytes) {
    ranges.push([start, Math.min(target.length, start + segmentBytes)]);
  }
  return ranges;
}

function denseOf(image: Uint8Array, map: FillMap): Uint8Array {
  const runs = [...imageRuns(map, 0, map.denseBytes)].filter(({ dense }) => dense !== null);
  return concat(runs.map(({ offset, length }) => image.subarray(offset, offset + length)));
}

/** The parts of a delta, so that bad vectors can be made of bad parts. */
export function deltaParts(images: VectorImages, coder: ModelCoderFactory = referenceModels): DeltaParts {
  const { segmentBytes, sizes, regions } = images;
  const whole = { source: sourceOf(images), target: images.target };
  const fills = {
    source: fillMapOf(whole.source.length, images.fills?.source ?? []),
    target: fillMapOf(whole.target.length, images.fills?.target ?? []),
  };
  const [source, target] = [denseOf(whole.source, fills.source), denseOf(whole.target, fills.target)];
  const covers = coverListOf(images.covers);
  const lengths = { sourceBytes: source.length, targetBytes: target.length };
  const plan = encodePlan(covers, regions, lengths, undefined, sizes);
  const decoder = coder(false, sizes);
  const known = decodePlan(plan, lengths, undefined, decoder);
  const encoder = new SegmentEncoder({ source, target }, { plan: known, modelSizes: sizes }, { models: coder });
  const ranges = rangesOf(target, segmentBytes);
  const segments = ranges.map(([start, end]) => encoder.encode(start, end));
  return {
    ...{ sourceBytes: source.length, sourceDigest: sha256(whole.source), targetBytes: target.length, fills },
    ...{ targetDigest: sha256(whole.target), segmentBytes, modelSizes: sizes, plan },
    ...{ planNeeds: needsOf(known, decoder), segmentWork: encoder.work, segments },
    segmentDigests: ranges.map(([start, end]) => sha256(target.subarray(start, end))),
  };
}

export function payloadOf(images: VectorImages, coder?: ModelCoderFactory): Uint8Array {
  if (images.source !== null) return assembleDelta(deltaParts(images, coder));
  const { target, segmentBytes, frames } = images;
  return assembleFull({
    ...{ targetBytes: target.length, targetDigest: sha256(target), segmentBytes, segments: frames },
    segmentDigests: rangesOf(target, segmentBytes).map(([start, end]) => sha256(target.subarray(start, end))),
  });
}
