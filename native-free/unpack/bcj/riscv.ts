/**
 * Branch filter of RISC-V: JAL, and AUIPC with the load, store, addition or jump that takes its low bits.
 *
 * After the definition of liblzma 5.6 (Collin, Pavlov, Zhang; xz file format 1.2.0). A converted pair of instructions
 * shows as AUIPC of x2, which compilers do not write; bytes that look like it though are swapped into a "fake" pair and
 * back, so that any bytes survive. Encoder and decoder differ in that part alone.
 * @module
 */
import { bigWord, littleWord, moved, setBigWord, setLittleWord, type BranchFilter } from './words.ts';

/** An instruction pair; nothing is looked at that has fewer bytes behind it, not even a JAL. */
const PAIR_BYTES = 8;
const JAL = 0xef;
const AUIPC = 0x17;
/** AUIPC whose destination is x2, as a whole with the two bits of the second instruction's opcode. */
const SPECIAL_AUIPC = 0x3117;
const X2 = 2 << 7;

/** The second instruction is of 32 bits and uses the first one's destination as its base. */
const isPair = (first: number, second: number): boolean => (((first << 8) ^ (second - 3)) & 0xf8003) === 0;
/** The first word is what a converted pair looks like: x2, a 32-bit opcode, and a base that is neither x0 nor x2. */
const isSpecial = (word: number): boolean => ((word - SPECIAL_AUIPC) << 18) >>> 0 < ((word >>> 27) & 0x1d);

export const riscvFilter: BranchFilter = (bytes, position, encode) => {
  for (let at = 0; at + PAIR_BYTES <= bytes.length; at += 2) {
    const first = bytes[at]!;
    if (first === JAL) {
      // Returns go to x1 or x5; other destinations are no calls.
      if ((bytes[at + 1]! & 0x0d) !== 0) continue;
      convertJump(bytes, at, position + at, encode);
      at += 2;
    } else if ((first & 0x7f) === AUIPC) {
      at += convertPair(bytes, at, position + at, encode) - 2;
    }
  }
};

/** The immediate of JAL in order, its highest bits first, so that near calls of one function look alike. */
function convertJump(bytes: Uint8Array, at: number, address: number, encode: boolean): void {
  const [b1, b2, b3] = [bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
  if (encode) {
    const high = ((b1 & 0xf0) << 8) | ((b2 & 0x0f) << 16) | ((b3 & 0x80) << 13);
    const target = (high | ((b2 & 0x10) << 7) | ((b2 & 0xe0) >> 4) | ((b3 & 0x7f) << 4)) + address;
    bytes[at + 1] = (b1 & 0x0f) | ((target >>> 13) & 0xf0);
    bytes[at + 2] = target >>> 9;
    bytes[at + 3] = target >>> 1;
    return;
  }
  const offset = (((b1 & 0xf0) << 13) | (b2 << 9) | (b3 << 1)) - address;
  bytes[at + 1] = (b1 & 0x0f) | ((offset >>> 8) & 0xf0);
  bytes[at + 2] = ((offset >>> 16) & 0x0f) | ((offset >>> 7) & 0x10) | ((offset << 4) & 0xe0);
  bytes[at + 3] = ((offset >>> 4) & 0x7f) | ((offset >>> 13) & 0x80);
}

/** Returns how many bytes are done with. */
function convertPair(bytes: Uint8Array, at: number, address: number, encode: boolean): number {
  const first = littleWord(bytes, at);
  if ((first & 0xe80) !== 0) {
    const second = littleWord(bytes, at + 4);
    // Six: no conversion may begin at this second one, which could make a pair of the two, but at the bytes after it.
    if (!isPair(first, second)) return 6;
    setLittleWord(bytes, at, AUIPC | X2 | (second << 12));
    const high = first & 0xfffff000;
    if (encode) setBigWord(bytes, at + 4, moved(high + (second >> 20), address, true));
    else setLittleWord(bytes, at + 4, high + (second >>> 20));
    return PAIR_BYTES;
  }
  if (!isSpecial(first)) return 4;
  const target = encode ? littleWord(bytes, at + 4) : moved(bigWord(bytes, at + 4), address, false);
  // The low twelve bits of a real pair are added with their sign, those of a fake one are not.
  const high = (encode ? target : target + 0x800) & 0xfffff000;
  setLittleWord(bytes, at, AUIPC | ((first >>> 27) << 7) | high);
  setLittleWord(bytes, at + 4, (first >>> 12) | (target << 20));
  return PAIR_BYTES;
}
