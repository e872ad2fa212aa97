/**
 * Programs of an image, within which nothing is unpacked: their parts refer to each other by where they lie.
 * @module
 */
import { layoutOf } from '../layout/layout.ts';

export function programsIn(image: Uint8Array): { offset: number; length: number }[] {
  return layoutOf(image).modules.map(({ offset, length }) => ({ offset, length }));
}
