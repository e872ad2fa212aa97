/**
 * What an image consists of once it was looked into: streams that can be taken apart, and an order to lay things out in.
 * @module
 */

/** A compressed stream that was unpacked (and, in a target, packed again to the same bytes). */
export interface ExploredUnit {
  /** Index of the unit in whose content it lies; -1: in the image. */
  readonly parent: number;
  readonly offset: number;
  readonly packedBytes: number;
  readonly codec: number;
  readonly continues: boolean;
  readonly content: Uint8Array;
  /** Where in its first byte it begins: bits of that belong to the unit before. */
  readonly bit: number;
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
  readonly units: readonly ExploredUnit[];
  readonly items: readonly LayoutItem[];
  /** Kinds of the containers that were found, with how many. */
  readonly containers: Readonly<Record<string, number>>;
  /** Streams that containers have, with those that are no units. */
  readonly streams: number;
}
