/**
 * Fills: long runs of one byte value in an image (free space of a file system, erased flash, gaps between partitions).
 *
 * A payload says where they are, and nothing else in it speaks of them: what is left of an image without its fills, the
 * *dense* image, is what covers, units and segments are of. So an image may have far more bytes than content, and what
 * a delta costs to make, to send and to decode follows from its content (decision 0147).
 * @module
 */
import { LIMITS } from '../limits.ts';
import { UpdateError } from '../status.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

/** Fills begin and end at multiples of this, so that what lies between them keeps its place within a page. */
export const FILL_ALIGNMENT = 4096;

/** Image bytes [offset, offset + length), all of them `value`. */
export interface Fill {
  readonly offset: number;
  readonly length: number;
  readonly value: number;
}

/** The fills of an image, in its order, in arrays: there may be many. All sizes and offsets are bytes. */
export interface FillMap {
  readonly imageBytes: number;
  /** What is left without fills. */
  readonly denseBytes: number;
  readonly count: number;
  readonly offset: Float64Array;
  readonly length: Float64Array;
  readonly value: Uint8Array;
  /** How many dense bytes stand before each. */
  readonly dense: Float64Array;
}

/** What a decoder holds for each fill. */
export const FILL_MEMORY_BYTES = 32;

/** One run of an image: bytes of the dense image from `dense` on, or (`dense` null) a fill. */
export interface ImageRun {
  readonly offset: number;
  readonly length: number;
  readonly dense: number | null;
  readonly value: number;
}

/** A map of fills that are in order, do not overlap, and lie in the image. */
export function fillMapOf(imageBytes: number, fills: readonly Fill[]): FillMap {
  const dense = new Float64Array(fills.length);
  let filled = 0;
  fills.forEach(({ offset, length }, i) => {
    dense[i] = offset - filled;
    filled += length;
  });
  return {
    imageBytes,
    denseBytes: imageBytes - filled,
    count: fills.length,
    offset: Float64Array.from(fills, ({ offset }) => offset),
    length: Float64Array.from(fills, ({ length }) => length),
    value: Uint8Array.from(fills, ({ value }) => value),
    dense,
  };
}

/** Of an image that is dense itself. */
export const withoutFills = (imageBytes: number): FillMap => fillMapOf(imageBytes, []);

export const fillAt = ({ offset, length, value }: FillMap, i: number): Fill => {
  return { offset: offset[i]!, length: length[i]!, value: value[i]! };
};

/** Whether two maps say the same. */
export function sameFills(a: FillMap, b: FillMap): boolean {
  if (a.imageBytes !== b.imageBytes || a.count !== b.count) return false;
  for (let i = 0; i < a.count; i++)
    if (a.offset[i] !== b.offset[i] || a.length[i] !== b.length[i] || a.value[i] !== b.value[i]) return false;
  return true;
}

/** How many fills stand before dense byte `at`. */
function fillsBefore({ dense, count }: FillMap, at: number): number {
  let low = 0;
  for (let high = count; low < high;) {
    const middle = (low + high) >>> 1;
    if (dense[middle]! <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Image bytes of the first `fills` fills. */
const filledBy = ({ offset, length, dense }: FillMap, fills: number): number =>
  fills === 0 ? 0 : offset[fills - 1]! + length[fills - 1]! - dense[fills - 1]!;

/** Where in the image the runs end that hold the first `denseEnd` dense bytes and all fills up to the next one. */
export const imageEndOf = (map: FillMap, denseEnd: number): number =>
  denseEnd + filledBy(map, fillsBefore(map, denseEnd));

/**
 * The part of an image that goes with dense bytes [from, to): those, the fills between them and behind them up to the
 * next dense byte, and, if it begins with the first, those before it. So ranges that make up the dense image make up
 * the image.
 */
export function* imageRuns(map: FillMap, from: number, to: number): Generator<ImageRun, void, void> {
  let at = from;
  for (let i = from === 0 ? 0 : fillsBefore(map, from); ; i++) {
    const next = i < map.count ? Math.min(to, map.dense[i]!) : to;
    if (next > at) yield { offset: at + filledBy(map, i), length: next - at, dense: at, value: 0 };
    at = next;
    if (i >= map.count || map.dense[i]! > to) return;
    yield { ...fillAt(map, i), dense: null };
  }
}

/** How many bytes of an image are zeros in fills. */
export function zerosIn({ count, length, value }: FillMap): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) if (value[i] === 0) bytes += length[i]!;
  return bytes;
}

/** Pieces of a fill have so many bytes at most. */
const PIECE_BYTES = 2 ** 18;

/** The bytes of a fill, in pieces that share their memory. */
export function* fillPieces({ length, value }: Pick<Fill, 'length' | 'value'>): Generator<Uint8Array, void, void> {
  const same = new Uint8Array(Math.min(length, PIECE_BYTES)).fill(value);
  for (let done = 0; done < length; done += same.length) yield same.subarray(0, Math.min(same.length, length - done));
}

/**
 * Writes a map. Where it has a fill of `known` (another image's) it says only that: of each fill in order, 0 if it is the
 * first of `known` that does not begin before the end of the one before; else 1 + its distance from there, its length,
 * and its value, the first two in blocks.
 */
export function writeFills(writer: ByteWriter, map: FillMap, known: FillMap | null): void {
  const follow = new Follower(known);
  writer.varint(map.count);
  for (let i = 0; i < map.count; i++) {
    const { offset, length, value } = fillAt(map, i);
    const same = follow.next();
    if (same !== null && same.offset === offset && same.length === length && same.value === value) {
      writer.varint(0);
    } else {
      writer.varint(1 + (offset - follow.end) / FILL_ALIGNMENT);
      writer.varint(length / FILL_ALIGNMENT);
      writer.u8(value);
    }
    follow.end = offset + length;
  }
}

/**
 * Reads the map of an image of `imageBytes` bytes.
 * @throws UpdateError as the reader, payload_malformed where fills leave the image, or none of it
 */
export function readFills(reader: ByteReader, imageBytes: number, known: FillMap | null): FillMap {
  const blocks = imageBytes / FILL_ALIGNMENT;
  const follow = new Follower(known);
  const count = reader.varint('number of fills', Math.min(LIMITS.fills_max, reader.remaining));
  const fills: Fill[] = [];
  for (let i = 0; i < count; i++) {
    const distance = reader.varint('distance of a fill', blocks + 1);
    const same = distance === 0 ? follow.next() : null;
    const fill = same ?? {
      offset: follow.end + (distance - 1) * FILL_ALIGNMENT,
      length: reader.varint('length of a fill', blocks) * FILL_ALIGNMENT,
      value: reader.u8('value of a fill'),
    };
    if ((distance === 0 && same === null) || fill.length < LIMITS.fill_bytes_min) bad(`fill ${i} has no length`);
    follow.end = fill.offset + fill.length;
    if (follow.end > imageBytes) bad(`fill ${i} ends at byte ${follow.end} of an image of ${imageBytes}`);
    fills.push(fill);
  }
  const map = fillMapOf(imageBytes, fills);
  if (count > 0 && map.denseBytes === 0) bad('fills leave nothing of an image');
  return map;
}

function bad(what: string): never {
  throw new UpdateError('payload_malformed', what);
}

/** Goes along the fills of another image. */
class Follower {
  /** End of the fill before. */
  end = 0;
  readonly #known: FillMap | null;
  #at = 0;

  constructor(known: FillMap | null) {
    this.#known = known;
  }

  /** The first fill of the other image that does not begin before `end`. */
  next(): Fill | null {
    const known = this.#known;
    if (known === null) return null;
    while (this.#at < known.count && known.offset[this.#at]! < this.end) this.#at++;
    return this.#at < known.count ? fillAt(known, this.#at) : null;
  }
}
