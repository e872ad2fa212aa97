/**
 * RISC-V, RV32 and RV64 with compressed instructions: units of two or four bytes; the lowest two bits are 11 for four.
 *
 * The RISC-V Instruction Set Manual, Volume I (20191213): formats in section 2.3 "Immediate Encoding Variants", jumps
 * and branches in 2.5, LUI and AUIPC in 2.4, loads and stores in 2.6, compressed ones in 16.4, opcodes in chapter 24.
 *
 * | kind     | instruction                    | fixed bits              | field                                 |
 * | -------- | ------------------------------ | ----------------------- | ------------------------------------- |
 * | call     | JAL rd, rd not x0              | 1101111                 | J-type, bits 20…1 from here           |
 * | jump     | JAL x0                         | 00000 1101111           | as above                              |
 * | branch   | BEQ, BNE, BLT, BGE, BLTU, BGEU | 1100011                 | B-type, bits 12…1 from here           |
 * | short    | C.J                            | 101 … 01                | CJ-type, bits 11…1 from here          |
 * | zero     | C.BEQZ, C.BNEZ                 | 11x … 01                | CB-type, bits 8…1 from here           |
 * | page     | AUIPC                          | 0010111                 | U-type, bits 31…12 from here          |
 * | high     | LUI                            | 0110111                 | U-type, bits 31…12                    |
 * | absolute | low part after LUI             | see `lowForm`           | I-type or S-type, bits 11…0           |
 * | low      | low part after AUIPC           | see `lowForm`           | I-type or S-type, bits 11…0 from AUIPC |
 *
 * C.JAL of RV32 is ADDIW on RV64 and not read. An address is loaded in two halves, and both refer to the whole of it.
 * The low one is signed, so the high one is rounded: it is that of the address plus 0x800. After AUIPC the low part
 * counts from the address of the AUIPC and not from its own. `write` keeps no state, so there is a kind for each
 * distance between the two.
 * @module
 */
import { REGION_KIND } from '../../format/regions.ts';
import { loadInt } from '../../format/words.ts';
import {
  FIELD_NAME_BITS,
  NO_REFERENCE,
  NOWHERE,
  PLAIN_ADDRESSES,
  type InstructionSet,
  type ReferenceReader,
} from './instruction-set.ts';

const CALL = 1;
const JUMP = 2;
const BRANCH = 3;
const SHORT = 4;
const ZERO = 5;
const PAGE = 6;
const HIGH = 7;
const ABSOLUTE = 8;
/** LOW + half of what the low part is behind its AUIPC, less the AUIPC's own two halfwords. */
const LOW = 9;

/** How many bytes behind AUIPC or LUI the second half may be. */
const DISTANCE_MAX = 16;

const IMM_J = 0xfffff000 | 0;
const IMM_B = 0xfe000f80 | 0;
const IMM_I = 0xfff00000 | 0;
const IMM_CJ = 0x1ffc;
const IMM_CB = 0x1c7c;

/** Forms of an instruction that may be a second half: its immediate's type. */
const NO_FORM = 0;
const I_FORM = 1;
const S_FORM = 2;

/** Immediate types by opcode (bits 6…0): LOAD, LOAD-FP, OP-IMM and JALR; STORE and STORE-FP. */
const FORMS = new Uint8Array(128);
for (const opcode of [0x03, 0x07, 0x13, 0x67]) FORMS[opcode] = I_FORM;
for (const opcode of [0x23, 0x27]) FORMS[opcode] = S_FORM;

/** Opcodes that do not write an integer register: LOAD-FP, STORE, STORE-FP and BRANCH. */
const WRITES = new Uint8Array(128).fill(1);
for (const opcode of [0x07, 0x23, 0x27, 0x63]) WRITES[opcode] = 0;

/** Classes of four bytes by opcode. */
const WIDE = new Uint8Array(128);
WIDE[0x6f] = CALL;
WIDE[0x63] = BRANCH;
WIDE[0x17] = PAGE;
WIDE[0x37] = HIGH;

/** Class of a unit by itself: never the second half of an address. */
function classOf(word: number): number {
  if ((word & 3) !== 3) {
    if ((word & 0xe003) === 0xa001) return SHORT;
    return (word & 0xc003) === 0xc001 ? ZERO : NO_REFERENCE;
  }
  const kind = WIDE[word & 0x7f]!;
  if (kind === CALL) return (word & 0xf80) === 0 ? JUMP : CALL;
  // funct3 010 and 011 of BRANCH are no instructions; halves of an address need a register.
  if (kind === BRANCH) return (word & 0x6000) === 0x2000 ? NO_REFERENCE : BRANCH;
  return kind !== NO_REFERENCE && (word & 0xf80) === 0 ? NO_REFERENCE : kind;
}

/** ADDI, JALR, all loads and all stores can add a low part to their rs1. */
function lowForm(word: number): number {
  const opcode = word & 0x7f;
  return (opcode === 0x13 || opcode === 0x67) && (word & 0x7000) !== 0 ? NO_FORM : FORMS[opcode]!;
}

function destination(word: number): number {
  return (word & 3) === 3 && WRITES[word & 0x7f] !== 0 ? (word >>> 7) & 31 : 0;
}

function immLow(word: number): number {
  return FORMS[word & 0x7f] === S_FORM ? ((word >> 25) << 5) | ((word >>> 7) & 31) : word >> 20;
}

function immJ(word: number): number {
  return ((word >> 31) << 20) | (word & 0xff000) | ((word >>> 9) & 0x800) | ((word >>> 20) & 0x7fe);
}

function immB(word: number): number {
  return ((word >> 31) << 12) | ((word << 4) & 0x800) | ((word >>> 20) & 0x7e0) | ((word >>> 7) & 0x1e);
}

/** Bits 12…2 hold 11, 4, 9, 8, 10, 6, 7, 3, 2, 1, 5. */
function immCJ(word: number): number {
  const lower = ((word >>> 7) & 0x10) | ((word >>> 2) & 0xe) | ((word << 3) & 0x20);
  const middle = ((word >>> 1) & 0x340) | ((word << 2) & 0x400) | ((word << 1) & 0x80);
  return (((word << 19) >> 31) << 11) | middle | lower;
}

/** Bits 12…10 hold 8, 4, 3 and bits 6…2 hold 7, 6, 2, 1, 5. */
function immCB(word: number): number {
  const lower = ((word >>> 7) & 0x18) | ((word >>> 2) & 0x6) | ((word << 3) & 0x20);
  return (((word << 19) >> 31) << 8) | ((word << 1) & 0xc0) | lower;
}

function length(word: number): number {
  return (word & 3) === 3 ? 4 : 2;
}

/** Where a unit of a kind without registers leads; for AUIPC and LUI, their part alone. */
function direct(word: number, kind: number, va: number): number {
  switch (kind) {
    case CALL:
    case JUMP:
      return (va + immJ(word)) >>> 0;
    case BRANCH:
      return (va + immB(word)) >>> 0;
    case SHORT:
      return (va + immCJ(word)) >>> 0;
    case ZERO:
      return (va + immCB(word)) >>> 0;
    case PAGE:
      return (va + (word & IMM_J)) >>> 0;
    default:
      return (word & IMM_J) >>> 0;
  }
}

/** What AUIPC and LUI left in the registers of one side. */
class Registers {
  #known = 0;
  /** LUI's as bits; others are AUIPC's. */
  #absolute = 0;
  readonly #value = new Uint32Array(32);
  readonly #since = new Int32Array(32);

  begin(): void {
    this.#known = 0;
  }

  set(register: number, value: number, va: number, kind: number): void {
    this.#value[register] = value;
    this.#since[register] = va;
    this.#known |= 1 << register;
    if (kind === HIGH) this.#absolute |= 1 << register;
    else this.#absolute &= ~(1 << register);
  }

  /** Kind of the low part in `word`, or NO_REFERENCE. */
  lowKind(word: number, va: number): number {
    if (this.#known === 0 || lowForm(word) === NO_FORM) return NO_REFERENCE;
    const register = (word >>> 15) & 31;
    if (((this.#known >>> register) & 1) === 0) return NO_REFERENCE;
    const distance = (va - this.#since[register]!) >>> 0;
    if (distance > DISTANCE_MAX || distance < 4) return NO_REFERENCE;
    return ((this.#absolute >>> register) & 1) !== 0 ? ABSOLUTE : LOW + ((distance - 4) >>> 1);
  }

  address(word: number): number {
    return (this.#value[(word >>> 15) & 31]! + immLow(word)) >>> 0;
  }

  /** The unit was executed: what it writes is no half of an address any more. */
  pass(word: number): void {
    if (this.#known !== 0) this.#known &= ~(1 << destination(word));
  }
}

class RiscVReader implements ReferenceReader {
  length = 2;
  word = 0;
  kind = NO_REFERENCE;
  target = 0;
  opcode = 0;
  readonly #registers = new Registers();
  readonly #actual = new Registers();

  begin(): void {
    this.#registers.begin();
    this.#actual.begin();
  }

  read(bytes: Uint8Array, at: number, _start: number, end: number, va: number): void {
    this.kind = NO_REFERENCE;
    const left = end - at;
    const word = left >= 4 ? loadInt(bytes, at) : left >= 2 ? bytes[at]! | (bytes[at + 1]! << 8) : bytes[at]!;
    this.length = length(word);
    if (this.length > left) {
      // Cut off in the middle.
      this.length = Math.min(left, 2);
      this.word = this.opcode = this.length === 2 ? word & 0xffff : word & 0xff;
      return;
    }
    this.word = this.opcode = (this.length === 2 ? word & 0xffff : word) >>> 0;
    this.#readField(bytes, at, end, va);
  }

  #readField(bytes: Uint8Array, at: number, end: number, va: number): void {
    const word = this.word | 0;
    const kind = classOf(word);
    if (kind === PAGE || kind === HIGH) {
      this.#readHigh(bytes, at, end, va, kind);
    } else if (kind !== NO_REFERENCE) {
      this.#refer(kind, direct(word, kind, va), fieldOf(word, kind));
      this.#registers.pass(word);
    } else if ((word & 3) === 3) {
      const low = this.#registers.lowKind(word, va);
      if (low !== NO_REFERENCE) this.#refer(low, this.#registers.address(word), fieldOf(word, low));
      this.#registers.pass(word);
    }
  }

  #refer(kind: number, target: number, field: number): void {
    this.kind = kind;
    this.target = target;
    this.opcode = (this.word & ~field) >>> 0;
  }

  /** AUIPC alone refers to its own part; LUI alone is a number. */
  #readHigh(bytes: Uint8Array, at: number, end: number, va: number, kind: number): void {
    const word = this.word | 0;
    const register = (word >>> 7) & 31;
    const part = direct(word, kind, va);
    this.#registers.set(register, part, va, kind);
    if (kind === PAGE) this.#refer(PAGE, part, IMM_J);
    const last = Math.min(at + DISTANCE_MAX, end - 4);
    for (let next = at + 4; next <= last;) {
      const other = loadInt(bytes, next);
      if ((other & 3) === 3) {
        if (lowForm(other) !== NO_FORM && ((other >>> 15) & 31) === register) {
          this.#refer(kind, (part + immLow(other)) >>> 0, IMM_J);
          return;
        }
        if (destination(other) === register) return;
      }
      next += length(other);
    }
  }

  write(word: number, kind: number, va: number, target: number): number {
    const distance = (target - va) | 0;
    switch (kind) {
      case CALL:
      case JUMP:
        return writeJ(word, distance);
      case BRANCH:
        return writeB(word, distance);
      case SHORT:
        return writeCJ(word, distance);
      case ZERO:
        return writeCB(word, distance);
      case PAGE:
        return ((word & ~IMM_J) | ((distance + 0x800) & IMM_J)) >>> 0;
      case HIGH:
        return ((word & ~IMM_J) | ((target + 0x800) & IMM_J)) >>> 0;
      case ABSOLUTE:
        return writeLow(word, target);
      default:
        return writeLow(word, distance + ((kind - LOW) << 1) + 4);
    }
  }

  resolve(word: number, kind: number, actual: number, va: number): number {
    const given = actual | 0;
    const actualClass = classOf(given);
    if (actualClass === PAGE || actualClass === HIGH) {
      this.#actual.set((given >>> 7) & 31, direct(given, actualClass, va), va, actualClass);
      // What a first half means is only known with its second.
      return NOWHERE;
    }
    let reached = NOWHERE;
    if (kind >= ABSOLUTE) {
      const isSame = (word & 3) === 3 && (given & 3) === 3 && this.#actual.lowKind(given, va) === kind;
      if (isSame) reached = this.#actual.address(given);
    } else if (kind !== NO_REFERENCE && actualClass === kind) {
      reached = direct(given, kind, va);
    }
    this.#actual.pass(given);
    return reached;
  }
}

function fieldOf(word: number, kind: number): number {
  switch (kind) {
    case CALL:
    case JUMP:
      return IMM_J;
    case BRANCH:
      return IMM_B;
    case SHORT:
      return IMM_CJ;
    case ZERO:
      return IMM_CB;
    default:
      return FORMS[word & 0x7f] === S_FORM ? IMM_B : IMM_I;
  }
}

function writeJ(word: number, distance: number): number {
  const upper = ((distance << 11) & (1 << 31)) | ((distance << 20) & 0x7fe00000) | ((distance << 9) & 0x100000);
  return ((word & ~IMM_J) | upper | (distance & 0xff000)) >>> 0;
}

function writeB(word: number, distance: number): number {
  const upper = ((distance << 19) & (1 << 31)) | ((distance << 20) & 0x7e000000);
  return ((word & ~IMM_B) | upper | ((distance << 7) & 0xf00) | ((distance >>> 4) & 0x80)) >>> 0;
}

function writeCJ(word: number, distance: number): number {
  const lower = ((distance << 7) & 0x800) | ((distance << 2) & 0x38) | ((distance >>> 3) & 0x4);
  const upper = ((distance << 1) & 0x1680) | ((distance >>> 2) & 0x100) | ((distance >>> 1) & 0x40);
  return (word & ~IMM_CJ) | upper | lower;
}

function writeCB(word: number, distance: number): number {
  const upper = ((distance << 4) & 0x1000) | ((distance << 7) & 0xc00);
  return (word & ~IMM_CB) | upper | ((distance >>> 1) & 0x60) | ((distance << 2) & 0x18) | ((distance >>> 3) & 0x4);
}

function writeLow(word: number, value: number): number {
  if (FORMS[word & 0x7f] === S_FORM) {
    return ((word & ~IMM_B) | ((value << 20) & 0xfe000000) | ((value << 7) & 0xf80)) >>> 0;
  }
  return ((word & ~IMM_I) | (value << 20)) >>> 0;
}

/** JAL, whose distance is scattered over the word, and AUIPC (RISC-V Unprivileged ISA, 2.5 and 2.4). */
function absolute(word: number, va: number, sign: 1 | -1): number {
  const opcode = word & 0x7f;
  if (opcode === 0x17) return (word + sign * (va & ~0xfff)) >>> 0;
  if (opcode !== 0x6f) return word;
  return writeJ(word, immJ(word) + sign * (va & ~1));
}

/** JAL to ra, or AUIPC and JALR through ra. */
function findCall(bytes: Uint8Array, at: number): number {
  const low = bytes[at]! | ((bytes[at + 1]! & 15) << 8);
  if (low === 0x0ef) return at + immJ(loadInt(bytes, at));
  if (low !== 0x097 || (loadInt(bytes, at + 4) & 0xfffff) !== 0x080e7) return NOWHERE;
  return at + (loadInt(bytes, at) & ~0xfff) + (loadInt(bytes, at + 4) >> 20);
}

const UP_SHORT = [0, 1];
const UP = [0, 1, 2, 3];

export const RISCV: InstructionSet = {
  ...{ kind: REGION_KIND.riscv, alignment: 2, kinds: 16, bigEndian: false, hasPools: false, nameBits: FIELD_NAME_BITS },
  makeReader: () => new RiscVReader(),
  makeOperands: () => null,
  absolute,
  literals: {
    by: 'halfwords',
    most: (va) => ((va & 1) === 0 ? 4 : 1),
    order: (most, first) => (most === 4 && first >= 0 && (first & 3) === 3 ? UP : UP_SHORT),
  },
  signs: { step: 2, blockMin: 8, rarity: 4096, reach: 2 ** 21, areCalls: true, find: findCall },
  addresses: { ...PLAIN_ADDRESSES, widths: [64, 32] },
  isCodeOf: ({ machine }) => machine === 243,
};
