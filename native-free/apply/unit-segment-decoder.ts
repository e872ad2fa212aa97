/**
 * Segments of an image with compressed units: first their contents, as a delta of the virtual streams, then what their
 * compressors chose, and from both the very bytes that the slot gets.
 * @module
 */
import type { CoverList } from '../format/cover.ts';
import type { PayloadHeaderFields } from '../format/payload-header.ts';
import type { Plan, PlanRoom } from '../format/plan.ts';
import type { RandomSource } from '../io.ts';
import type { ModelCoder } from '../model/model-coder.ts';
import { SegmentCoder } from '../model/segment-coder.ts';
import { UpdateError } from '../status.ts';
import { codecOf } from '../unpack/codecs/list.ts';
import { MapCoder } from '../unpack/map/map-coder.ts';
import { checkComplete, countHistories, VirtualLayout } from '../unpack/map/virtual-layout.ts';
import { historyIn, partsOf, rawPartsOf, readContent, type SegmentParts } from '../unpack/segment/parts.ts';
import { sourceWindows } from '../unpack/segment/source-windows.ts';
import { UnitRoom } from '../unpack/segment/unit-room.ts';
import { UnitReplay } from '../unpack/segment/unit-replay.ts';
import { UnitCache } from '../unpack/source/unit-cache.ts';
import type { UnitMemory } from '../unpack/source/unit-memory.ts';
import { VirtualSource } from '../unpack/source/virtual-source.ts';
import { Pauses } from './pauses.ts';
import type { SegmentDecoder } from './segment-decoders.ts';

const OF_ANOTHER_SOURCE: ReadonlySet<string> = new Set(['unit_malformed', 'plan_malformed', 'payload_malformed']);

/** Where everything of both images lies. */
export interface UnitLayouts {
  readonly source: VirtualLayout;
  readonly target: VirtualLayout;
}

/** What is made of a segment before its units. */
interface SegmentContent {
  readonly parts: SegmentParts;
  /** Given up when the last unit has its own copy. */
  content: Uint8Array;
}

const NO_CONTENT = new Uint8Array(0);

export class UnitSegmentDecoder implements SegmentDecoder {
  readonly #layout: VirtualLayout;
  readonly #source: UnitCache;
  readonly #virtual: VirtualSource;
  readonly #covers: CoverList;
  readonly #coder: ModelCoder;
  readonly #segment: SegmentCoder;
  readonly #replay: UnitReplay;
  readonly #pauses: Pauses;

  /** `memory` is what the header declares for units. */
  constructor(
    plan: Plan,
    layouts: UnitLayouts,
    coder: ModelCoder,
    source: RandomSource,
    memory: UnitMemory,
    pauses = new Pauses(),
  ) {
    this.#layout = layouts.target;
    this.#source = new UnitCache(layouts.source, source, { work: coder.work, memory });
    this.#virtual = new VirtualSource(this.#source, source);
    this.#covers = plan.covers;
    this.#coder = coder;
    this.#segment = new SegmentCoder(plan, coder);
    this.#replay = new UnitReplay(coder, plan.covers, this.#source, layouts.target);
    this.#pauses = pauses;
  }

  async decode(encoded: Uint8Array, target: Uint8Array, targetOffset: number): Promise<void> {
    const parts = partsOf(this.#layout, targetOffset, targetOffset + target.length);
    const { memory } = this.#source;
    this.#source.clear();
    this.#replay.reset();
    const room = new UnitRoom(memory, this.#layout, parts);
    this.#segment.begin(encoded);
    try {
      await this.#placeUnits(await this.#content(parts, target), target, room);
      room.end();
    } catch (error) {
      // What was signed says what it takes: whatever cannot be unpacked or packed comes of a source that is another one.
      // Its units may as well say numbers that none can be, or more tokens than there is memory for.
      if (!UpdateError.is(error) || !OF_ANOTHER_SOURCE.has(error.code)) throw error;
      throw new UpdateError('segment_digest', `the segment at target byte ${targetOffset}: ${error.message}`, {
        cause: error,
      });
    }
  }

  /** The segment's content; what of it is raw is put into the target. */
  async #content(parts: SegmentParts, target: Uint8Array): Promise<SegmentContent> {
    const { memory } = this.#source;
    const content = new Uint8Array(parts.contentBytes);
    const pause = (): Promise<void> => this.#pauses.work();
    const { windows, heldBytes } = await sourceWindows(this.#covers, parts, this.#virtual, pause);
    for (const { piece, at, source } of windows) {
      await this.#pauses.work();
      this.#segment.piece(piece, source, content, at);
      this.#coder.work.check();
    }
    memory.take(-heldBytes);
    this.#placeRaw(parts, content, target);
    return { parts, content };
  }

  #placeRaw(parts: SegmentParts, content: Uint8Array, target: Uint8Array): void {
    for (const { piece, from, to } of rawPartsOf(this.#layout, parts.start, parts.end)) {
      const into = target.subarray(from - parts.start, to - parts.start);
      readContent(parts, content, this.#layout.placeOf(piece, from), into);
    }
  }

  async #placeUnits(segment: SegmentContent, target: Uint8Array, room: UnitRoom): Promise<void> {
    const { parts } = segment;
    const inner = new Map<number, Uint8Array>();
    for (const index of parts.units) {
      await this.#pauses.work();
      const { copyOf, parent, packedBytes } = this.#layout.units[index]!;
      const packed = copyOf >= 0 ? await this.#copy(index, room) : await this.#pack(index, segment, inner, room);
      if (packed.length !== packedBytes)
        throw new UpdateError('unit_malformed', `unit ${index} packs to ${packed.length} bytes, not ${packedBytes}`);
      if (parent >= 0) inner.set(index, packed);
      else
        for (const { from, to, at } of this.#layout.partsOf(index))
          target.set(packed.subarray(at, at + to - from), from - parts.start);
    }
  }

  async #copy(index: number, room: UnitRoom): Promise<Uint8Array> {
    const { copyOf, parent } = this.#layout.units[index]!;
    room.copy(index);
    const packed = await this.#source.packed(copyOf);
    return parent < 0 ? packed : packed.slice(); // it must not keep what it lies in
  }

  async #pack(
    index: number,
    segment: SegmentContent,
    inner: Map<number, Uint8Array>,
    room: UnitRoom,
  ): Promise<Uint8Array> {
    const layout = this.#layout;
    const { parts } = segment;
    const { codec, contentBytes } = layout.units[index]!;
    room.begin(index);
    const own = new Uint8Array(contentBytes);
    for (const piece of layout.piecesOf(index)) {
      const { offset, length } = layout.pieces[piece]!;
      readContent(parts, segment.content, layout.starts[piece]!, own.subarray(offset, offset + length));
    }
    const { first, end } = layout.unitsIn(index);
    for (let child = first; child < end; child++) {
      own.set(inner.get(child)!, layout.units[child]!.offset);
      inner.delete(child);
    }
    const history = historyIn(layout, parts, segment.content, index);
    room.gathered(index);
    if (room.isLast(index)) segment.content = NO_CONTENT;
    const choices = await this.#replay.code(index, own, history, null);
    room.packs(index, choices);
    return codecOf(codec).pack(own, choices.tokens, choices.params);
  }
}

/**
 * The maps with which a plan section begins; `coder` decodes.
 * @throws UpdateError plan_malformed where they contradict themselves or the header; payload_work
 */
export function readLayouts(
  bytes: Uint8Array,
  header: PayloadHeaderFields,
  coder: ModelCoder,
  room: PlanRoom,
): UnitLayouts {
  coder.start(bytes);
  const maps = new MapCoder(coder, room).code(null);
  // One that this build does not know is no fault of the source, which is what segments would make of it.
  for (const { units } of [maps.source, maps.target]) for (const { codec } of units) codecOf(codec);
  const source = new VirtualLayout(maps.source, header.fills.source.denseBytes);
  const target = new VirtualLayout(maps.target, header.fills.target.denseBytes);
  if (source.bytes !== header.units?.sourceBytes || target.bytes !== header.units.targetBytes)
    throw new UpdateError('plan_malformed', 'the unit maps are not of the lengths that the header says');
  room.take('unitHistory', countHistories(maps.source));
  checkComplete(target);
  checkSegments(target, header.segments);
  return { source, target };
}

/** No segment ends within a unit. */
function checkSegments(layout: VirtualLayout, segments: PayloadHeaderFields['segments']): void {
  const { first, end } = layout.unitsIn(-1);
  let unit = first;
  for (const { offset, length } of segments) {
    const border = offset + length;
    while (unit < end && layout.extentOf(unit).end <= border) unit++;
    if (unit === end || layout.extentOf(unit).start >= border) continue;
    throw new UpdateError('plan_malformed', `a segment ends at byte ${border}, in unit ${unit}`);
  }
}
