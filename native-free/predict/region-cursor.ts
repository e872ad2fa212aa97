/**
 * Which region an offset lies in, for walks that mostly go forward.
 * @module
 */
import { type Region, firstRegionEndingAfter } from '../format/regions.ts';

export class RegionCursor {
  /** After `at`: where the region, or the hole between regions, ends. */
  end = 0;
  /** After `at`: the region's index; the number of regions in a hole. */
  index = 0;
  readonly #regions: readonly Region[];
  /** Regions in the file; those outside come last. */
  readonly #count: number;

  constructor(regions: readonly Region[]) {
    const outside = regions.findIndex((region) => region.offset < 0);
    this.#count = outside < 0 ? regions.length : outside;
    this.#regions = regions.slice(0, this.#count);
  }

  /** The region at `offset`, or null. */
  at(offset: number): Region | null {
    const next = firstRegionEndingAfter(this.#regions, offset);
    const region = this.#regions[next];
    if (region === undefined) {
      this.end = Infinity;
      this.index = this.#count;
      return null;
    }
    if (region.offset > offset) {
      this.end = region.offset;
      this.index = this.#count;
      return null;
    }
    this.end = region.offset + region.length;
    this.index = next;
    return region;
  }
}
