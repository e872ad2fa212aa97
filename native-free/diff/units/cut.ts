/**
 * Where segments of a target with units end: between units, so that each is a restart point.
 * @module
 */
import type { SegmentSpan } from '../../format/payload-header.ts';
import type { VirtualLayout } from '../../unpack/map/virtual-layout.ts';

/** Content that is made in one segment, and image bytes of one. Part of what decides a patch's bytes. */
export const UNIT_SEGMENT_CONTENT_BYTES = 4 * 2 ** 20;
const IMAGE_BYTES = 2 * 2 ** 20;
/** Raw bytes are cut at multiples of this. */
const STEP = 4096;

export function cutSegments(layout: VirtualLayout): SegmentSpan[] {
  const cutter = new Cutter();
  const units = layout.unitsIn(-1);
  let at = 0;
  for (let unit = units.first; unit < units.end; unit++) {
    const { packedBytes, contentBytes, copyOf } = layout.units[unit]!;
    const { start, end } = layout.extentOf(unit);
    cutter.raw(at, start);
    // What it skips is content of the segment, too.
    cutter.whole(start, end - start, (copyOf < 0 ? contentBytes : 0) + end - start - packedBytes);
    at = end;
  }
  cutter.raw(at, layout.imageBytes);
  cutter.end(layout.imageBytes);
  return cutter.spans;
}

class Cutter {
  readonly spans: SegmentSpan[] = [];
  #start = 0;
  #content = 0;

  /** A unit, which lies in one segment. */
  whole(offset: number, length: number, contentBytes: number): void {
    const isFull =
      this.#content + contentBytes > UNIT_SEGMENT_CONTENT_BYTES || offset + length - this.#start > IMAGE_BYTES;
    if (isFull) this.end(offset);
    this.#content += contentBytes;
  }

  raw(from: number, to: number): void {
    for (let at = from; at < to;) {
      const room = Math.min(UNIT_SEGMENT_CONTENT_BYTES - this.#content, this.#start + IMAGE_BYTES - at);
      if (room < STEP) {
        this.end(at);
        continue;
      }
      const next = Math.min(to, Math.floor((at + room) / STEP) * STEP);
      this.#content += next - at;
      at = next;
    }
  }

  end(at: number): void {
    if (at > this.#start) this.spans.push({ offset: this.#start, length: at - this.#start });
    this.#start = at;
    this.#content = 0;
  }
}
