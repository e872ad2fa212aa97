/**
 * Containers that are read by offsets within themselves: a fill that is taken out of one would hide what is behind it.
 * They are known by their superblocks alone; what is taken for one wrongly only keeps fills.
 * @module
 */
import { FILL_ALIGNMENT } from '../../format/fill-map.ts';

/** Image bytes [offset, end). */
export interface Extent {
  readonly offset: number;
  readonly end: number;
}

/** What the last block of a flash is taken to have. */
export const FLASH_BLOCK = FILL_ALIGNMENT;

const ascii = (text: string): number[] => [...text].map((char) => char.charCodeAt(0));
const SQUASHFS = ascii('hsqs');
const UBI = ascii('UBI#');
const EROFS = [0xe2, 0xe1, 0xf5, 0xe0];
const EROFS_OFFSET = 1024;

const has = (block: Uint8Array, at: number, magic: readonly number[]): boolean =>
  magic.every((byte, i) => block[at + i] === byte);

const word = (block: Uint8Array, at: number): number =>
  block[at]! + block[at + 1]! * 2 ** 8 + block[at + 2]! * 2 ** 16 + block[at + 3]! * 2 ** 24;

/** Whether a block of a flash with UBI begins here. */
export const isFlashBlock = (block: Uint8Array): boolean => has(block, 0, UBI);

/** Bytes of the squashfs or erofs that begins with this block; 0 if none does. */
export function containerAt(block: Uint8Array): number {
  if (block.length < FILL_ALIGNMENT) return 0;
  // bytes_used, of version 4.0.
  if (has(block, 0, SQUASHFS) && block[28] === 4) return word(block, 40) + word(block, 44) * 2 ** 32;
  // blocks, and the binary digits of their size.
  if (has(block, EROFS_OFFSET, EROFS)) return word(block, EROFS_OFFSET + 36) * 2 ** block[EROFS_OFFSET + 12]!;
  return 0;
}
