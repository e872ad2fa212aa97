/**
 * Regions: which part of an image is code of which machine, or tables of which width, and at which address it is
 * loaded.
 * @module
 */

/** What a region's bytes are. Numbers are part of the format: append only. */
export const REGION_KIND = {
  /** Bytes of no known structure. */
  raw: 0,
  a64: 1,
  a32: 2,
  t32: 3,
  x64: 4,
  riscv: 5,
  mips: 6,
  /** MIPS, most significant byte first. */
  mipsBig: 7,
  /** Aligned words of 64 bits, some of them addresses; and of 32 bits, some relative to a base or to their place. */
  data64: 8,
  data32: 9,
  /** Not in the file: memory that is zero at start. Has an address and a length only. */
  bss: 10,
} as const;

/** A decoder refuses numbers over it. */
export const REGION_KIND_MAX: number = Math.max(...Object.values(REGION_KIND));

export type RegionKind = (typeof REGION_KIND)[keyof typeof REGION_KIND];

/** A stretch of one image. */
export interface Region {
  /** Number of the address space it belongs to: 0, 1, …. Addresses mean nothing across modules. */
  readonly module: number;
  readonly kind: RegionKind;
  /** First byte in the image; for bss the offset of nothing: -1. */
  readonly offset: number;
  readonly length: number;
  /** Low 32 bits of the virtual address of the first byte, unsigned. */
  readonly va: number;
}

/** What is known of an image's structure: regions in the order of their offsets, never overlapping (bss last). */
export interface Layout {
  readonly regions: readonly Region[];
  /** For each module the high 32 bits of its addresses, unsigned. */
  readonly vaHigh: readonly number[];
}

/** Index of the first region that ends after `offset`. */
export function firstRegionEndingAfter(regions: readonly Region[], offset: number): number {
  let low = 0;
  let high = regions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (regions[middle]!.offset + regions[middle]!.length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
