/**
 * Blocks of data, and those that have the tails of many files.
 * @module
 */
import { IMAGE, type ContainerBuilder } from '../builder.ts';
import type { Fields } from '../fields.ts';
import { SIZE_BYTES, type SquashFile } from './inodes.ts';
import { SUPERBLOCK_BYTES, type Superblock } from './superblock.ts';

export const FRAGMENT_BYTES = 16;
/** A block's size has a bit that says whether it is stored as it is. */
const STORED_BIT = 0x1000000;
const SIZE_MASK = STORED_BIT - 1;

/** Bytes of a unit's content, or of the image where they are stored as they are. */
interface Place {
  readonly unit: number;
  readonly offset: number;
}

export class Blocks {
  readonly #builder: ContainerBuilder;
  readonly #superblock: Superblock;
  readonly #codec: number;
  readonly #inodes: Fields;

  constructor(builder: ContainerBuilder, superblock: Superblock, codec: number, inodes: Fields) {
    this.#builder = builder;
    this.#superblock = superblock;
    this.#codec = codec;
    this.#inodes = inodes;
  }

  /** Names all blocks of a file. Those that are all zeros lie nowhere. */
  name({ start, bytes, sizesAt, blockCount }: SquashFile): void {
    const { blockBytes } = this.#superblock;
    let at = start;
    for (let i = 0; i < blockCount; i++) {
      const size = this.#inodes.u32(sizesAt + i * SIZE_BYTES);
      const contentBytes = Math.min(blockBytes, bytes - i * blockBytes);
      if (size === 0) {
        this.#builder.hole(contentBytes);
        continue;
      }
      const { unit, offset } = this.find(at, size, contentBytes);
      this.#builder.name(unit, offset, contentBytes);
      at += size & SIZE_MASK;
    }
  }

  find(offset: number, size: number, contentBytes: number): Place {
    const packedBytes = size & SIZE_MASK;
    const isStored = (size & STORED_BIT) !== 0;
    const { blockBytes, inodes } = this.#superblock;
    const isPlaced = offset >= SUPERBLOCK_BYTES && offset + packedBytes <= inodes;
    const isSized = size <= (STORED_BIT | SIZE_MASK) && packedBytes > 0 && packedBytes <= blockBytes;
    if (!isPlaced || !isSized || (isStored && packedBytes < contentBytes))
      this.#inodes.fault(`a block of ${packedBytes} bytes at ${offset}, which cannot be`);
    if (isStored) return { unit: IMAGE, offset };
    return { unit: this.#builder.unit({ offset, packedBytes, contentBytes, codec: this.#codec }), offset: 0 };
  }
}

/** Nothing says how much such a block has unpacked: writers fill them without gaps, so it is where the last tail ends. */
export class Fragments {
  readonly #table: Fields;
  readonly #ends: Uint32Array;
  readonly #builder: ContainerBuilder;
  readonly #blocks: Blocks;

  constructor(
    table: Fields,
    files: readonly SquashFile[],
    blockBytes: number,
    builder: ContainerBuilder,
    blocks: Blocks,
  ) {
    this.#table = table;
    this.#ends = new Uint32Array(table.length / FRAGMENT_BYTES);
    this.#builder = builder;
    this.#blocks = blocks;
    for (const { fragment, tailOffset, tailBytes } of files) {
      if (fragment === null) continue;
      const end = tailOffset + tailBytes;
      if (fragment >= this.#ends.length || end > blockBytes) table.fault(`a tail that ends at ${end} of ${fragment}`);
      this.#ends[fragment] = Math.max(this.#ends[fragment]!, end);
    }
  }

  name({ fragment, tailOffset, tailBytes }: SquashFile): void {
    if (fragment === null) return;
    const at = fragment * FRAGMENT_BYTES;
    const { unit, offset } = this.#blocks.find(this.#table.u64(at), this.#table.u32(at + 8), this.#ends[fragment]!);
    this.#builder.name(unit, offset + tailOffset, tailBytes);
  }
}
