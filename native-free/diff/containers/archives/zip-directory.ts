/**
 * Finds the central directories of zip archives, and reads them.
 *
 * An archive is read from its end, and nothing at its beginning says where that is. So all ends in some bytes are looked
 * for at once, and each says where its archive begins: its directory ends where it begins itself, and its length is known.
 * Offsets in the directory count from the first byte of the archive or of a program before it; where the directory lies
 * tells which.
 *
 * After APPNOTE.TXT 6.3.10.
 * @module
 */
import type { Fields } from '../fields.ts';

const CENTRAL_MAGIC = 0x02014b50;
const END_MAGIC = 0x06054b50;
const END_BYTES = 22;
const END64_MAGIC = 0x06064b50;
const END64_BYTES = 56;
/** Of that record, without the 12 bytes up to this number. */
const END64_SAID_BYTES = 44;
const LOCATOR_MAGIC = 0x07064b50;
const LOCATOR_BYTES = 20;
const CENTRAL_BYTES = 46;
/** Numbers that say: look into the extra field, or the record for zip64. */
const IN_ZIP64 = 0xffffffff;
const SHORT_IN_ZIP64 = 0xffff;
const ZIP64_TAG = 1;

/** Where a directory lies. */
export interface Directory {
  readonly offset: number;
  readonly bytes: number;
  readonly count: number;
  /** Where offsets in it count from. */
  readonly base: number;
  /** Where the archive ends. */
  readonly end: number;
}

export interface Entry {
  readonly flags: number;
  readonly method: number;
  readonly packedBytes: number;
  readonly contentBytes: number;
  readonly name: Uint8Array;
  /** Of the local header, in the bytes that were searched. */
  readonly local: number;
}

/**
 * The directories of all archives in some bytes, by where the first member of each begins. Of two that begin at the same
 * place the last is meant, as for everyone who reads zip.
 */
export function findDirectories(fields: Fields): Map<number, Directory> {
  const found = new Map<number, Directory>();
  // Directories that are sound have no byte in common, so more than this is only read where many lie.
  let budget = 2 * fields.length;
  const { bytes } = fields;
  for (let at = bytes.indexOf(0x50); at >= 0; at = bytes.indexOf(0x50, at + 1)) {
    if (bytes[at + 1] !== 0x4b || bytes[at + 2] !== 5 || bytes[at + 3] !== 6) continue;
    const directory = directoryBefore(fields, at);
    if (directory === null || directory.bytes > budget) continue;
    budget -= directory.bytes;
    let first = Infinity;
    const isSound = forEachEntry(fields, directory, ({ local }) => (first = Math.min(first, local)));
    if (isSound && first < directory.offset) found.set(first, directory);
  }
  return found;
}

/** What the record at the end of an archive says; null where it cannot be. */
function directoryBefore(fields: Fields, at: number): Directory | null {
  if (at + END_BYTES > fields.length || fields.u32(at) !== END_MAGIC) return null;
  const end = at + END_BYTES + fields.u16(at + 20);
  const record = at - LOCATOR_BYTES - END64_BYTES;
  const isZip64 =
    record >= 0 &&
    fields.u32(at - LOCATOR_BYTES) === LOCATOR_MAGIC &&
    fields.u32(record) === END64_MAGIC &&
    fields.u64(record + 4) === END64_SAID_BYTES;
  const short = (offset: number, behind: number): number => {
    const value = fields.u16(at + offset);
    return isZip64 && value === SHORT_IN_ZIP64 ? fields.u64(record + behind) : value;
  };
  const long = (offset: number, behind: number): number => {
    const value = fields.u32(at + offset);
    return isZip64 && value === IN_ZIP64 ? fields.u64(record + behind) : value;
  };
  const count = short(10, 32);
  const bytes = long(12, 40);
  const offset = (isZip64 ? record : at) - bytes;
  const base = offset - long(16, 48);
  // Parts of an archive on other disks.
  if (short(8, 24) !== count) return null;
  if (end > fields.length || offset < 0 || base < 0 || count === 0 || count * CENTRAL_BYTES > bytes) return null;
  return { offset, bytes, count, base, end };
}

/** Whether entries fill the directory. */
export function forEachEntry(fields: Fields, directory: Directory, visit: (entry: Entry) => void): boolean {
  const end = directory.offset + directory.bytes;
  let at = directory.offset;
  for (let i = 0; i < directory.count; i++) {
    if (at + CENTRAL_BYTES > end || fields.u32(at) !== CENTRAL_MAGIC) return false;
    const extra = at + CENTRAL_BYTES + fields.u16(at + 28);
    const comment = extra + fields.u16(at + 30);
    const next = comment + fields.u16(at + 32);
    const sizes = [fields.u32(at + 24), fields.u32(at + 20), fields.u32(at + 42)];
    if (next > end || !takeZip64(fields, extra, comment, sizes)) return false;
    const [contentBytes, packedBytes, offset] = sizes as [number, number, number];
    visit({
      ...{ flags: fields.u16(at + 8), method: fields.u16(at + 10), packedBytes, contentBytes },
      name: fields.slice(at + CENTRAL_BYTES, extra - at - CENTRAL_BYTES),
      local: directory.base + offset,
    });
    at = next;
  }
  return at === end;
}

/**
 * Puts numbers that do not fit into 32 bits in the place of those in `sizes` that say so. Whether they are all there.
 */
export function takeZip64(fields: Fields, from: number, to: number, sizes: number[]): boolean {
  if (!sizes.includes(IN_ZIP64)) return true;
  for (let at = from; at + 4 <= to;) {
    const end = at + 4 + fields.u16(at + 2);
    if (end > to) return false;
    if (fields.u16(at) !== ZIP64_TAG) {
      at = end;
      continue;
    }
    at += 4;
    for (const [i, size] of sizes.entries()) {
      if (size !== IN_ZIP64) continue;
      if (at + 8 > end) return false;
      sizes[i] = fields.u64(at);
      at += 8;
    }
    return true;
  }
  return false;
}
