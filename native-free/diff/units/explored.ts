/**
 * What an image consists of once it was looked into: streams that can be taken apart, and an order to lay things out in.
 * @module
 */

import { concat } from '../../format/bytes.ts';
import type { Skip } from '../../format/unit-map.ts';
import { Skips } from '../../unpack/map/skips.ts';

/** A compressed stream that was unpacked (and, in a target, packed again to the same bytes). */
export interface ExploredUnit {
  /** Index of the unit in whose content it lies; -1: in the image. */
  readonly parent: number;
  /** Of the image, what it skips does not count. */
  readonly offset: number;
  readonly packedBytes: number;
  readonly codec: number;
  readonly continues: boolean;
  readonly content: Uint8Array;
  /** Where in its first byte it begins: bits of that belong to the unit before. */
  readonly bit: number;
  readonly tokens: number;
}

/** Bytes of a unit's content, or (-1) of the image. */
export interface Span {
  readonly unit: number;
  readonly offset: number;
  readonly length: number;
  /** Zeros before it in its file, which lie nowhere. */
  readonly zeros?: number;
}

/** A file, whole; or whatever no file before it has of some bytes. */
export interface LayoutItem {
  readonly isFile: boolean;
  /** It may follow what is before without a gap. */
  readonly joins?: boolean;
  readonly spans: readonly Span[];
}

export interface Explored {
  readonly skips: readonly Skip[];
  readonly units: readonly ExploredUnit[];
  readonly items: readonly LayoutItem[];
  /** Kinds of the containers that were found, with how many. */
  readonly containers: Readonly<Record<string, number>>;
  /** Streams that containers have, with those that are no units. */
  readonly streams: number;
}

/** The packed bytes of each unit of an image. */
export function packedUnits(image: Uint8Array, { skips, units }: Explored): Uint8Array[] {
  const places = new Skips(skips);
  return units.map(({ parent, offset, packedBytes }) => {
    if (parent >= 0) return units[parent]!.content.subarray(offset, offset + packedBytes);
    const parts = Array.from(places.parts(offset, packedBytes), ({ from, to }) => image.subarray(from, to));
    return parts.length === 1 ? parts[0]! : concat(parts);
  });
}
