/**
 * Encoding of one segment of a delta between images with units: the mirror of apply/unit-segment-decoder.ts.
 * @module
 */
import { memorySource } from '../../apply/bytes-source.ts';
import { SegmentCoder } from '../../model/segment-coder.ts';
import type { VirtualLayout } from '../../unpack/map/virtual-layout.ts';
import { historyFrom, historyIn, partsOf } from '../../unpack/segment/parts.ts';
import { sourceWindows } from '../../unpack/segment/source-windows.ts';
import { UnitRoom } from '../../unpack/segment/unit-room.ts';
import { UnitReplay } from '../../unpack/segment/unit-replay.ts';
import { UnitCache, type StreamEntry } from '../../unpack/source/unit-cache.ts';
import { UnitMemory } from '../../unpack/source/unit-memory.ts';
import { VirtualSource } from '../../unpack/source/virtual-source.ts';
import type { Images, TargetRange } from '../images.ts';
import { UnitMeter, type UnitCosts } from './unit-meter.ts';
import {
  costsIn,
  encodingCoder,
  type CodedPlan,
  type SegmentCosts,
  type SegmentEncoderOptions,
} from './encode-segment.ts';

/** Both images as they are, their virtual streams, and where everything lies. */
export interface UnitImages extends Images {
  readonly virtual: Images;
  /** Default: streams are unpacked from their beginning on. */
  readonly entries?: { readonly source: UnitEntries; readonly target: UnitEntries } | undefined;
  readonly layouts: { readonly source: VirtualLayout; readonly target: VirtualLayout };
}

/** Of each unit the bit of its first byte at which it begins, and how many tokens it has. */
export interface UnitEntries {
  readonly bits: Uint8Array;
  readonly tokens: Uint32Array;
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
  /** Its length before it was found to be no gain. */
  readonly codedBytes: number;
  /** About what each unit costs in it: content, tokens and params. */
  readonly unitCosts: UnitCosts;
}

/**
 * Where streams of one image may be entered: the virtual stream has what stands before. Units are independent of each
 * other for who has it, where a decoder has to begin with the stream.
 */
function entryOf({ virtual, layouts, entries }: UnitImages, side: 'source' | 'target') {
  if (entries === undefined) return undefined;
  const { bits, tokens } = entries[side];
  return (unit: number): StreamEntry | null => {
    const history = historyFrom(layouts[side], virtual[side], unit);
    return history && { state: { bit: bits[unit]!, history }, tokensBefore: tokens[unit - 1]! };
  };
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
  const source = new UnitCache(sourceLayout, image, { work: coder.work, memory, entry: entryOf(images, 'source') });
  const virtual = new VirtualSource(source, image);
  const room = new UnitRoom(memory, layout, parts);
  segment.begin(null);
  const content = new Uint8Array(parts.contentBytes);
  for (const range of parts.ranges) content.set(images.virtual.target.subarray(range.start, range.end), range.at);
  // The source is read as a device reads it, so that what that takes is known.
  const { windows, heldBytes } = await sourceWindows(plan.covers, parts, virtual);
  const unitMeter = new UnitMeter(coder, layout);
  for (const { piece, at, source: bytes } of windows) {
    segment.piece(piece, bytes, content, at);
    unitMeter.content(piece.targetOffset, piece.length);
  }
  memory.take(-heldBytes);
  const target = new UnitCache(layout, memorySource(images.target), {
    ...{ exact: true, entry: entryOf(images, 'target') },
  });
  const replay = new UnitReplay(coder, plan.covers, source, layout, meter ?? undefined);
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
    unitMeter.unit(index);
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
    codedBytes: encoded.length,
    unitCosts: unitMeter.costs,
  };
}
