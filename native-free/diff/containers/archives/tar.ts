/**
 * Tar archives: v7, ustar, GNU and pax. Regular files stand as they are, all else stays raw.
 *
 * An archive goes on for as long as a header is followed by a header, and what was read up to a damaged one is taken:
 * only so a scanner that goes on behind it never reads anything twice.
 * @module
 */
import { LIMITS } from '../../../limits.ts';
import type { Fields } from '../fields.ts';
import { charCodes, readDigits } from './digits.ts';
import { archiveFinder, type Archive, type Member } from './members.ts';

const KIND = 'tar';
const BLOCK_BYTES = 512;
const CHECKSUM_AT = 148;
const CHECKSUM_BYTES = 8;
const SPACE = 0x20;
/** Kinds of members: '\0', '0' and '7' are regular files, '1' to '6' have no data whatever their size says. */
const REGULAR = [0, 0x30, 0x37];
const WITHOUT_DATA_MIN = 0x31;
const WITHOUT_DATA_MAX = 0x36;
/** GNU's sparse files: blocks that say where holes are may follow the header. */
const SPARSE = 0x53;
const SPARSE_MORE_AT = 482;
const SPARSE_BLOCK_MORE_AT = 504;
/** More than 5000 holes. */
const SPARSE_BLOCKS_MAX = 256;
/** A size in binary, which has this bit in its first byte. */
const BINARY = 0x80;

/** Ustar, GNU and pax, wherever they begin. */
export const tar = archiveFinder({ kind: KIND, signature: { at: 257, bytes: charCodes('ustar') } }, readArchive);

/** What was before them has nothing but a checksum. */
export const oldTar = archiveFinder({ kind: KIND, onlyFirst: true }, readArchive);

function readArchive(fields: Fields): Archive | null {
  const members: Member[] = [];
  let at = 0;
  for (let files = 0; files < LIMITS.container_files_max; files++) {
    const header = readHeader(fields, at);
    if (header === null) break;
    const { data, bytes, isFile } = header;
    if (isFile) members.push({ offset: data, bytes, packed: null });
    // The last member's padding may be cut off.
    at = Math.min(data + Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES, fields.length);
  }
  if (at === 0) return null;
  // Two blocks of zeros are the end.
  for (let i = 0; i < 2 && isZero(fields, at); i++) at += BLOCK_BYTES;
  return { bytes: at, members };
}

interface Header {
  readonly data: number;
  readonly bytes: number;
  readonly isFile: boolean;
}

/** What the header at `at` says; null where there is none, or not all of its data. */
function readHeader(fields: Fields, at: number): Header | null {
  const { bytes } = fields;
  if (at + BLOCK_BYTES > fields.length || bytes[at] === 0 || !isChecked(bytes, at)) return null;
  const size = readSize(bytes, at + 124);
  const type = bytes[at + 156]!;
  const hasData = type < WITHOUT_DATA_MIN || type > WITHOUT_DATA_MAX;
  let data = at + BLOCK_BYTES;
  if (type === SPARSE) {
    const end = data + SPARSE_BLOCKS_MAX * BLOCK_BYTES;
    for (let more = at + SPARSE_MORE_AT; bytes[more] === 1 && data < end; data += BLOCK_BYTES)
      more = data + SPARSE_BLOCK_MORE_AT;
  }
  if (size < 0 || data + (hasData ? size : 0) > fields.length) return null;
  return { data, bytes: hasData ? size : 0, isFile: REGULAR.includes(type) };
}

/** Whether the checksum is right; old programs took bytes for signed numbers. */
function isChecked(bytes: Uint8Array, at: number): boolean {
  const said = readDigits(bytes, at + CHECKSUM_AT, at + CHECKSUM_AT + CHECKSUM_BYTES, 8);
  if (said < 0) return false;
  let sum = SPACE * CHECKSUM_BYTES;
  let negative = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    if (i === CHECKSUM_AT) i += CHECKSUM_BYTES;
    const byte = bytes[at + i]!;
    sum += byte;
    if (byte >= 128) negative += 256;
  }
  return sum === said || sum - negative === said;
}

/** -1: it is none. */
function readSize(bytes: Uint8Array, at: number): number {
  if ((bytes[at]! & BINARY) === 0) return readDigits(bytes, at, at + 12, 8);
  let size = bytes[at]! & (BINARY - 1);
  for (let i = 1; i < 12; i++) size = size * 256 + bytes[at + i]!;
  return size;
}

function isZero({ bytes, length }: Fields, at: number): boolean {
  if (at + BLOCK_BYTES > length) return false;
  for (let i = 0; i < BLOCK_BYTES; i++) if (bytes[at + i] !== 0) return false;
  return true;
}
