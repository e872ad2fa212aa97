/**
 * What the encoder knows of an image's structure: regions with the names of their sections, and where each module is.
 * @module
 */
import type { Layout, Region } from '../../format/regions.ts';

/** A region with the name of its section: for pairing, and for reports. */
export interface NamedRegion extends Region {
  readonly name: string;
}

/** A program or library in the image: an address space of its own. */
export interface Module {
  readonly offset: number;
  /** Bytes up to the end of all that its headers tell of. */
  readonly length: number;
  /** What it calls itself (soname, module name), or ''. */
  readonly name: string;
  /** Its build id as text, or ''. */
  readonly build: string;
  /** Hashes that two modules share as far as their strings are the same: see elf-identity.ts. */
  readonly sketch: Uint32Array;
}

/** Module i of the regions is `modules[i]`. */
export interface NamedLayout extends Layout {
  readonly regions: readonly NamedRegion[];
  readonly modules: readonly Module[];
}

/** An image of no known structure. */
export const NO_LAYOUT: NamedLayout = { regions: [], vaHigh: [], modules: [] };
