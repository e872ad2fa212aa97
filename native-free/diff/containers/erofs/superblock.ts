/**
 * The superblock of an erofs image, 1,024 bytes behind its start.
 *
 * After the kernel's header of the format (fs/erofs/erofs_fs.h) and what mkfs.erofs writes.
 * @module
 */
import type { Fields } from '../fields.ts';

export const KIND = 'erofs';
const SUPERBLOCK_AT = 1024;
const SUPERBLOCK_BYTES = 128;

const MAGIC = 0xe0f5e1e2;
const BLOCK_LOG_MIN = 9;
const BLOCK_LOG_MAX = 16;

/** What a reader must know. Those from 0x80 on (addresses of 48 bits and newer) change where fields stand. */
const FEATURE = { zeroPadding: 0x1, fragments: 0x20, known: 0x7f } as const;

export interface Superblock {
  readonly bytes: number;
  readonly blockLog: number;
  readonly blockBytes: number;
  /** Where inode 0 would be. */
  readonly inodesAt: number;
  readonly root: number;
  /** LZ4 blocks end where their cluster ends, after zeros; else they begin where it begins. */
  readonly hasZeroPadding: boolean;
  /** The inode whose content has the tails of many files, or null. */
  readonly packed: number | null;
}

/** Cheap, since it is asked at many places. */
export function looksLikeErofs(bytes: Uint8Array, offset: number): boolean {
  const at = offset + SUPERBLOCK_AT;
  return (
    bytes.length - at >= SUPERBLOCK_BYTES &&
    bytes[at] === (MAGIC & 0xff) &&
    bytes[at + 1] === ((MAGIC >>> 8) & 0xff) &&
    bytes[at + 2] === ((MAGIC >>> 16) & 0xff) &&
    bytes[at + 3] === MAGIC >>> 24
  );
}

/**
 * The superblock of the image at the start of `fields`, which may go on behind the image.
 * @throws UpdateError unit_malformed
 */
export function readSuperblock(fields: Fields): Superblock {
  const at = SUPERBLOCK_AT;
  const blockLog = fields.u8(at + 12);
  const features = fields.u32(at + 80);
  if (blockLog < BLOCK_LOG_MIN || blockLog > BLOCK_LOG_MAX) fields.fault(`blocks of 2^${blockLog} bytes`);
  if (features > FEATURE.known) fields.fault(`features ${features.toString(16)}`);
  if (fields.u16(at + 86) !== 0) fields.fault('it lies on several devices');
  const blockBytes = 2 ** blockLog;
  const bytes = fields.u32(at + 36) * blockBytes;
  const inodesAt = fields.u32(at + 40) * blockBytes;
  if (bytes > fields.length || bytes < SUPERBLOCK_AT + SUPERBLOCK_BYTES || inodesAt >= bytes)
    fields.fault(`${bytes} bytes, inodes from ${inodesAt}, where ${fields.length} are there`);
  const packed = fields.u64(at + 96);
  return {
    bytes,
    blockLog,
    blockBytes,
    inodesAt,
    root: fields.u16(at + 14),
    hasZeroPadding: (features & FEATURE.zeroPadding) !== 0,
    packed: (features & FEATURE.fragments) !== 0 && packed !== 0 ? packed : null,
  };
}
