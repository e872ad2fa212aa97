/**
 * Branch filters of ARM's other two instruction sets: Thumb with halfwords, and AArch64, whose ADRP is an address too.
 *
 * After section 5.3.2 of the xz file format 1.1.0 and the definitions of liblzma 5.4 (Pavlov, Collin).
 * @module
 */
import { littleWord, moved, setLittleWord, type BranchFilter } from './words.ts';

/** What the program counter of Thumb is ahead, in bytes. */
const THUMB_AHEAD = 4;

/** The pair of halfwords that is BL in Thumb. */
export const armThumbFilter: BranchFilter = (bytes, position, encode) => {
  for (let at = 0; at + 4 <= bytes.length; at += 2) {
    const word = littleWord(bytes, at);
    if ((word & 0xf800f800) !== (0xf800f000 | 0)) continue;
    const halves = ((word & 0x7ff) << 11) | ((word >>> 16) & 0x7ff);
    const target = moved(halves << 1, position + at + THUMB_AHEAD, encode) >>> 1;
    setLittleWord(bytes, at, 0xf800f000 | ((target >>> 11) & 0x7ff) | ((target & 0x7ff) << 16));
    at += 2;
  }
};

/** BL of any target, and ADRP of pages within 512 MiB: others are data more often than code. */
export const arm64Filter: BranchFilter = (bytes, position, encode) => {
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = littleWord(bytes, at);
    const address = position + at;
    if (word >>> 26 === 0x25) {
      setLittleWord(bytes, at, 0x94000000 | (moved(word, address >>> 2, encode) & 0x03ffffff));
    } else if ((word & 0x9f000000) === (0x90000000 | 0)) {
      const page = ((word >>> 29) & 3) | ((word >>> 3) & 0x1ffffc);
      if (((page + 0x20000) & 0x1c0000) !== 0) continue;
      const target = moved(page, address >>> 12, encode);
      const sign = (target & 0x20000) === 0 ? 0 : 0xe00000;
      setLittleWord(bytes, at, (word & 0x9000001f) | ((target & 3) << 29) | ((target & 0x3fffc) << 3) | sign);
    }
  }
};
