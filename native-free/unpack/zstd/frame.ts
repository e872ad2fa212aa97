/**
 * The head of a zstd frame. RFC 8878, 3.1.1.1.
 * @module
 */
import type { BitWriter } from '../deflate/bit-writer.ts';
import { malformed } from '../tokens.ts';
import { BLOCK_BYTES_MAX } from './codes.ts';

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const SINGLE_SEGMENT = 0x20;
const CHECKSUM = 0x04;
/** Bits of the descriptor that nobody uses, and those of a dictionary, which nobody has. */
const REFUSED = 0x1b;
const SHORT_SIZE = 256;

export interface FrameHead {
  readonly hasChecksum: boolean;
  /** How the content's length is said: 0 not or in a byte, 1 in two, 2 in four, 3 in eight. */
  readonly sizeCode: number;
  /** The byte that says the window; null where it is the content's length. */
  readonly window: number | null;
}

/** Bytes of the content's length. */
function sizeBytes({ sizeCode, window }: FrameHead): number {
  return sizeCode === 0 ? (window === null ? 1 : 0) : 1 << sizeCode;
}

/** @throws UpdateError unit_malformed */
export function readFrameHead(packed: Uint8Array): {
  readonly head: FrameHead;
  /** Null where it is not said. */
  readonly contentBytes: number | null;
  readonly end: number;
} {
  if (MAGIC.some((byte, i) => packed[i] !== byte)) malformed('zstd', 'this is no zstd frame');
  const descriptor = packed[4] ?? REFUSED;
  if ((descriptor & REFUSED) !== 0) malformed('zstd', 'the frame is cut off, has a dictionary or reserved bits');
  const isSingle = (descriptor & SINGLE_SEGMENT) !== 0;
  const window = isSingle ? null : (packed[5] ?? 0);
  const head = { hasChecksum: (descriptor & CHECKSUM) !== 0, sizeCode: descriptor >> 6, window };
  const at = isSingle ? 5 : 6;
  const bytes = sizeBytes(head);
  if (packed.length < at + bytes) malformed('zstd', 'the frame is cut off');
  let size = 0;
  for (let i = bytes - 1; i >= 0; i--) size = size * 256 + packed[at + i]!;
  if (bytes === 2) size += SHORT_SIZE;
  return { head, contentBytes: bytes === 0 ? null : size, end: at + bytes };
}

/** @throws UpdateError unit_malformed where the length cannot be said like that */
export function writeFrameHead(writer: BitWriter, head: FrameHead, contentBytes: number): void {
  const { hasChecksum, sizeCode, window } = head;
  for (const byte of MAGIC) writer.bits(byte, 8);
  writer.bits((sizeCode << 6) | (window === null ? SINGLE_SEGMENT : 0) | (hasChecksum ? CHECKSUM : 0), 8);
  if (window !== null) writer.bits(window, 8);
  const bytes = sizeBytes(head);
  let size = bytes === 2 ? contentBytes - SHORT_SIZE : contentBytes;
  if (sizeCode > 3 || (bytes > 0 && (size < 0 || size >= 256 ** bytes)))
    malformed('zstd', `the frame cannot say a length of ${contentBytes}`);
  for (let i = 0; i < bytes; i++, size = Math.floor(size / 256)) writer.bits(size % 256, 8);
}

/** The size code that the reference implementation takes, where it says the length. */
export function usualSizeCode(contentBytes: number): number {
  if (contentBytes < SHORT_SIZE) return 0;
  return contentBytes < 65_536 + SHORT_SIZE ? 1 : contentBytes < 2 ** 32 - 1 ? 2 : 3;
}

const WINDOW_LOG_MIN = 10;

/** How much content a block has at most. */
export function windowBytesOf({ window }: FrameHead, contentBytes: number): number {
  if (window === null) return Math.max(Math.min(contentBytes, BLOCK_BYTES_MAX), 1);
  const base = 2 ** (WINDOW_LOG_MIN + (window >> 3));
  return Math.min(base + (base / 8) * (window & 7), BLOCK_BYTES_MAX);
}
