/**
 * A64, the 64-bit Arm instruction set: units of four bytes.
 *
 * Arm Architecture Reference Manual for A-profile (DDI 0487), section C4.1 "A64 instruction set encoding" and C6.2:
 *
 * | kind | instruction                      | fixed bits                | field                          |
 * | ---- | -------------------------------- | ------------------------- | ------------------------------ |
 * | call | BL                               | 100101                    | imm26 · 4 from here            |
 * | jump | B                                | 000101                    | imm26 · 4 from here            |
 * | cond | B.cond, BC.cond, CBZ, CBNZ       | 01010100, x011010x        | imm19 · 4 from here            |
 * | test | TBZ, TBNZ                        | x011011x                  | imm14 · 4 from here            |
 * | page | ADRP                             | 1xx10000                  | immhi:immlo · 4096 from here's page |
 * | near | ADR                              | 0xx10000                  | immhi:immlo from here          |
 * | load | LDR, LDRSW, PRFM (literal)       | xx011x00                  | imm19 · 4 from here            |
 * | low  | ADD (immediate), LDR/STR (unsigned offset) after ADRP | see lowScale | imm12 · size    |
 *
 * An address is loaded in two halves: ADRP gives the page, a later instruction on the same register the rest. Both are
 * references to the whole address: ADRP looks ahead for its user, the user remembers its ADRP.
 * @module
 */
import { REGION_KIND } from '../../format/regions.ts';
import { loadInt } from '../../format/words.ts';
import { A64Operands } from './a64-operands.ts';
import {
  FIELD_NAME_BITS,
  LITERAL_WORDS,
  NO_REFERENCE,
  NOWHERE,
  PLAIN_ADDRESSES,
  type InstructionSet,
  type ReferenceReader,
} from './instruction-set.ts';

const CALL = 1;
const JUMP = 2;
const COND = 3;
const TEST = 4;
const PAGE = 5;
const NEAR = 6;
const LOAD = 7;
/** LOW + log2 of the access size: the scale must survive in the kind, since `write` keeps no state. */
const LOW = 8;

/** How many instructions after ADRP its user is looked for, and how long its register is remembered. */
const LOOK_AHEAD = 12;
const REGISTER_AGE_MAX = 64;

const IMM19 = 0x7ffff << 5;
const IMM14 = 0x3fff << 5;
const IMM12 = 0xfff << 10;
const IMM21 = (0x7ffff << 5) | (3 << 29);
const IMM26 = 0x3ffffff;

/** Bits of each kind's field. */
const FIELD = Int32Array.of(
  ...[0, IMM26, IMM26, IMM19, IMM14, IMM21, IMM21, IMM19],
  ...[IMM12, IMM12, IMM12, IMM12, IMM12],
);

function classOf(word: number): number {
  const top = word >>> 26;
  if (top === 0x25) return CALL;
  if (top === 0x05) return JUMP;
  if (word >>> 24 === 0x54 || (word & 0x7e000000) === 0x34000000) return COND;
  if ((word & 0x7e000000) === 0x36000000) return TEST;
  if ((word & 0x1f000000) === 0x10000000) return word < 0 ? PAGE : NEAR;
  if ((word & 0x3b000000) === 0x18000000) return LOAD;
  return NO_REFERENCE;
}

/** log2 of the unit that imm12 counts in, or -1 for an instruction that cannot be the second half of an address. */
function lowScale(word: number): number {
  if ((word & 0xffc00000) === (0x91000000 | 0)) return 0;
  if ((word & 0x3b000000) !== 0x39000000) return -1;
  const isQuad = (word & 0x04800000) === 0x04800000;
  return isQuad ? 4 : word >>> 30;
}

/** A scaled offset may reach past the page; that is no second half of an address. */
function isWithinPage(word: number, scale: number): boolean {
  return ((word >>> 10) & 0xfff) << scale < 4096;
}

function imm21(word: number): number {
  return (((word << 8) >> 13) << 2) | ((word >>> 29) & 3);
}

/** Where a unit of a kind without registers leads. */
function direct(word: number, kind: number, va: number): number {
  switch (kind) {
    case CALL:
    case JUMP:
      return (va + ((word << 6) >> 4)) >>> 0;
    case COND:
    case LOAD:
      return (va + (((word << 8) >> 13) << 2)) >>> 0;
    case TEST:
      return (va + (((word << 13) >> 18) << 2)) >>> 0;
    case NEAR:
      return (va + imm21(word)) >>> 0;
    default:
      return ((va & ~0xfff) + (imm21(word) << 12)) >>> 0;
  }
}

class A64Reader implements ReferenceReader {
  length = 4;
  word = 0;
  kind = NO_REFERENCE;
  target = 0;
  opcode = 0;
  /** Pages in registers, and the unit that put them there; of both sides. */
  readonly #page = new Uint32Array(32);
  readonly #pageSince = new Int32Array(32);
  readonly #actualPage = new Uint32Array(32);
  readonly #actualSince = new Int32Array(32);
  #units = 0;
  #actualUnits = 0;

  begin(): void {
    this.#pageSince.fill(-REGISTER_AGE_MAX - 1);
    this.#actualSince.fill(-REGISTER_AGE_MAX - 1);
    this.#units = 0;
    this.#actualUnits = 0;
  }

  read(bytes: Uint8Array, at: number, _start: number, end: number, va: number): void {
    if (at + 4 > end) {
      this.#plain(bytes[at]!, 1);
      return;
    }
    this.#units++;
    const word = loadInt(bytes, at);
    const kind = classOf(word);
    this.#plain(word >>> 0, 4);
    if (kind === PAGE) {
      this.#readPage(bytes, at, end, va);
    } else if (kind !== NO_REFERENCE) {
      this.kind = kind;
      this.target = direct(word, kind, va);
      this.opcode = (word & ~FIELD[kind]!) >>> 0;
    } else {
      this.#readLow(word);
    }
  }

  #plain(word: number, length: number): void {
    this.word = word;
    this.length = length;
    this.kind = NO_REFERENCE;
    this.opcode = word;
  }

  /** The page alone, or with what its first user adds. */
  #readPage(bytes: Uint8Array, at: number, end: number, va: number): void {
    const register = this.word & 31;
    const page = direct(this.word | 0, PAGE, va);
    this.#page[register] = page;
    this.#pageSince[register] = this.#units;
    this.kind = PAGE;
    this.target = page;
    this.opcode = (this.word & ~IMM21) >>> 0;
    const last = Math.min(end - 4, at + 4 * LOOK_AHEAD);
    for (let next = at + 4; next <= last; next += 4) {
      const word = loadInt(bytes, next);
      const scale = lowScale(word);
      if (scale >= 0 && ((word >>> 5) & 31) === register && isWithinPage(word, scale)) {
        this.target = (page + (((word >>> 10) & 0xfff) << scale)) >>> 0;
        return;
      }
      if ((word & 31) === register && (word & 0x9f000000) === (0x90000000 | 0)) return;
    }
  }

  #readLow(word: number): void {
    const scale = lowScale(word);
    if (scale < 0 || !isWithinPage(word, scale)) return;
    const register = (word >>> 5) & 31;
    if (this.#units - this.#pageSince[register]! > REGISTER_AGE_MAX) return;
    this.kind = LOW + scale;
    this.target = (this.#page[register]! + (((word >>> 10) & 0xfff) << scale)) >>> 0;
    this.opcode = (word & ~IMM12) >>> 0;
  }

  write(word: number, kind: number, va: number, target: number): number {
    const distance = (target - va) | 0;
    switch (kind) {
      case CALL:
      case JUMP:
        return ((word & ~IMM26) | ((distance >> 2) & IMM26)) >>> 0;
      case COND:
      case LOAD:
        return ((word & ~IMM19) | ((distance << 3) & IMM19)) >>> 0;
      case TEST:
        return ((word & ~IMM14) | ((distance << 3) & IMM14)) >>> 0;
      case NEAR:
        return writeImm21(word, distance);
      case PAGE:
        return writeImm21(word, ((target & ~0xfff) - (va & ~0xfff)) >> 12);
      default:
        return ((word & ~IMM12) | ((((target & 0xfff) >> (kind - LOW)) << 10) & IMM12)) >>> 0;
    }
  }

  resolve(word: number, kind: number, actual: number, va: number): number {
    this.#actualUnits++;
    const actualClass = classOf(actual | 0);
    if (actualClass === PAGE) {
      const page = direct(actual | 0, PAGE, va);
      this.#actualPage[actual & 31] = page;
      this.#actualSince[actual & 31] = this.#actualUnits;
    }
    // What a page alone means is only known with its user.
    if (kind === NO_REFERENCE || kind === PAGE) return NOWHERE;
    if (kind < LOW) return actualClass === kind ? direct(actual | 0, kind, va) : NOWHERE;
    const register = (actual >>> 5) & 31;
    if (lowScale(actual | 0) !== kind - LOW || !isWithinPage(actual, kind - LOW) || register !== ((word >>> 5) & 31))
      return NOWHERE;
    if (this.#actualUnits - this.#actualSince[register]! > REGISTER_AGE_MAX) return NOWHERE;
    return (this.#actualPage[register]! + (((actual >>> 10) & 0xfff) << (kind - LOW))) >>> 0;
  }
}

function writeImm21(word: number, value: number): number {
  return ((word & ~IMM21) | ((value << 3) & (0x7ffff << 5)) | ((value & 3) << 29)) >>> 0;
}

/** BL and ADRP (DDI 0487, C6.2). */
function absolute(word: number, va: number, sign: 1 | -1): number {
  if (word >>> 26 === 0x25) return ((word & 0xfc000000) | ((word + sign * (va >> 2)) & 0x3ffffff)) >>> 0;
  if ((word & 0x9f000000) !== (0x90000000 | 0)) return word;
  return writeImm21(word, imm21(word) + sign * (va >> 12));
}

/** BL. */
function findCall(bytes: Uint8Array, at: number): number {
  return bytes[at + 3]! >>> 2 === 0x25 ? at + ((loadInt(bytes, at) << 6) >> 4) : NOWHERE;
}

export const A64: InstructionSet = {
  ...{ kind: REGION_KIND.a64, alignment: 4, kinds: 13, bigEndian: false, hasPools: false, nameBits: FIELD_NAME_BITS },
  makeReader: () => new A64Reader(),
  makeOperands: () => new A64Operands(),
  absolute,
  literals: LITERAL_WORDS,
  signs: { step: 4, blockMin: 10, rarity: 64, reach: 2 ** 28, areCalls: true, find: findCall },
  addresses: { ...PLAIN_ADDRESSES, widths: [64] },
  isCodeOf: ({ machine }) => machine === 183,
};
