/**
 * Inodes, and where the bytes of those lie that are stored as they are.
 * @module
 */
import { ALL_ONES, type Fields } from '../fields.ts';
import type { Range } from '../ranges.ts';
import type { Budget } from './budget.ts';
import type { Superblock } from './superblock.ts';

export const LAYOUT = { plain: 0, fullIndex: 1, inline: 2, compactIndex: 3, chunks: 4 } as const;
const SLOT_BYTES = 32;
const XATTR_HEAD_BYTES = 12;
const XATTR_BYTES = 4;
const TYPE_MASK = 0xf000;
const DIRECTORY = 0x4000;
const FILE = 0x8000;
/** Of the chunk format: entries of eight bytes instead of four, and by how much chunks are larger than blocks. */
const CHUNK_INDEXES = 0x20;
const CHUNK_LOG_MASK = 0x1f;
const CHUNK_LOG_MAX = 31;
const NO_BLOCK = 0xffffffff;

export interface Inode {
  /** One of LAYOUT, or one that is not known. */
  readonly layout: number;
  readonly isDirectory: boolean;
  readonly isFile: boolean;
  readonly bytes: number;
  /** A block, a number of blocks, or a format. */
  readonly detail: number;
  /** Where the inode and its attributes end: inline bytes, indexes or chunks follow. */
  readonly end: number;
}

export class InodeReader {
  readonly #image: Fields;
  readonly #superblock: Superblock;
  readonly #budget: Budget;

  constructor(image: Fields, superblock: Superblock, budget: Budget) {
    this.#image = image;
    this.#superblock = superblock;
    this.#budget = budget;
  }

  /** @throws UpdateError unit_malformed */
  read(number: number): Inode {
    const image = this.#image;
    const at = this.#superblock.inodesAt + number * SLOT_BYTES;
    const format = image.u16(at);
    const isExtended = (format & 1) !== 0;
    const mode = image.u16(at + 4) & TYPE_MASK;
    const bytes = isExtended ? image.u64(at + 8) : image.u32(at + 8);
    if (bytes >= ALL_ONES / 2) image.fault(`a file of ${bytes} bytes`);
    const attributes = image.u16(at + 2);
    const attributeBytes = attributes === 0 ? 0 : XATTR_HEAD_BYTES + XATTR_BYTES * (attributes - 1);
    return {
      layout: (format >> 1) & 7,
      isDirectory: mode === DIRECTORY,
      isFile: mode === FILE,
      bytes,
      detail: image.u32(at + 16),
      end: at + (isExtended ? 2 : 1) * SLOT_BYTES + attributeBytes,
    };
  }

  /**
   * Where the bytes lie, in order, holes left out; null for layouts of other kinds.
   * @throws UpdateError unit_malformed
   */
  storedRanges(inode: Inode): Range[] | null {
    const { blockBytes } = this.#superblock;
    const { layout, bytes, detail, end } = inode;
    if (layout === LAYOUT.chunks) return this.#chunks(inode);
    if (layout !== LAYOUT.plain && layout !== LAYOUT.inline) return null;
    const blocks = Math.ceil(bytes / blockBytes) - (layout === LAYOUT.inline ? 1 : 0);
    const whole = layout === LAYOUT.inline ? Math.max(0, blocks) * blockBytes : bytes;
    const ranges: Range[] = [];
    if (whole > 0) this.#push(ranges, detail * blockBytes, whole);
    if (bytes > whole) {
      if ((end % blockBytes) + bytes - whole > blockBytes) this.#image.fault('inline bytes in two blocks');
      this.#push(ranges, end, bytes - whole);
    }
    return ranges;
  }

  #chunks({ bytes, detail, end }: Inode): Range[] {
    const { blockLog, blockBytes } = this.#superblock;
    const log = blockLog + (detail & CHUNK_LOG_MASK);
    if (log > CHUNK_LOG_MAX) this.#image.fault(`chunks of 2^${log} bytes`);
    const hasIndexes = (detail & CHUNK_INDEXES) !== 0;
    const entryBytes = hasIndexes ? 8 : 4;
    const first = Math.ceil(end / entryBytes) * entryBytes;
    const count = Math.ceil(bytes / 2 ** log);
    this.#image.need(first, count * entryBytes);
    this.#budget.spend(count);
    const ranges: Range[] = [];
    for (let i = 0; i < count; i++) {
      const block = this.#image.u32(first + i * entryBytes + (hasIndexes ? 4 : 0));
      if (block !== NO_BLOCK) this.#push(ranges, block * blockBytes, Math.min(2 ** log, bytes - i * 2 ** log));
    }
    return ranges;
  }

  #push(ranges: Range[], from: number, length: number): void {
    this.#image.need(from, length);
    ranges.push({ from, to: from + length });
  }
}
