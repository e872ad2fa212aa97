/**
 * UBI images, as they are written to raw flash: each eraseblock has two headers, which say which block of which volume
 * it is, and the blocks of a volume may stand in any order.
 *
 * A volume is one file, its blocks in logical order; where blocks are not mapped another file begins, since what is in it
 * has its offsets over zeros or ones that nobody wrote. A compressed stream over the end of a block goes on in the next
 * one, and what is between is skipped: of a squashfs in eraseblocks of 128 KiB such streams are 41 % of the packed bytes
 * with gzip and blocks of 128 KiB, 37 % with zstd, and 59 % with xz and blocks of 256 KiB. Where the blocks of a volume
 * are not in their order, or others' are between, nothing is skipped, and streams over the end of a block stay raw: a map
 * says a unit in the order of the image, and images that are made to be written to a flash have nothing else.
 *
 * After Linux' drivers/mtd/ubi/ubi-media.h.
 * @module
 */
import { SKIPS_APART_BYTES, type Skip } from '../../../format/unit-map.ts';
import { LIMITS } from '../../../limits.ts';
import { crc32 } from '../../../unpack/checksums.ts';
import type { Container, ContainerFinder, FoundFile } from '../container.ts';
import { charCodes } from './digits.ts';
import { nullIfMalformed } from './members.ts';

const KIND = 'ubi';
const ERASE_MAGIC = 0x55424923; // 'UBI#'
const VOLUME_MAGIC = 0x55424921; // 'UBI!'
const HEADER_BYTES = 64;
const CHECKED_BYTES = 60;
const VERSION = 1;
const ERASED = 0xff;
const DYNAMIC = 1;
const STATIC = 2;
/** Volumes from here on are UBI's own: the table of volumes. */
const INTERNAL_MIN = 0x7fffefff;
/** Eraseblocks are powers of two. */
const BLOCK_LOG_MIN = 12;
const BLOCK_LOG_MAX = 24;

export const ubi: ContainerFinder = {
  kind: KIND,
  signature: { at: 0, bytes: charCodes('UBI#') },
  at: (bytes, offset) => nullIfMalformed(() => readImage(bytes, offset)),
};

interface Geometry {
  readonly blockBytes: number;
  /** Where in a block the second header is, and the data. */
  readonly headerAt: number;
  readonly dataAt: number;
}

/** A block of a volume. */
interface Leb {
  readonly volume: number;
  readonly number: number;
  /** Of two with the same number the later one counts. */
  readonly sequence: number;
  readonly offset: number;
  readonly length: number;
  /** Static volumes have the length of their data in each block: what follows one that is not full is another thing. */
  readonly isFull: boolean;
}

function readImage(bytes: Uint8Array, start: number): Container | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const geometry = readGeometry(bytes, view, start);
  if (geometry === null) return null;
  const { blockBytes, headerAt, dataAt } = geometry;
  const lebs: Leb[] = [];
  let at = start;
  let end = start;
  for (; at + blockBytes <= bytes.length && lebs.length < LIMITS.container_files_max; at += blockBytes) {
    if (isErased(bytes, at, blockBytes)) continue;
    if (!isHeader(bytes, view, at, ERASE_MAGIC)) break;
    if (view.getUint32(at + 16) !== headerAt || view.getUint32(at + 20) !== dataAt) break;
    const leb = readLeb(bytes, view, at, geometry);
    if (leb !== null) lebs.push(leb);
    end = at + blockBytes;
  }
  const runs = runsOf(lebs);
  const files = runs.map((run): FoundFile => ({
    parts: run.map(({ offset, length }) => ({ unit: -1, offset, length })),
  }));
  return { kind: KIND, offset: start, bytes: end - start, units: [], files, skips: skipsOf(runs), nests: true };
}

/** Blocks that were never written have no header before UBI sees them. */
function isErased(bytes: Uint8Array, at: number, blockBytes: number): boolean {
  for (let i = at; i < at + blockBytes; i++) if (bytes[i] !== ERASED) return false;
  return true;
}

/** What the first header says, and where the second one is; null where there are none. */
function readGeometry(bytes: Uint8Array, view: DataView, at: number): Geometry | null {
  if (!isHeader(bytes, view, at, ERASE_MAGIC)) return null;
  const [headerAt, dataAt] = [view.getUint32(at + 16), view.getUint32(at + 20)];
  for (let log = BLOCK_LOG_MIN; log <= BLOCK_LOG_MAX; log++) {
    const blockBytes = 2 ** log;
    if (!isHeader(bytes, view, at + blockBytes, ERASE_MAGIC)) continue;
    const isSound = headerAt >= HEADER_BYTES && dataAt >= headerAt + HEADER_BYTES && dataAt < blockBytes;
    return isSound ? { blockBytes, headerAt, dataAt } : null;
  }
  return null;
}

/** The checksum is CRC-32 without its last step. */
function isHeader(bytes: Uint8Array, view: DataView, at: number, magic: number): boolean {
  if (at + HEADER_BYTES > bytes.length || view.getUint32(at) !== magic || bytes[at + 4] !== VERSION) return false;
  return view.getUint32(at + CHECKED_BYTES) === ~crc32(bytes.subarray(at, at + CHECKED_BYTES)) >>> 0;
}

/** The block of a volume in the eraseblock at `at`; null: there is none, or one of UBI's own. */
function readLeb(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  { blockBytes, headerAt, dataAt }: Geometry,
): Leb | null {
  const header = at + headerAt;
  if (!isHeader(bytes, view, header, VOLUME_MAGIC)) return null;
  const type = bytes[header + 5]!;
  const volume = view.getUint32(header + 8);
  const capacity = blockBytes - dataAt - view.getUint32(header + 28);
  const length = type === STATIC ? view.getUint32(header + 20) : capacity;
  if (volume >= INTERNAL_MIN || (type !== STATIC && type !== DYNAMIC) || length <= 0 || length > capacity) return null;
  return {
    ...{ volume, number: view.getUint32(header + 12), sequence: Number(view.getBigUint64(header + 40)) },
    ...{ offset: at + dataAt, length, isFull: length === capacity },
  };
}

/** Runs of blocks that follow each other. */
function runsOf(lebs: Leb[]): Leb[][] {
  lebs.sort((a, b) => a.volume - b.volume || a.number - b.number || b.sequence - a.sequence || a.offset - b.offset);
  const runs: Leb[][] = [];
  let before: Leb | null = null;
  for (const leb of lebs) {
    const isSameVolume: boolean = before?.volume === leb.volume;
    if (isSameVolume && before!.number === leb.number) continue;
    if (isSameVolume && before!.isFull && before!.number + 1 === leb.number) runs.at(-1)!.push(leb);
    else runs.push([leb]);
    before = leb;
  }
  return runs;
}

/** What stands between two blocks of a run, where no other block that counts does. */
function skipsOf(runs: readonly (readonly Leb[])[]): Skip[] {
  const places = runs.flatMap((run, index) =>
    run.map(({ number, offset, length }) => ({ index, number, offset, length })),
  );
  places.sort((a, b) => a.offset - b.offset);
  const skips: Skip[] = [];
  places.forEach(({ index, number, offset, length }, i) => {
    const before = places[i - 1];
    if (before?.index !== index || before.number + 1 !== number) return;
    const from = before.offset + before.length;
    if (Math.min(before.length, length) >= SKIPS_APART_BYTES) skips.push({ offset: from, length: offset - from });
  });
  return skips;
}
