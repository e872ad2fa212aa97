/**
 * Extents of compressed files: which bytes of a file are the content of which bytes of the image.
 * @module
 */
import { CODEC_ID } from '../../../format/unit-map.ts';
import { LIMITS } from '../../../limits.ts';
import { malformed } from '../../../unpack/tokens.ts';
import type { Fields } from '../fields.ts';
import type { Range } from '../ranges.ts';
import type { Budget } from './budget.ts';
import { HEAD, readIndexMap, type Head, type IndexMap } from './indexes.ts';
import type { Inode } from './inodes.ts';
import { KIND, type Superblock } from './superblock.ts';

/** What mkfs and the kernel allow for one extent. */
const PACKED_BYTES_MAX = 2 ** 20;
const CONTENT_BYTES_MAX = 12 * 2 ** 20;
/** By the number in the header of the indexes. */
const CODECS: readonly number[] = [CODEC_ID.lz4, CODEC_ID.microLzma, CODEC_ID.deflate, CODEC_ID.zstd];

export interface StoredExtent {
  readonly from: number;
  readonly bytes: number;
  /** Where in the image its bytes are, in order. */
  readonly stored: readonly Range[];
}

export interface PackedExtent {
  readonly from: number;
  readonly bytes: number;
  readonly stored: null;
  readonly offset: number;
  /** With what stands behind the stream where nothing is told of its end. */
  readonly packedBytes: number;
  readonly codec: number;
  /** There is more content, and another file has it. */
  readonly isPartial: boolean;
}

export type Extent = StoredExtent | PackedExtent;

/** A compressed file. */
export interface FileExtents {
  readonly extents: readonly Extent[];
  /** Its end among the fragments, or null. */
  readonly fragment: { readonly at: number; readonly bytes: number } | null;
}

export class ExtentReader {
  readonly #image: Fields;
  readonly #superblock: Superblock;
  readonly #budget: Budget;
  #count = 0;

  constructor(image: Fields, superblock: Superblock, budget: Budget) {
    this.#image = image;
    this.#superblock = superblock;
    this.#budget = budget;
  }

  /** @throws UpdateError unit_malformed */
  read(inode: Inode): FileExtents {
    const map = readIndexMap(this.#image, this.#superblock, inode, this.#budget);
    const { heads, fragmentAt } = map;
    this.#count += heads.length;
    if (this.#count > LIMITS.container_units_max) malformed(KIND, `it has more than ${this.#count} extents`);
    const last = heads.at(-1)!;
    const extents: Extent[] = [];
    for (const [i, head] of heads.entries()) {
      if (head === last && fragmentAt !== null) break;
      const bytes = (heads[i + 1]?.from ?? inode.bytes) - head.from;
      const extent = this.#extent(map, head, bytes, head === last);
      if (extent !== null) extents.push(extent);
    }
    return { extents, fragment: fragmentAt === null ? null : { at: fragmentAt, bytes: inode.bytes - last.from } };
  }

  /** Null: nothing that is known. */
  #extent(map: IndexMap, head: Head, bytes: number, isLast: boolean): Extent | null {
    const { blockBytes } = this.#superblock;
    const { from, type, block, blocks, isPartial } = head;
    const isInline = isLast && map.inlineTail !== null;
    const [offset, packedBytes] = isInline
      ? [map.inlineTail!.offset, map.inlineTail!.bytes]
      : [block * blockBytes, blocks * blockBytes];
    this.#image.need(offset, packedBytes);
    if (packedBytes > PACKED_BYTES_MAX || bytes > CONTENT_BYTES_MAX || packedBytes === 0)
      this.#image.fault(`an extent of ${packedBytes} bytes for ${bytes}`);
    if (isInline && (offset % blockBytes) + packedBytes > blockBytes)
      this.#image.fault('an inline extent in two blocks');
    if (type === HEAD.plain) {
      if (bytes > packedBytes) this.#image.fault(`${bytes} bytes stored as ${packedBytes}`);
      const turned = map.isInterlaced && !isInline ? blockBytes - (from % blockBytes) : 0;
      return { from, bytes, stored: storedRanges(offset, packedBytes, bytes, turned) };
    }
    const algorithm = map.algorithms[type === HEAD.first ? 0 : 1];
    const codec = CODECS[algorithm];
    if (codec === undefined) return null;
    const zeros = codec !== CODEC_ID.lz4 || this.#superblock.hasZeroPadding ? this.#zerosAt(offset, packedBytes) : 0;
    if (zeros === packedBytes) return null;
    return { from, bytes, stored: null, offset: offset + zeros, packedBytes: packedBytes - zeros, codec, isPartial };
  }

  /** Packed bytes end where their blocks end; before them are zeros, less than a block of them. */
  #zerosAt(offset: number, packedBytes: number): number {
    const { bytes } = this.#image;
    const length = Math.min(packedBytes, this.#superblock.blockBytes);
    let zeros = 0;
    while (zeros < length && bytes[offset + zeros] === 0) zeros++;
    return zeros === length ? packedBytes : zeros;
  }
}

/** Bytes stored in whole blocks begin at their start, or (`turned`) fill the last block's end first. */
function storedRanges(offset: number, packedBytes: number, bytes: number, turned: number): Range[] {
  const first = Math.min(turned, bytes);
  const from = offset + packedBytes - turned;
  const ranges = [
    { from, to: from + first },
    { from: offset, to: offset + bytes - first },
  ];
  return ranges.filter((range) => range.to > range.from);
}
