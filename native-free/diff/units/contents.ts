/**
 * All that lies in an image, unpacked: for measurements, and for whoever wants to look.
 * @module
 */
import { explore } from './explore.ts';
import { layOut, virtualImage } from './lay-out.ts';

/**
 * The contents of all streams of an image and its other bytes, files put together, in the order of the files. Streams
 * that could not be made again are unpacked too.
 */
export function contentsOf(image: Uint8Array): Uint8Array {
  const explored = explore(image, { exact: false });
  const files = explored.items.flatMap(({ isFile }, i) => (isFile ? [i] : []));
  const everything = { units: new Set(explored.units.keys()), items: new Set(files) };
  return virtualImage({ image, explored }, layOut({ image, explored }, everything, null)).bytes;
}
