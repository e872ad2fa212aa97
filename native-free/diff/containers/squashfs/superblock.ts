/**
 * The 96 bytes that a squashfs 4.0 image begins with.
 *
 * After the kernel's documentation of the format (Documentation/filesystems/squashfs.rst) and what mksquashfs writes.
 * @module
 */
import { ALL_ONES, type Fields } from '../fields.ts';

export const KIND = 'squashfs';
export const SUPERBLOCK_BYTES = 96;

const MAGIC = 0x73717368; // 'hsqs'
const VERSION = 4; // and 0 behind the point
const BLOCK_LOG_MIN = 12;
const BLOCK_LOG_MAX = 20;

export interface Superblock {
  /** The whole image, without the padding behind it. */
  readonly bytes: number;
  readonly blockBytes: number;
  /** A key of COMPRESSORS. */
  readonly compressor: number;
  readonly inodeCount: number;
  readonly fragmentCount: number;
  readonly idCount: number;
  /** Where tables begin. */
  readonly inodes: number;
  readonly directories: number;
  /** Where the lists of tables' blocks begin, behind the blocks themselves; null: there is no such table. */
  readonly ids: number;
  readonly fragments: number | null;
  readonly exports: number | null;
  readonly xattrs: number | null;
}

/** Cheap, since it is asked at many places. */
export function looksLikeSquashfs(bytes: Uint8Array, offset: number): boolean {
  return (
    bytes.length - offset >= SUPERBLOCK_BYTES &&
    bytes[offset] === (MAGIC & 0xff) &&
    bytes[offset + 1] === 0x73 &&
    bytes[offset + 2] === 0x71 &&
    bytes[offset + 3] === 0x73
  );
}

/**
 * The superblock at the start of `fields`, which may go on behind the image.
 * @throws UpdateError unit_malformed
 */
export function readSuperblock(fields: Fields): Superblock {
  const blockBytes = fields.u32(12);
  const blockLog = fields.u16(22);
  if (fields.u16(28) !== VERSION || fields.u16(30) !== 0) fields.fault('it is of another version');
  if (blockLog < BLOCK_LOG_MIN || blockLog > BLOCK_LOG_MAX || blockBytes !== 2 ** blockLog)
    fields.fault(`blocks of ${blockBytes} bytes`);
  const place = (at: number): number | null => {
    const value = fields.u64(at);
    return value === ALL_ONES ? null : value;
  };
  const superblock = {
    bytes: fields.u64(40),
    blockBytes,
    compressor: fields.u16(20),
    inodeCount: fields.u32(4),
    fragmentCount: fields.u32(16),
    idCount: fields.u16(26),
    inodes: fields.u64(64),
    directories: fields.u64(72),
    ids: fields.u64(48),
    fragments: place(80),
    exports: place(88),
    xattrs: place(56),
  };
  check(fields, superblock);
  return superblock;
}

function check(fields: Fields, superblock: Superblock): void {
  const { bytes, inodes, directories, ids, fragments, exports, xattrs, inodeCount, fragmentCount, idCount } =
    superblock;
  if (bytes > fields.length) fields.fault(`${bytes} bytes, of which ${fields.length} are there`);
  if (inodeCount === 0 || idCount === 0) fields.fault('it has no inodes or no owners');
  if (fragmentCount > 0 && fragments === null) fields.fault('it has fragments without a table of them');
  let before = SUPERBLOCK_BYTES;
  for (const table of [inodes, directories, fragments, exports, ids, xattrs]) {
    if (table === null) continue;
    // A table without entries begins where the next one does; nothing else may.
    if (table < before || table > bytes) fields.fault(`a table at ${table}, where it cannot be`);
    before = table;
  }
  if (inodes === directories) fields.fault('it has no inodes');
}
