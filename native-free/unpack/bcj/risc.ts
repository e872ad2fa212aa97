/**
 * Branch filters of the instruction sets whose instructions are aligned words: ARM, PowerPC, SPARC.
 *
 * After section 5.3.2 of the xz file format 1.1.0 and the definitions of liblzma 5.4 (Pavlov, Collin).
 * @module
 */
import { bigWord, moved, setBigWord, type BranchFilter } from './words.ts';

const BL_ALWAYS = 0xeb;
/** What the program counter of ARM is ahead, in bytes. */
const ARM_AHEAD = 8;

/** BL of any target. */
export const armFilter: BranchFilter = (bytes, position, encode) => {
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    if (bytes[at + 3] !== BL_ALWAYS) continue;
    const words = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    const target = moved(words << 2, position + at + ARM_AHEAD, encode) >>> 2;
    bytes[at] = target;
    bytes[at + 1] = target >>> 8;
    bytes[at + 2] = target >>> 16;
  }
};

/** B with link, relative (AA 0, LK 1), of big-endian code. */
export const powerpcFilter: BranchFilter = (bytes, position, encode) => {
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = bigWord(bytes, at);
    if ((word & 0xfc000003) !== 0x48000001) continue;
    setBigWord(bytes, at, 0x48000001 | (moved(word & 0x03fffffc, position + at, encode) & 0x03fffffc));
  }
};

/** CALL, whose top bits all say the sign. */
export const sparcFilter: BranchFilter = (bytes, position, encode) => {
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = bigWord(bytes, at);
    const sign = word >>> 22;
    if (sign !== 0x100 && sign !== 0x1ff) continue;
    const target = moved(word << 2, position + at, encode) >>> 2;
    const isNegative = (target >>> 22) & 1;
    setBigWord(bytes, at, 0x40000000 | ((-isNegative << 22) & 0x3fffffff) | (target & 0x3fffff));
  }
};
