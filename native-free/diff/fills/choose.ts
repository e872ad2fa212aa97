/**
 * Which runs of one value become fills. It follows from the image alone: a full payload and all deltas to the same
 * target have the same fills, so that a device may go on from the one with the other.
 * @module
 */
import { FILL_ALIGNMENT, fillMapOf, withoutFills, type Fill, type FillMap } from '../../format/fill-map.ts';
import { LIMITS } from '../../limits.ts';
import type { Extent } from './containers.ts';
import type { ScannedImage } from './scan.ts';

/** What is shorter costs next to nothing where it is, and may be part of a file. */
const FILL_BYTES_MIN = 2 ** 20;
/** Fills that make up less of an image than this are left in it. */
const SHARE_MIN = 1 / 4;
/** A header says a fill in some six bytes. */
const WANTED_MAX = 2 ** 12;

/** The fills of an image that was looked through, of `fillBytesMin` bytes at least; shorter ones where there is no other way. */
export function chooseFills(scanned: ScannedImage, fillBytesMin: number = FILL_BYTES_MIN): FillMap {
  const { imageBytes } = scanned;
  const found = leavingOne(scanned);
  let fills = outside(longest(found, fillBytesMin, WANTED_MAX), scanned.containers);
  if (imageBytes - bytesOf(fills) > LIMITS.dense_bytes_max)
    fills = longest(found, LIMITS.fill_bytes_min, LIMITS.fills_max);
  else if (bytesOf(fills) < SHARE_MIN * imageBytes) return withoutFills(imageBytes);
  return fillMapOf(imageBytes, fills);
}

const bytesOf = (fills: readonly Fill[]): number => fills.reduce((sum, { length }) => sum + length, 0);

/** A payload has a segment at least, and a segment a byte: a block of an image of fills alone is none. */
function leavingOne({ imageBytes, fills }: ScannedImage): readonly Fill[] {
  const first = fills[0];
  if (first === undefined || bytesOf(fills) < imageBytes) return fills;
  return [{ ...first, offset: FILL_ALIGNMENT, length: first.length - FILL_ALIGNMENT }, ...fills.slice(1)];
}

/** Those of `bytesMin` bytes and more; of more than `countMax` the longer ones. */
function longest(fills: readonly Fill[], bytesMin: number, countMax: number): readonly Fill[] {
  for (let least = bytesMin; ; least *= 2) {
    const left = fills.filter(({ length }) => length >= least);
    if (left.length <= countMax) return left;
  }
}

/** Those that no container has a byte of. Both are in the order of the image. */
function outside(fills: readonly Fill[], containers: readonly Extent[]): readonly Fill[] {
  const taken = [...containers].sort((a, b) => a.offset - b.offset);
  let next = 0;
  let end = 0;
  return fills.filter(({ offset, length }) => {
    for (; next < taken.length && taken[next]!.offset < offset + length; next++) end = Math.max(end, taken[next]!.end);
    return offset >= end;
  });
}
