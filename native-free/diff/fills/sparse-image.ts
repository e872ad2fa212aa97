/**
 * An image without its fills, in memory.
 * @module
 */
import { fillPieces, imageRuns, withoutFills, type FillMap } from '../../format/fill-map.ts';
import type { HashFactory } from '../../io.ts';
import { UpdateError } from '../../status.ts';
import { bytesOf, type BytesLike } from '../../views.ts';
import { chooseFills } from './choose.ts';
import { FillScanner } from './scan.ts';

export interface SparseImage {
  readonly map: FillMap;
  /** All bytes that are in no fill, one behind the other. */
  readonly dense: Uint8Array;
}

/** What images are given as: bytes are taken as they are, with no fills. */
export type ImageLike = BytesLike | SparseImage;

const isSparse = (image: ImageLike): image is SparseImage =>
  typeof image === 'object' && image !== null && 'dense' in image && 'map' in image;

/**
 * An image as it was given.
 * @throws UpdateError usage_invalid
 */
export function sparseImage(image: ImageLike, name: string): SparseImage {
  if (!isSparse(image)) {
    const bytes = bytesOf(image, name);
    return { map: withoutFills(bytes.length), dense: bytes };
  }
  if (image.dense.length === image.map.denseBytes) return image;
  throw new UpdateError(
    'usage_invalid',
    `${name}: ${image.dense.length} bytes where fills leave ${image.map.denseBytes}`,
  );
}

/**
 * The fills of an image in memory, and what is left without them. `fillBytesMin` says what is too short to be one.
 * @throws UpdateError usage_invalid
 */
export function withFills(image: BytesLike, fillBytesMin?: number): SparseImage {
  const bytes = bytesOf(image, 'image');
  const scanner = new FillScanner();
  scanner.push(bytes);
  const map = chooseFills(scanner.finish(), fillBytesMin);
  if (map.count === 0) return { map, dense: bytes };
  const dense = new Uint8Array(map.denseBytes);
  for (const { offset, length, dense: at } of imageRuns(map, 0, map.denseBytes))
    if (at !== null) dense.set(bytes.subarray(offset, offset + length), at);
  return { map, dense };
}

/** All bytes of the image in order, in pieces that are valid until the next. */
function* imagePieces({ map, dense }: SparseImage): Generator<Uint8Array, void, void> {
  for (const run of imageRuns(map, 0, map.denseBytes)) {
    if (run.dense !== null) yield dense.subarray(run.dense, run.dense + run.length);
    else yield* fillPieces(run);
  }
}

/** Digest of the whole image, fills included. */
export function digestOfImage(newHash: HashFactory, image: SparseImage): Uint8Array {
  const hash = newHash();
  for (const piece of imagePieces(image)) hash.update(piece);
  return new Uint8Array(hash.digest());
}
