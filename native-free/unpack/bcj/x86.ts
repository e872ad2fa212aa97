/**
 * Branch filter of x86, 32 and 64 bit: E8 (CALL) and E9 (JMP) with an address near enough to be one.
 *
 * After section 5.3.2 of the xz file format 1.1.0 and the definition of liblzma 5.4 (Pavlov, Collin). Instructions have
 * no alignment, so bytes that look like a call may lie within another's address; what happened to the last few bytes is
 * kept in a mask, by which encoder and decoder come to the same decision.
 * @module
 */
import { littleWord, moved, setLittleWord, type BranchFilter } from './words.ts';

const CALL = 0xe8;
const INSTRUCTION_BYTES = 5;
/** An opcode within the last bytes, a bit each; and of those, whether the byte that would end its address is 0 or 255. */
const SEEN_OPCODE = 0x01;
const SEEN_NEAR = 0x10;
const SEEN_KEPT = 0x77;

const isNear = (byte: number): boolean => byte === 0 || byte === 0xff;
/** How many bytes of an address come after the last opcode's: by the mask without its lowest bit. */
const overlapOf = (mask: number): number => (mask === 4 ? 3 : mask === 0 ? 0 : mask === 1 ? 1 : 2);

export const x86Filter: BranchFilter = (bytes, position, encode) => {
  let seen = 0;
  let last = -INSTRUCTION_BYTES;
  for (let at = 0; at + INSTRUCTION_BYTES <= bytes.length; at++) {
    if ((bytes[at]! & 0xfe) !== CALL) continue;
    const since = at - last;
    last = at;
    if (since > INSTRUCTION_BYTES) seen = 0;
    for (let i = 0; i < since && seen !== 0; i++) seen = (seen & SEEN_KEPT) << 1;
    const top = bytes[at + 4]!;
    const mask = seen >> 1;
    if (isNear(top) && mask <= 4 && mask !== 3) {
      const target = convert(littleWord(bytes, at + 1), position + at + INSTRUCTION_BYTES, encode, seen);
      setLittleWord(bytes, at + 1, (target & 0x1ffffff) | (-((target >>> 24) & 1) << 24));
      at += 4;
      seen = 0;
    } else {
      seen |= SEEN_OPCODE | (isNear(top) ? SEEN_NEAR : 0);
    }
  }
};

/**
 * The address converted. Where it overlaps an opcode that was passed over, the byte that made that one be passed over
 * must not become one that would have made it be taken: then the low bits are turned over and it is converted again.
 * Once is enough, as the second time that byte is the opposite of what it was in the code.
 */
function convert(address: number, next: number, encode: boolean, seen: number): number {
  const target = moved(address, next, encode);
  if (seen === 0) return target;
  const low = 32 - 8 * overlapOf(seen >> 1);
  if (!isNear((target >>> (low - 8)) & 255)) return target;
  return moved(target ^ (2 ** low - 1), next, encode);
}
