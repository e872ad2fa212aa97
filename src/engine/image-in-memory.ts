/**
 * An image with fills as a device has it: read and compared by offsets in the whole of it.
 *
 * @module
 */
import type { SparseImage } from '../../native-free/diff/fills/sparse-image.ts';
import { fillAt, type FillMap } from '../../native-free/format/fill-map.ts';
import type { RandomSource } from '../../native-free/io.ts';
import { UpdateError } from '../../native-free/status.ts';

/** How many fills begin at or before image byte `at`. */
function fillsUpTo({ offset, count }: FillMap, at: number): number {
  let low = 0;
  for (let high = count; low < high;) {
    const middle = (low + high) >>> 1;
    if (offset[middle]! <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where image byte `at` is in what is left without fills, and how far the run goes on; null: it is in a fill. */
function placeOf(map: FillMap, at: number): { readonly dense: number; readonly end: number } | null {
  const next = fillsUpTo(map, at);
  const end = next < map.count ? map.offset[next]! : map.imageBytes;
  if (next === 0) return { dense: at, end };
  const before = fillAt(map, next - 1);
  const start = before.offset + before.length;
  return at < start ? null : { dense: map.dense[next - 1]! + at - start, end };
}

/** As a source. A payload that reads fills is wrong: nothing there is worth reading. */
export function imageSource({ map, dense }: SparseImage): RandomSource {
  return {
    size: map.imageBytes,
    async read(offset, into) {
      const place = placeOf(map, offset);
      if (place === null || offset + into.length > place.end)
        throw new UpdateError('slot_unreadable', `read of ${into.length} bytes at ${offset}, into a fill`);
      into.set(dense.subarray(place.dense, place.dense + into.length));
    },
  };
}

/** A target that is written from some place on without a hole. */
export class ComparedImage {
  readonly #image: SparseImage;
  #end: number | null;

  /** `start`: where the first write has to be; null: anywhere. */
  constructor(image: SparseImage, start: number | null) {
    this.#image = image;
    this.#end = start;
  }

  /** Where the next write has to be. */
  get end(): number | null {
    return this.#end;
  }

  /** Whether these bytes are the target's. */
  bytes(offset: number, bytes: Uint8Array): boolean {
    const { map, dense } = this.#image;
    const place = placeOf(map, offset);
    if (place === null || offset + bytes.length > place.end || !this.#goesOn(offset, bytes.length)) return false;
    return Buffer.compare(bytes, dense.subarray(place.dense, place.dense + bytes.length)) === 0;
  }

  /** Whether the target has `length` times this value there. */
  fill(offset: number, length: number, value: number): boolean {
    const { map } = this.#image;
    const fills = fillsUpTo(map, offset);
    if (fills === 0 || !this.#goesOn(offset, length)) return false;
    const of = fillAt(map, fills - 1);
    return of.value === value && offset + length <= of.offset + of.length;
  }

  #goesOn(offset: number, length: number): boolean {
    if (this.#end !== null && this.#end !== offset) return false;
    this.#end = offset + length;
    return true;
  }
}
