/**
 * A sink for the dense image: what comes is written where it lies in the target, and fills with it.
 * @module
 */
import { imageRuns, type FillMap, type ImageRun } from '../format/fill-map.ts';
import type { AcceptedSegment, SegmentSink } from '../io.ts';
import { LIMITS } from '../limits.ts';
import type { Pauses } from './pauses.ts';

/**
 * `sink` is given each segment in parts, those of one value through `fill` if it has one. What goes with a segment is
 * said by imageRuns, so that a segment that was accepted has all of its part of the image.
 */
export function sparseSink(sink: SegmentSink, map: FillMap, pauses: Pauses): SegmentSink {
  if (map.count === 0) return sink;
  const parts = new SparseSink(sink, pauses);
  return {
    async write({ index, offset, bytes }) {
      let held: ImageRun | null = null;
      for (const run of imageRuns(map, offset, offset + bytes.length)) {
        if (held !== null) await parts.write(held, { index, offset, bytes, isLast: false });
        held = run;
      }
      if (held !== null) await parts.write(held, { index, offset, bytes, isLast: true });
    },
  };
}

/** Fills are written in pieces of this: more would be seconds in which nobody can cancel. */
const FILL_STEP_BYTES = 64 * 2 ** 20;

class SparseSink {
  readonly #sink: SegmentSink;
  readonly #pauses: Pauses;
  #same: Uint8Array | null = null;

  constructor(sink: SegmentSink, pauses: Pauses) {
    this.#sink = sink;
    this.#pauses = pauses;
  }

  /** One run of the image, of the dense `segment`. */
  async write(run: ImageRun, segment: AcceptedSegment): Promise<void> {
    if (run.dense === null) return this.#fill(run, segment);
    const at = run.dense - segment.offset;
    await this.#sink.write({ ...segment, offset: run.offset, bytes: segment.bytes.subarray(at, at + run.length) });
  }

  async #fill({ offset, length, value }: ImageRun, { index, isLast }: AcceptedSegment): Promise<void> {
    const step = this.#sink.fill === undefined ? LIMITS.source_window_bytes : FILL_STEP_BYTES;
    for (let done = 0; done < length; done += step) {
      await this.#pauses.pause();
      const part = { index, offset: offset + done, isLast: isLast && done + step >= length };
      const count = Math.min(step, length - done);
      if (this.#sink.fill !== undefined) await this.#sink.fill({ ...part, length: count, value });
      else await this.#sink.write({ ...part, bytes: this.#filled(value).subarray(0, count) });
    }
  }

  #filled(value: number): Uint8Array {
    this.#same ??= new Uint8Array(LIMITS.source_window_bytes);
    return this.#same.fill(value);
  }
}
