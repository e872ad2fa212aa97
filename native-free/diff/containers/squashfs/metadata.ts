/**
 * Tables of squashfs: blocks of up to 8 KiB, each behind two bytes that say how long it is and whether it is compressed.
 * @module
 */
import { LIMITS } from '../../../limits.ts';
import { IMAGE, type ContainerBuilder } from '../builder.ts';
import type { Fields } from '../fields.ts';
import type { Compressor } from './compressors.ts';

const METADATA_BYTES = 8192;
const HEAD_BYTES = 2;
const STORED_BIT = 0x8000;
const POINTER_BYTES = 8;

interface MetadataBlock {
  /** Of its head. */
  readonly offset: number;
  readonly end: number;
  readonly isStored: boolean;
  readonly content: Uint8Array;
}

export interface Table {
  /** Where its first block begins. */
  readonly start: number;
  readonly content: Uint8Array;
  readonly blocks: readonly MetadataBlock[];
}

export class MetadataReader {
  readonly #image: Fields;
  readonly #compressor: Compressor;

  constructor(image: Fields, compressor: Compressor) {
    this.#image = image;
    this.#compressor = compressor;
  }

  /** A table that has all blocks from `start` to `end`. */
  between(start: number, end: number): Table {
    const blocks: MetadataBlock[] = [];
    let bytes = 0;
    for (let at = start; at < end; at = blocks.at(-1)!.end) {
      const block = this.#block(at, end);
      bytes += block.content.length;
      if (bytes > LIMITS.container_table_bytes_max) this.#image.fault(`a table of more than ${bytes} bytes`);
      blocks.push(block);
    }
    return tableOf(start, blocks, bytes);
  }

  /** A table of `bytes` bytes whose blocks the list at `list` tells. */
  listed(list: number, bytes: number): Table {
    if (bytes > LIMITS.container_table_bytes_max) this.#image.fault(`a table of ${bytes} bytes`);
    const count = Math.ceil(bytes / METADATA_BYTES);
    this.#image.need(list, count * POINTER_BYTES);
    const blocks: MetadataBlock[] = [];
    for (let i = 0; i < count; i++) {
      const at = this.#image.u64(list + i * POINTER_BYTES);
      const before = blocks.at(-1)?.end ?? 0;
      if (at < before || at >= list) this.#image.fault(`a block of a table at ${at}, where it cannot be`);
      const block = this.#block(at, list);
      if (block.content.length !== Math.min(METADATA_BYTES, bytes - i * METADATA_BYTES))
        this.#image.fault(`a block of a table has ${block.content.length} bytes`);
      blocks.push(block);
    }
    return tableOf(blocks[0]?.offset ?? list, blocks, bytes);
  }

  #block(offset: number, end: number): MetadataBlock {
    const head = this.#image.u16(offset);
    const isStored = (head & STORED_BIT) !== 0;
    const length = head & (STORED_BIT - 1);
    const from = offset + HEAD_BYTES;
    if (length === 0 || length > METADATA_BYTES || from + length > end)
      this.#image.fault(`metadata of ${length} bytes at ${offset}`);
    const packed = this.#image.slice(from, length);
    const content = isStored ? packed : this.#compressor.read(packed, METADATA_BYTES);
    if (content.length === 0) this.#image.fault(`metadata of no bytes at ${offset}`);
    return { offset, end: from + length, isStored, content };
  }

  /** The table as a file of the container. */
  put(builder: ContainerBuilder, { blocks }: Table): void {
    for (const { offset, end, isStored, content } of blocks) {
      const from = offset + HEAD_BYTES;
      const contentBytes = content.length;
      if (isStored) builder.name(IMAGE, from, contentBytes);
      else {
        const unit = { offset: from, packedBytes: end - from, contentBytes, codec: this.#compressor.codec };
        builder.name(builder.unit(unit), 0, contentBytes);
      }
    }
    builder.endFile();
  }
}

function tableOf(start: number, blocks: readonly MetadataBlock[], bytes: number): Table {
  const content = new Uint8Array(bytes);
  let at = 0;
  for (const block of blocks) {
    content.set(block.content, at);
    at += block.content.length;
  }
  return { start, content, blocks };
}
