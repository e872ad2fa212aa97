/**
 * What was found in an image: compressed streams, and the files that their contents belong to.
 *
 * Only encoders know containers. A parser believes nothing that it did not check: whatever is damaged, lies or is
 * unknown is no container, or ends it, and its bytes stay raw.
 * @module
 */
import type { Skip } from '../../format/unit-map.ts';

/** A compressed stream as its container describes it. */
export interface FoundUnit {
  /** In the bytes that were searched. */
  readonly offset: number;
  readonly packedBytes: number;
  readonly contentBytes: number;
  /** One of CODEC_ID. */
  readonly codec: number;
  /** See Unit.continues. */
  readonly continues?: boolean;
}

/** Part of a file: bytes of a unit's content, or (-1) of the bytes that were searched. */
export interface FoundPart {
  /** Index into `units`, or -1. */
  readonly unit: number;
  readonly offset: number;
  readonly length: number;
  /**
   * In the file so many zeros stand before it, which lie nowhere: a file system left a hole. A program's parts are where its
   * headers say only with them. Never more than the file has bytes before. Default: none.
   */
  readonly zerosBefore?: number;
}

/** Bytes that belong together, in their order. */
export interface FoundFile {
  readonly parts: readonly FoundPart[];
  /**
   * It may follow the file before without a gap, since both are small and go on in the same bytes: no code that begins at a
   * multiple of four is in them, and many small files are then one piece of the map. Default: false.
   */
  readonly joins?: boolean;
}

export interface Container {
  /** 'squashfs', 'zip', …: for people. */
  readonly kind: string;
  /** The range of the searched bytes that it takes: nothing else is looked for in it. */
  readonly offset: number;
  readonly bytes: number;
  /** In order of offset, within the range, never overlapping. */
  readonly units: readonly FoundUnit[];
  /**
   * In the order in which contents are to be laid out. No byte occurs twice. What no file names of the units' contents and of
   * the range is laid out behind the files, in order of offset.
   */
  readonly files: readonly FoundFile[];
  /**
   * Ranges between two parts of a file over which streams go on as if they were not there, in order and at least
   * SKIPS_APART_BYTES apart; nothing else is in them. Default: none.
   */
  readonly skips?: readonly Skip[];
  /** Where in the contents of files to look for containers again: no compressed file system has another one's blocks in it. */
  readonly nests: boolean;
}

/** Looks for one kind of container at one place. `unpackedSize` and the like are its own business. */
export interface ContainerFinder {
  readonly kind: string;
  /** Bytes that every container of the kind has, and where: a scanner may look at those before it asks. */
  readonly signature?: { readonly at: number; readonly bytes: readonly number[] };
  /** A signature is too little to ask everywhere: only where the searched bytes begin. Default: false. */
  readonly onlyFirst?: boolean;
  /** The container that begins at `offset`, or null. Never throws. */
  at(bytes: Uint8Array, offset: number): Container | null;
  /** `at` for many places of the same bytes: where a finder has this, a scanner must take it, lest it takes too long. */
  within?(bytes: Uint8Array): (offset: number) => Container | null;
}
