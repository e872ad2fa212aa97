/**
 * LZ4 frames: each block a unit, stored blocks and all around them raw. The older kind of frame, which kernels have, has
 * blocks of 8 MiB and no end.
 *
 * After the LZ4 frame format 1.6.4, sections in brackets. Blocks that refer to those before them are no units.
 * @module
 */
import { CODEC_ID } from '../../../format/unit-map.ts';
import { LIMITS } from '../../../limits.ts';
import { unpackLz4 } from '../../../unpack/lz4.ts';
import { malformed } from '../../../unpack/tokens.ts';
import type { FoundPart, FoundUnit } from '../container.ts';
import { CONTENT_PER_STEP, type Effort } from './effort.ts';
import { ATTEMPT_STEPS, beginsWith, streamFinder, wordAt, type FoundStream, type StreamFinder } from './stream.ts';

const MAGIC = [0x04, 0x22, 0x4d, 0x18];
const LEGACY_MAGIC = [0x02, 0x21, 0x4c, 0x18];
const MAGIC_BYTES = 4;
const SIZE_BYTES = 4;
const CHECKSUM_BYTES = 4;
/** [Frame descriptor] Version 1 in the upper bits, and no bit that is reserved; nor one for a dictionary. */
const VERSION = 0x40;
const VERSION_MASK = 0xc3;
const FLAG = { independent: 0x20, blockChecksum: 0x10, contentSize: 8, contentChecksum: 4 };
/** Flags, block size and checksum of the header. */
const DESCRIPTOR_BYTES = 3;
const CONTENT_SIZE_BYTES = 8;
const BLOCK_SIZE_MASK = 0x8f;
const BLOCK_CODE_MIN = 4;
const STORED = 2 ** 31;
const LEGACY_BLOCK_BYTES = 2 ** 23;
/** [lz4_Block_format] What a block of the old kind has at most, as its encoder reserves it. */
const LEGACY_PACKED_BYTES_MAX = LEGACY_BLOCK_BYTES + LEGACY_BLOCK_BYTES / 255 + 16;

/** Blocks as they come. */
class Blocks {
  readonly units: FoundUnit[] = [];
  readonly parts: FoundPart[] = [];
  readonly #bytes: Uint8Array;
  readonly #effort: Effort;

  constructor(bytes: Uint8Array, effort: Effort) {
    this.#bytes = bytes;
    this.#effort = effort;
  }

  /** How much the block unpacks to. @throws UpdateError unit_malformed */
  unpack(offset: number, packedBytes: number, contentBytesMax: number): number {
    this.#spend(offset, packedBytes);
    if (this.units.length >= LIMITS.container_units_max) malformed('lz4', 'it has too many blocks');
    const { content } = unpackLz4(this.#bytes.subarray(offset, offset + packedBytes), { contentBytesMax });
    const contentBytes = content.length;
    this.#effort.spend(contentBytes / CONTENT_PER_STEP);
    this.parts.push({ unit: this.units.length, offset: 0, length: contentBytes });
    this.units.push({ offset, packedBytes, contentBytes, codec: CODEC_ID.lz4 });
    return contentBytes;
  }

  stored(offset: number, length: number): void {
    this.#spend(offset, length);
    this.parts.push({ unit: -1, offset, length });
  }

  #spend(offset: number, packedBytes: number): void {
    this.#effort.spend(ATTEMPT_STEPS + packedBytes);
    if (packedBytes === 0 || packedBytes > this.#bytes.length - offset)
      malformed('lz4', `it is cut off at byte ${offset}`);
  }

  /** @throws UpdateError unit_malformed */
  finish(end: number): FoundStream {
    if (end > this.#bytes.length) malformed('lz4', 'it is cut off');
    return { units: this.units, parts: this.parts, end };
  }
}

/** [Frame descriptor] */
function looksLikeFrame(bytes: Uint8Array, offset: number): boolean {
  const blockSize = bytes[offset + MAGIC_BYTES + 1]!;
  return (
    beginsWith(bytes, offset, MAGIC) &&
    (bytes[offset + MAGIC_BYTES]! & VERSION_MASK) === VERSION &&
    (blockSize & BLOCK_SIZE_MASK) === 0 &&
    blockSize >> 4 >= BLOCK_CODE_MIN
  );
}

/** [Data blocks] Up to a size of 0. A single block depends on nothing, whatever the flags say. */
function readFrame(bytes: Uint8Array, offset: number, effort: Effort): FoundStream {
  const flags = bytes[offset + MAGIC_BYTES]!;
  const blockBytesMax = 2 ** (8 + 2 * (bytes[offset + MAGIC_BYTES + 1]! >> 4));
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const blocks = new Blocks(bytes, effort);
  let at = offset + MAGIC_BYTES + DESCRIPTOR_BYTES + (has(FLAG.contentSize) ? CONTENT_SIZE_BYTES : 0);
  for (;;) {
    const word = wordAt(bytes, at);
    at += SIZE_BYTES;
    if (word === 0) break;
    if (blocks.parts.length > 0 && !has(FLAG.independent)) malformed('lz4', 'its blocks depend on each other');
    const size = word % STORED;
    if (size > blockBytesMax) malformed('lz4', `the block at byte ${at} is too large`);
    if (word >= STORED) blocks.stored(at, size);
    else blocks.unpack(at, size, blockBytesMax);
    at += size + (has(FLAG.blockChecksum) ? CHECKSUM_BYTES : 0);
  }
  return blocks.finish(at + (has(FLAG.contentChecksum) ? CHECKSUM_BYTES : 0));
}

/** [Legacy frame] Only the last block may be short; a full one is the last where none follows. */
function readLegacy(bytes: Uint8Array, offset: number, effort: Effort): FoundStream {
  const blocks = new Blocks(bytes, effort);
  let at = offset + MAGIC_BYTES;
  for (let isFull = true; isFull;) {
    const isOver = blocks.units.length > 0 && !mayFollow(bytes, at);
    if (isOver) break;
    const size = wordAt(bytes, at);
    if (size > LEGACY_PACKED_BYTES_MAX) malformed('lz4', `the block at byte ${at} is too large`);
    at += SIZE_BYTES;
    isFull = blocks.unpack(at, size, LEGACY_BLOCK_BYTES) === LEGACY_BLOCK_BYTES;
    at += size;
  }
  return blocks.finish(at);
}

function mayFollow(bytes: Uint8Array, at: number): boolean {
  if (at + SIZE_BYTES > bytes.length) return false;
  const size = wordAt(bytes, at);
  return size > 0 && size <= LEGACY_PACKED_BYTES_MAX && size <= bytes.length - at - SIZE_BYTES;
}

export const lz4: StreamFinder = streamFinder('lz4', looksLikeFrame, readFrame);
export const lz4Legacy: StreamFinder = streamFinder(
  'lz4-legacy',
  (bytes, offset) => beginsWith(bytes, offset, LEGACY_MAGIC),
  readLegacy,
);
