/**
 * The inode table: what it says about files' bytes, in the order in which it says it.
 * @module
 */
import type { Fields } from '../fields.ts';

export interface SquashFile {
  readonly bytes: number;
  /** Where its blocks lie, one behind the other. */
  readonly start: number;
  /** Where in the table their sizes stand, and how many. */
  readonly sizesAt: number;
  readonly blockCount: number;
  /** The fragment with its tail, or null. */
  readonly fragment: number | null;
  readonly tailOffset: number;
  readonly tailBytes: number;
}

const TYPE = { directory: 1, file: 2, symlink: 3, blockDevice: 4, charDevice: 5, fifo: 6, socket: 7 } as const;
/** Types from here are the same once more, with more fields. */
const EXTENDED = 7;
const HEAD_BYTES = 16;
const NO_FRAGMENT = 0xffffffff;
export const SIZE_BYTES = 4;

/**
 * All files with content.
 * @throws UpdateError unit_malformed where the table is not a run of whole inodes
 */
export function readInodes(table: Fields, blockBytes: number): SquashFile[] {
  const files: SquashFile[] = [];
  for (let at = 0; at < table.length;) {
    const type = table.u16(at);
    const body = at + HEAD_BYTES;
    const file = type === TYPE.file || type === TYPE.file + EXTENDED ? readFile(table, type, body, blockBytes) : null;
    at = file === null ? endOfOther(table, type, body) : file.sizesAt + file.blockCount * SIZE_BYTES;
    table.need(at, 0);
    if (file !== null && file.bytes > 0) files.push(file);
  }
  return files;
}

function readFile(table: Fields, type: number, body: number, blockBytes: number): SquashFile {
  const isBasic = type === TYPE.file;
  const [start, bytes] = isBasic ? [table.u32(body), table.u32(body + 12)] : [table.u64(body), table.u64(body + 8)];
  const fragmentAt = body + (isBasic ? 4 : 28);
  const fragment = table.u32(fragmentAt);
  const sizesAt = body + (isBasic ? 16 : 40);
  const hasTail = fragment !== NO_FRAGMENT;
  const blockCount = hasTail ? Math.floor(bytes / blockBytes) : Math.ceil(bytes / blockBytes);
  table.need(sizesAt, blockCount * SIZE_BYTES);
  const tailBytes = hasTail ? bytes - blockCount * blockBytes : 0;
  return {
    bytes,
    start,
    sizesAt,
    blockCount,
    fragment: tailBytes > 0 ? fragment : null,
    tailOffset: table.u32(fragmentAt + 4),
    tailBytes,
  };
}

/** Where an inode ends that is no file. */
function endOfOther(table: Fields, type: number, body: number): number {
  switch (type) {
    case TYPE.directory:
      return body + 16;
    case TYPE.directory + EXTENDED:
      return endOfIndex(table, body + 24, table.u16(body + 16));
    case TYPE.symlink:
      return body + 8 + table.u32(body + 4);
    case TYPE.symlink + EXTENDED:
      return body + 8 + table.u32(body + 4) + 4;
    case TYPE.blockDevice:
    case TYPE.charDevice:
      return body + 8;
    case TYPE.blockDevice + EXTENDED:
    case TYPE.charDevice + EXTENDED:
      return body + 12;
    case TYPE.fifo:
    case TYPE.socket:
      return body + 4;
    case TYPE.fifo + EXTENDED:
    case TYPE.socket + EXTENDED:
      return body + 8;
    default:
      return table.fault(`an inode of type ${type}`);
  }
}

/** A large directory has an index of names: two numbers, a length less one, a name. */
function endOfIndex(table: Fields, at: number, count: number): number {
  let end = at;
  for (let i = 0; i < count; i++) end += 12 + table.u32(end + 8) + 1;
  return end;
}
