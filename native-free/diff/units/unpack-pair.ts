/**
 * Two images taken apart: what a delta between their contents is made of.
 * @module
 */
import { concat } from '../../format/bytes.ts';
import { parseHeader, type SegmentSpan } from '../../format/payload-header.ts';
import { LIMITS } from '../../limits.ts';
import type { FinishedPlan, ImageParts } from '../stages.ts';
import { MixCoder } from '../../model/mix-coder.ts';
import type { ModelSizes } from '../../format/model-sizes.ts';
import { PLAN_BYTES } from '../../format/plan.ts';
import type { PlanNeeds } from '../../model/plan-coder.ts';
import { MapCoder, type UnitMaps } from '../../unpack/map/map-coder.ts';
import { countHistories, VirtualLayout } from '../../unpack/map/virtual-layout.ts';
import type { Images } from '../images.ts';
import { UpdateError } from '../../status.ts';
import type { EncodedUnitSegment, UnitEntries, UnitImages } from '../write/encode-unit-segment.ts';
import { layOut, streamsIn, virtualImage, type LaidOut } from './lay-out.ts';
import { selectUnits, type ExploredImage } from './select.ts';

/** Both images laid out: plain data, which threads may share. */
export interface UnpackedPair {
  readonly maps: UnitMaps;
  /** The virtual streams. */
  readonly virtual: Images;
  /** Streams within them that are large enough to be an image of their own. */
  readonly parts: ImageParts;
  /** For each unit of the target's map that which was explored. */
  readonly origins: readonly number[];
  /** See UnitImages. */
  readonly entries?: UnitImages['entries'];
}

/** Null where there is nothing to unpack: the images are their own contents. */
export function unpackPair(
  source: ExploredImage,
  target: ExploredImage,
  allocate?: (bytes: number) => Uint8Array,
): UnpackedPair | null {
  const selected = selectUnits(source, target);
  if (selected.source.units.size === 0 && selected.target.units.size === 0) return null;
  const a = layOut(source, selected.source, null);
  const copies = selected.copies.map((from) => (from < 0 ? -1 : a.indexes[from]!));
  const b = layOut(target, selected.target, copies);
  const virtualA = virtualImage(source, a, allocate);
  const virtualB = virtualImage(target, b, allocate);
  return {
    maps: { source: a.map, target: b.map },
    virtual: { source: virtualA.bytes, target: virtualB.bytes },
    parts: { source: streamsIn(virtualA.layout), target: streamsIn(virtualB.layout) },
    origins: b.origins,
    entries: { source: entriesOf(source, a), target: entriesOf(target, b) },
  };
}

/**
 * What devices allow a decoder by default. Units that take more would be refused there, so they are left packed.
 */
const UNIT_PAYLOAD_MEMORY_BYTES_MAX = 64 * 2 ** 20;

/** Whether an error says that contents are beyond a bound: the images as they are may keep it. */
export function isBeyondBounds(error: unknown): error is UpdateError {
  return UpdateError.is(error) && (error.code === 'limit_exceeded' || error.code === 'memory_exceeded');
}

/** Whether a payload asks too much of devices for the sake of its units. */
export function takesTooMuch(payload: Uint8Array, memoryBytesMax = UNIT_PAYLOAD_MEMORY_BYTES_MAX): boolean {
  return parseHeader(payload).decoderMemoryBytes > memoryBytesMax;
}

function entriesOf({ explored }: ExploredImage, { origins }: LaidOut): UnitEntries {
  const units = origins.map((origin) => explored.units[origin]!);
  return { bits: Uint8Array.from(units, ({ bit }) => bit), tokens: Uint32Array.from(units, ({ tokens }) => tokens) };
}

/** Everything that segments are encoded from. */
export function unitImages(images: Images, { maps, virtual, entries }: UnpackedPair): UnitImages {
  const layouts = {
    source: new VirtualLayout(maps.source, images.source.length),
    target: new VirtualLayout(maps.target, images.target.length),
  };
  return { ...images, virtual, entries, layouts };
}

/** The maps' bytes, with which the plan section begins, and what they ask of a decoder. */
function encodeMaps(maps: UnitMaps, modelSizes: ModelSizes): { readonly bytes: Uint8Array; readonly needs: PlanNeeds } {
  const coder = new MixCoder(true, modelSizes);
  coder.start(null);
  new MapCoder(coder).code(maps);
  const units = maps.source.units.length + maps.target.units.length;
  const pieces = maps.source.pieces.length + maps.target.pieces.length;
  const skips = maps.source.skips.length + maps.target.skips.length;
  const histories = PLAN_BYTES.unitHistory * countHistories(maps.source);
  const memoryBytes = PLAN_BYTES.unit * units + PLAN_BYTES.unitPiece * pieces + PLAN_BYTES.unitSkip * skips + histories;
  return { bytes: coder.finish(), needs: { memoryBytes, work: coder.work.spent } };
}

/** What a payload has of units, and of segments that were encoded with them. */
export function unitPayloadParts(
  { maps, virtual }: UnpackedPair,
  finished: FinishedPlan,
  spans: readonly SegmentSpan[],
  segments: readonly EncodedUnitSegment[],
) {
  const map = encodeMaps(maps, finished.modelSizes);
  return {
    segments: segments.map(({ encoded }) => encoded),
    segmentBytes: LIMITS.segment_bytes_max,
    segmentWork: segments.reduce((sum, { work }) => sum + work, 0),
    plan: concat([map.bytes, finished.bytes]),
    planNeeds: {
      memoryBytes: map.needs.memoryBytes + finished.needs.memoryBytes,
      work: map.needs.work + finished.needs.work,
    },
    units: {
      ...{ spans, mapBytes: map.bytes.length },
      ...{ sourceBytes: virtual.source.length, targetBytes: virtual.target.length },
      memoryBytes: segments.reduce((most, { memoryBytes }) => Math.max(most, memoryBytes), 0),
    },
  };
}
