/**
 * Encoding of one segment of a delta between images with units: the mirror of apply/unit-segment-decoder.ts.
 * @module
 */
import { memorySource } from '../../apply/bytes-source.ts';
import { STREAM } from '../../model/costs.ts';
import { SegmentCoder } from '../../model/segment-coder.ts';
import type { VirtualLayout } from '../../unpack/map/virtual-layout.ts';
import { historyIn, partsOf } from '../../unpack/segment/parts.ts';
import { sourceWindows } from '../../unpack/segment/source-windows.ts';
import { UnitRoom } from '../../unpack/segment/unit-room.ts';
import { UnitReplay } from '../../unpack/segment/unit-replay.ts';
import { UnitCache } from '../../unpack/source/unit-cache.ts';
import { UnitMemory } from '../../unpack/source/unit-memory.ts';
import { VirtualSource } from '../../unpack/source/virtual-source.ts';
import type { Images, TargetRange } from '../images.ts';
import {
  costsIn,
  encodingCoder,
  type CodedPlan,
  type SegmentCosts,
  type SegmentEncoderOptions,
} from './encode-segment.ts';

/** Both images as they are, the virtual stream of the target, and where everything lies. */
export interface UnitImages extends Images {
  readonly virtualTarget: Uint8Array;
  readonly layouts: { readonly source: VirtualLayout; readonly target: VirtualLayout };
}

export interface EncodedUnitSegment {
  readonly encoded: Uint8Array;
  /** Look-ups that decoding takes. */
  readonly work: number;
  /** The most that its units take of a decoder's memory. */
  readonly memoryBytes: number;
  /** Units of the source that a decoder unpacks, by their index; and how often it unpacks one. */
  readonly unitsNeeded: Uint32Array;
  readonly unitsUnpacked: number;
  readonly costs: SegmentCosts | null;
}

/** Encodes target range [start, end), which begins and ends with units; the target's own bytes where that is no gain. */
export async function encodeUnitSegment(
  images: UnitImages,
  { plan, modelSizes }: CodedPlan,
  { start, end }: TargetRange,
  options: SegmentEncoderOptions = {},
): Promise<EncodedUnitSegment> {
  const { coder, meter } = encodingCoder(modelSizes, options);
  const segment = new SegmentCoder(plan, coder, meter ?? undefined);
  const { source: sourceLayout, target: layout } = images.layouts;
  const parts = partsOf(layout, start, end);
  const memory = new UnitMemory();
  const image = memorySource(images.source);
  const source = new UnitCache(sourceLayout, image, { work: coder.work, memory });
  const virtual = new VirtualSource(source, image);
  const room = new UnitRoom(memory, layout, parts);
  segment.begin(null);
  const content = new Uint8Array(parts.contentBytes);
  for (const range of parts.ranges) content.set(images.virtualTarget.subarray(range.start, range.end), range.at);
  // The source is read as a device reads it, so that what that takes is known.
  const { windows, heldBytes } = await sourceWindows(plan.covers, parts, virtual, memory);
  for (const { piece, at, source: bytes } of windows) segment.piece(piece, bytes, content, at);
  memory.take(-heldBytes);
  meter?.stream(STREAM.units);
  const target = new UnitCache(layout, memorySource(images.target), { exact: true });
  const replay = new UnitReplay(coder, plan.covers, source, layout);
  replay.reset();
  for (const index of parts.units) {
    const { copyOf } = layout.units[index]!;
    if (copyOf >= 0) {
      room.copy(index);
      await source.packed(copyOf);
      continue;
    }
    const unit = await target.unit(index);
    room.begin(index);
    room.gathered(index);
    room.packs(index, await replay.code(index, unit.content, historyIn(layout, parts, content, index), unit));
  }
  const encoded = coder.finish();
  const isStored = encoded.length >= end - start;
  return {
    encoded: isStored ? images.target.slice(start, end) : encoded,
    work: isStored ? 0 : coder.work.spent,
    memoryBytes: isStored ? 0 : memory.peak,
    unitsNeeded: isStored ? new Uint32Array(0) : Uint32Array.from(source.seen),
    unitsUnpacked: isStored ? 0 : source.unpacked,
    costs: meter && costsIn(meter),
  };
}
