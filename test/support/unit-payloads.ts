/**
 * Payloads of images with compressed units: cut where a test wants, made of maps that a test wrote, or hostile ones whose
 * digests and signatures are all in order.
 */
import { applyPayload, type ApplyOptions } from '../../native-free/apply/patcher.ts';
import { bytesSource, memorySource } from '../../native-free/apply/bytes-source.ts';
import { inlineSteps, matchImages } from '../../native-free/diff/match-images.ts';
import { analyse, finishPlan } from '../../native-free/diff/stages.ts';
import type { Images } from '../../native-free/diff/images.ts';
import { unitPayloadParts, type UnpackedPair } from '../../native-free/diff/units/unpack-pair.ts';
import { assembleDelta } from '../../native-free/diff/write/assemble.ts';
import { encodeUnitSegment, type EncodedUnitSegment } from '../../native-free/diff/write/encode-unit-segment.ts';
import { concat } from '../../native-free/format/bytes.ts';
import { coverListOf, type Cover } from '../../native-free/format/cover.ts';
import { parseHeader, type SegmentSpan } from '../../native-free/format/payload-header.ts';
import { CODEC_ID, type Unit, type UnitMap, type VirtualPiece } from '../../native-free/format/unit-map.ts';
import type { ByteSource, RandomSource } from '../../native-free/io.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { MixCoder } from '../../native-free/model/mix-coder.ts';
import { encodePlan } from '../../native-free/model/plan-coder.ts';
import { UpdateError } from '../../native-free/status.ts';
import { MapCoder, type UnitMaps } from '../../native-free/unpack/map/map-coder.ts';
import { VirtualLayout } from '../../native-free/unpack/map/virtual-layout.ts';
import { UnitCache } from '../../native-free/unpack/source/unit-cache.ts';
import { VirtualSource } from '../../native-free/unpack/source/virtual-source.ts';
import { sha256, sha256Node, TEST_SIZES } from './images.ts';
import { dice } from './unpack/tools.ts';

/** Long repeats in little text: compressors and models are done with it soon, whatever its length. */
export function records(seed: number, length: number): Buffer {
  const roll = dice(seed);
  const noise = (bytes: number, sides: number): Buffer =>
    Buffer.from(Uint8Array.from({ length: bytes }, () => roll(sides)));
  const pool = Array.from({ length: 40 }, () => noise(300 + roll(400), 64));
  const parts: Buffer[] = [];
  for (let at = 0; at < length; at += parts.at(-1)!.length)
    parts.push(Buffer.concat([pool[roll(pool.length)]!, noise(3, 256)]));
  return Buffer.concat(parts).subarray(0, length);
}

/** `content` with bytes changed at shares of its length, and some inserted behind the middle. */
export function revised(content: Uint8Array, places: readonly number[] = [0, 0.5, 1], inserted = 19): Buffer {
  const bytes = Buffer.from(content);
  for (const place of places) bytes[Math.min(bytes.length - 1, Math.floor(place * bytes.length))]! ^= 1;
  const middle = Math.floor(bytes.length * 0.6);
  return Buffer.concat([bytes.subarray(0, middle), Buffer.alloc(inserted, 'new words, '), bytes.subarray(middle)]);
}

export const unit = (fields: Partial<Unit>): Unit => ({
  ...{ parent: -1, offset: 0, packedBytes: 100, contentBytes: 400, codec: CODEC_ID.zlib, continues: false, copyOf: -1 },
  ...fields,
});
export const piece = (of: number, offset: number, length: number, joined = false, zeros = 0): VirtualPiece => ({
  ...{ unit: of, offset, length, joined, zeros },
});

/** Streams one behind the other, nothing between them, as a map has them; each is laid out whole. */
export function streamMap(streams: readonly { packed: Uint8Array; contentBytes: number; codec: number }[]): UnitMap {
  let offset = 0;
  const units = streams.map(({ packed, contentBytes, codec }) => {
    offset += packed.length;
    return unit({ offset: offset - packed.length, packedBytes: packed.length, contentBytes, codec });
  });
  return { skips: [], units, pieces: units.map(({ contentBytes }, i) => piece(i, 0, contentBytes)) };
}

export interface MappedImages extends Images {
  readonly maps: UnitMaps;
  readonly spans: readonly SegmentSpan[];
}

async function virtualBytes(map: UnitMap, image: Uint8Array): Promise<Uint8Array> {
  const source = memorySource(image);
  const layout = new VirtualLayout(map, image.length);
  return new VirtualSource(new UnitCache(layout, source), source).readAll(() => [{ offset: 0, length: layout.bytes }]);
}

/** Segments between two images with these maps, cut at these places, and all that they were encoded with. */
export async function mappedSegments({ source, target, maps, spans }: MappedImages) {
  const virtual = {
    source: await virtualBytes(maps.source, source),
    target: await virtualBytes(maps.target, target),
  };
  const pair: UnpackedPair = { maps, virtual, parts: { source: [], target: [] }, origins: [] };
  const layouts = analyse(virtual, pair.parts);
  const covers = await matchImages(virtual, inlineSteps(virtual, layouts));
  const segmentBytes = LIMITS.segment_bytes_max;
  const finished = finishPlan(virtual, { layouts, covers }, { modelSizes: TEST_SIZES, segmentBytes });
  const layoutOf = (map: UnitMap, image: Uint8Array): VirtualLayout => new VirtualLayout(map, image.length);
  const images = {
    ...{ source, target, virtual },
    layouts: { source: layoutOf(maps.source, source), target: layoutOf(maps.target, target) },
  };
  const segments: EncodedUnitSegment[] = [];
  for (const { offset, length } of spans)
    segments.push(await encodeUnitSegment(images, finished, { start: offset, end: offset + length }));
  return { pair, finished, images, segments };
}

/** Their payload. */
export async function mappedPayload(mapped: MappedImages): Promise<Uint8Array> {
  const { source, target, spans } = mapped;
  const { pair, finished, segments } = await mappedSegments(mapped);
  return assembleDelta({
    ...{
      sourceBytes: source.length,
      sourceDigest: sha256(source),
      targetBytes: target.length,
      targetDigest: sha256(target),
    },
    ...{ modelSizes: finished.modelSizes, hash: sha256Node },
    ...unitPayloadParts(pair, finished, spans, segments),
    segmentDigests: spans.map(({ offset, length }) => sha256(target.subarray(offset, offset + length))),
  });
}

export interface Hostile {
  readonly maps: UnitMaps;
  readonly sourceBytes: number;
  readonly targetBytes: number;
  /** Default: one for the target. */
  readonly spans?: readonly SegmentSpan[];
  /** What segments consist of; default: a few bytes of noise. */
  readonly segments?: readonly Uint8Array[];
  readonly covers?: readonly Cover[];
  /** Bytes that units and maps may take, and units of work. */
  readonly memoryBytes?: number;
  readonly work?: number;
}

const streamBytes = (map: UnitMap, imageBytes: number): number => {
  try {
    return new VirtualLayout(map, imageBytes).bytes;
  } catch {
    return 0;
  }
};

/** A payload that nobody would make, with digests that are right: what is asked of its decoder is to stay within bounds. */
export function hostilePayload(hostile: Hostile): Uint8Array {
  const { maps, sourceBytes, targetBytes, covers = [], memoryBytes = 2 ** 24, work = 256 } = hostile;
  const spans = hostile.spans ?? [{ offset: 0, length: targetBytes }];
  const segments = hostile.segments ?? spans.map(({ length }, i) => records(i + 1, Math.min(length - 1, 50)));
  const coder = new MixCoder(true, TEST_SIZES);
  coder.start(null);
  new MapCoder(coder).code(maps);
  const map = coder.finish();
  const sizes = {
    sourceBytes: streamBytes(maps.source, sourceBytes),
    targetBytes: streamBytes(maps.target, targetBytes),
  };
  const plan = encodePlan(coverListOf(covers), { pairs: [], highs: [] }, sizes, { covers: 0, regions: 0 }, TEST_SIZES);
  return assembleDelta({
    ...{ sourceBytes, sourceDigest: new Uint8Array(32), targetBytes, targetDigest: new Uint8Array(32) },
    ...{ modelSizes: TEST_SIZES, hash: sha256Node, segments, segmentBytes: LIMITS.segment_bytes_max },
    ...{ planNeeds: { memoryBytes, work: work * 2 ** 20 }, segmentWork: 0, plan: concat([map, plan]) },
    segmentDigests: spans.map(() => new Uint8Array(32)),
    units: { spans, mapBytes: map.length, ...sizes, memoryBytes: 0 },
  });
}

export interface Outcome {
  readonly target: Uint8Array;
  /** Target ranges that the sink got, in order. */
  readonly written: readonly SegmentSpan[];
  readonly error: UpdateError | null;
}

/** Applies and reports what reached the sink; anything thrown but an UpdateError fails the test. */
export async function outcomeOf(
  payload: Uint8Array | ByteSource,
  source: Uint8Array | RandomSource,
  targetBytes: number,
  options: Partial<ApplyOptions> = {},
): Promise<Outcome> {
  const target = new Uint8Array(targetBytes);
  const written: SegmentSpan[] = [];
  const sink = {
    write({ offset, bytes }: { offset: number; bytes: Uint8Array }) {
      target.set(bytes, offset);
      written.push({ offset, length: bytes.length });
      return Promise.resolve();
    },
  };
  const all = {
    payload: payload instanceof Uint8Array ? bytesSource(payload) : payload,
    source: source instanceof Uint8Array ? memorySource(source) : source,
  };
  try {
    for await (const event of applyPayload({ ...all, sink, hash: sha256Node, ...options })) void event;
  } catch (error) {
    if (!UpdateError.is(error)) throw error;
    return { target, written, error };
  }
  return { target, written, error: null };
}

/** The payload with digests that fit its bytes again: damage then reaches the decoder. A damaged header is left alone. */
export function resealed(payload: Uint8Array): Uint8Array {
  const sealed = payload.slice();
  const { headerBytes, chunkDigests } = parseHeader(payload);
  chunkDigests.forEach((_, i) => {
    const start = headerBytes + i * LIMITS.chunk_bytes;
    const digest = sha256(sealed.subarray(start, Math.min(sealed.length, start + LIMITS.chunk_bytes)));
    sealed.set(digest, headerBytes - 32 * (chunkDigests.length - i));
  });
  return sealed;
}

/** Where the body's bytes are, in the header or behind it. */
export function bodyStart(payload: Uint8Array): number {
  const { headerBytes, inlineBody } = parseHeader(payload);
  return headerBytes - (inlineBody?.length ?? 0);
}
