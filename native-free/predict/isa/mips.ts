/**
 * MIPS, 32 and 64 bits, most or least significant byte first: units of four bytes.
 *
 * MIPS Architecture for Programmers, Volume II-A (MD00086 and MD00087, revision 5), chapter 3 for the instructions and
 * appendix A "Instruction Bit Encodings", tables A.2 to A.4; numbers below are bits 31…26, 25…21, 20…16.
 *
 * | kind     | instruction                          | fixed bits                 | field                            |
 * | -------- | ------------------------------------ | -------------------------- | -------------------------------- |
 * | call     | JAL                                  | 000011                     | index26 · 4 in PC's 256 MiB      |
 * | jump     | J                                    | 000010                     | as above                         |
 * | always   | BEQ zero, zero ("B")                 | 000100 00000 00000         | offset16 · 4 from PC             |
 * | branch   | BEQ, BNE, BLEZ, BGTZ, BEQL … BGTZL   | 0001xx, 0101xx             | as above                         |
 * |          | BLTZ, BGEZ, BLTZL, BGEZL, and AL     | 000001 _____ x00xx         | as above                         |
 * |          | BC1F, BC1T, BC1FL, BC1TL             | 010001 01000               | as above                         |
 * | high     | LUI before a signed lower half       | 001111 00000               | imm16, bits 31…16, rounded       |
 * | highPlain | LUI before ORI                      | 001111 00000               | imm16, bits 31…16                |
 * | low      | ADDI, ADDIU, DADDI, DADDIU, loads and stores | see LOW_USERS      | imm16, bits 15…0, signed         |
 * | lowPlain | ORI                                  | 001101                     | imm16, bits 15…0                 |
 *
 * PC is the address of the delay slot: the unit's plus 4. The halves of an address both refer to the whole of it: LUI
 * looks ahead for its user. A base or an index may be added to the register between them, with ADDU or DADDU: Go adds
 * its static base, which is zero, to every upper half.
 * @module
 */
import { REGION_KIND } from '../../format/regions.ts';
import { loadInt, loadBigInt } from '../../format/words.ts';
import {
  FIELD_NAME_BITS,
  LITERAL_BYTES,
  LITERAL_WORDS,
  NO_REFERENCE,
  NOWHERE,
  PLAIN_ADDRESSES,
  type InstructionSet,
  type ReferenceReader,
} from './instruction-set.ts';

const CALL = 1;
const JUMP = 2;
const ALWAYS = 3;
const BRANCH = 4;
const HIGH = 5;
const HIGH_PLAIN = 6;
const LOW = 7;
const LOW_PLAIN = 8;

/** How many instructions after LUI its user is looked for, and how long its register is remembered. */
const LOOK_AHEAD = 8;
const REGISTER_AGE_MAX = 4 * LOOK_AHEAD;

const INDEX26 = 0x3ffffff;
const IMM16 = 0xffff;

/** Major opcodes (bits 31…26). */
const SPECIAL = 0;
const REGIMM = 1;
const LUI = 0x0f;
const COP1 = 0x11;

/** Bits of each kind's field. */
const FIELD = Int32Array.of(0, INDEX26, INDEX26, IMM16, IMM16, IMM16, IMM16, IMM16, IMM16);

/** Classes by major opcode; REGIMM, COP1 and BEQ need a second look. */
const MAJOR = new Uint8Array(64);
MAJOR[2] = JUMP;
MAJOR[3] = CALL;
for (const major of [REGIMM, 4, 5, 6, 7, COP1, 20, 21, 22, 23]) MAJOR[major] = BRANCH;
MAJOR[LUI] = HIGH;

/**
 * Instructions that add their imm16 to rs, by major opcode: ADDI, ADDIU, DADDI, DADDIU; LDL, LDR; LB … LWU; SB … SWR;
 * LL, LWC1, LLD, LDC1, LD; SC, SWC1, SCD, SDC1, SD. And ORI, which does not extend the sign.
 */
const LOW_USERS = new Uint8Array(64);
for (const major of [8, 9, 24, 25, 26, 27, 48, 49, 52, 53, 55, 56, 57, 60, 61, 63]) LOW_USERS[major] = LOW;
LOW_USERS.fill(LOW, 32, 47);
LOW_USERS[13] = LOW_PLAIN;

/** Where the destination register stands, by major opcode: in rt for immediates and integer loads, in rd for SPECIAL. */
const DESTINATION_SHIFT = new Uint8Array(64);
DESTINATION_SHIFT.fill(16, 8, 16).fill(16, 24, 28).fill(16, 32, 40);
for (const major of [48, 52, 55, 56, 60]) DESTINATION_SHIFT[major] = 16;
DESTINATION_SHIFT[SPECIAL] = 11;

function classOf(word: number): number {
  const kind = MAJOR[word >>> 26]!;
  if (kind === HIGH) return (word & 0x03e00000) === 0 && (word & 0x1f0000) !== 0 ? HIGH : NO_REFERENCE;
  return kind === BRANCH ? branchClass(word) : kind;
}

function branchClass(word: number): number {
  switch (word >>> 26) {
    case REGIMM:
      return (word & 0x0c0000) === 0 ? BRANCH : NO_REFERENCE;
    case COP1:
      return (word & 0x03e00000) === 0x01000000 ? BRANCH : NO_REFERENCE;
    case 4:
      return (word & 0x03ff0000) === 0 ? ALWAYS : BRANCH;
    default:
      return BRANCH;
  }
}

/** The register that `word` leaves without its upper half, or 0. Adding something to it in place keeps it. */
function destination(word: number): number {
  const major = word >>> 26;
  const shift = DESTINATION_SHIFT[major]!;
  if (shift === 0) return 0;
  const register = (word >>> shift) & 31;
  if (major !== SPECIAL || ((word & 0x7ff) !== 0x21 && (word & 0x7ff) !== 0x2d)) return register;
  return register === ((word >>> 21) & 31) || register === ((word >>> 16) & 31) ? 0 : register;
}

/** The lower half's number, as it is added to the upper one. */
function immLow(word: number, lowKind: number): number {
  return lowKind === LOW ? (word << 16) >> 16 : word & IMM16;
}

/** Where a unit of a kind without registers leads. */
function direct(word: number, kind: number, va: number): number {
  if (kind <= JUMP) return (((va + 4) & 0xf0000000) | ((word & INDEX26) << 2)) >>> 0;
  return (va + 4 + ((word << 16) >> 14)) >>> 0;
}

/** Upper halves in the registers of one side. */
class Registers {
  #known = 0;
  readonly #high = new Int32Array(32);
  readonly #since = new Int32Array(32);

  begin(): void {
    this.#known = 0;
  }

  set(word: number, va: number): void {
    const register = (word >>> 16) & 31;
    this.#high[register] = word << 16;
    this.#since[register] = va;
    this.#known |= 1 << register;
  }

  /** Kind of the lower half in `word`, or NO_REFERENCE. */
  lowKind(word: number, va: number): number {
    if (this.#known === 0) return NO_REFERENCE;
    const register = (word >>> 21) & 31;
    if (((this.#known >>> register) & 1) === 0) return NO_REFERENCE;
    const age = (va - this.#since[register]!) >>> 0;
    return age <= REGISTER_AGE_MAX ? LOW_USERS[word >>> 26]! : NO_REFERENCE;
  }

  address(word: number, lowKind: number): number {
    return (this.#high[(word >>> 21) & 31]! + immLow(word, lowKind)) >>> 0;
  }

  /** The unit was executed: what it writes is no upper half any more. */
  pass(word: number): void {
    if (this.#known !== 0) this.#known &= ~(1 << destination(word));
  }
}

class MipsReader implements ReferenceReader {
  length = 4;
  word = 0;
  kind = NO_REFERENCE;
  target = 0;
  opcode = 0;
  readonly #bigEndian: boolean;
  readonly #registers = new Registers();
  readonly #actual = new Registers();

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  begin(): void {
    this.#registers.begin();
    this.#actual.begin();
  }

  read(bytes: Uint8Array, at: number, _start: number, end: number, va: number): void {
    this.kind = NO_REFERENCE;
    if (at + 4 > end) {
      this.length = 1;
      this.word = this.opcode = bytes[at]!;
      return;
    }
    const word = this.#load(bytes, at);
    this.length = 4;
    this.word = this.opcode = word >>> 0;
    const kind = classOf(word);
    if (kind === HIGH) {
      this.#readHigh(bytes, at, end);
      this.#registers.set(word, va);
    } else if (kind !== NO_REFERENCE) {
      this.#refer(kind, direct(word, kind, va));
    } else {
      const low = this.#registers.lowKind(word, va);
      if (low !== NO_REFERENCE) this.#refer(low, this.#registers.address(word, low));
      this.#registers.pass(word);
    }
  }

  #load(bytes: Uint8Array, at: number): number {
    return this.#bigEndian ? loadBigInt(bytes, at) : loadInt(bytes, at);
  }

  #refer(kind: number, target: number): void {
    this.kind = kind;
    this.target = target;
    this.opcode = (this.word & ~FIELD[kind]!) >>> 0;
  }

  /** An upper half alone is a number; with a lower half to come it is an address. */
  #readHigh(bytes: Uint8Array, at: number, end: number): void {
    const word = this.word | 0;
    const register = (word >>> 16) & 31;
    const last = Math.min(end - 4, at + REGISTER_AGE_MAX);
    for (let next = at + 4; next <= last; next += 4) {
      const other = this.#load(bytes, next);
      const low = LOW_USERS[other >>> 26]!;
      if (low !== NO_REFERENCE && ((other >>> 21) & 31) === register) {
        const kind = low === LOW ? HIGH : HIGH_PLAIN;
        this.#refer(kind, ((word << 16) + immLow(other, low)) >>> 0);
        return;
      }
      if (destination(other) === register) return;
    }
  }

  write(word: number, kind: number, va: number, target: number): number {
    switch (kind) {
      case CALL:
      case JUMP:
        return ((word & ~INDEX26) | ((target >>> 2) & INDEX26)) >>> 0;
      case ALWAYS:
      case BRANCH:
        return ((word & ~IMM16) | (((target - va - 4) >> 2) & IMM16)) >>> 0;
      case HIGH:
        return ((word & ~IMM16) | ((((target | 0) + 0x8000) >>> 16) & IMM16)) >>> 0;
      case HIGH_PLAIN:
        return ((word & ~IMM16) | (target >>> 16)) >>> 0;
      default:
        return ((word & ~IMM16) | (target & IMM16)) >>> 0;
    }
  }

  resolve(_word: number, kind: number, actual: number, va: number): number {
    const given = actual | 0;
    const actualClass = classOf(given);
    if (actualClass === HIGH) {
      // What an upper half means is only known with its lower one.
      this.#actual.set(given, va);
      return NOWHERE;
    }
    if (actualClass !== NO_REFERENCE) return actualClass === kind ? direct(given, kind, va) : NOWHERE;
    const isLow = kind >= LOW && this.#actual.lowKind(given, va) === kind;
    const reached = isLow ? this.#actual.address(given, kind) : NOWHERE;
    this.#actual.pass(given);
    return reached;
  }
}

/**
 * Calls name absolute addresses here, so the signs are returns and stack frames: JR ra, behind whose delay slot a
 * function begins; ADDIU sp and DADDIU sp that open a frame, where one begins.
 */
function startAt(word: number, at: number): number {
  if (word === 0x03e00008) return at + 8;
  const isFrame = word >>> 16 === 0x27bd || word >>> 16 === 0x67bd;
  return isFrame && (word & 0x8000) !== 0 ? at : NOWHERE;
}

function findLittle(bytes: Uint8Array, at: number): number {
  const top = bytes[at + 3]!;
  return top === 3 || top === 0x27 || top === 0x67 ? startAt(loadInt(bytes, at), at) : NOWHERE;
}

function findBig(bytes: Uint8Array, at: number): number {
  const top = bytes[at]!;
  if (top !== 3 && top !== 0x27 && top !== 0x67) return NOWHERE;
  return startAt(loadBigInt(bytes, at), at);
}

const MIPS_MACHINE = 8;

const COMMON = {
  alignment: 4,
  ...{ kinds: 9, hasPools: false, nameBits: FIELD_NAME_BITS },
  makeOperands: () => null,
  /** Calls are absolute as they are. */
  absolute: (word: number) => word,
  addresses: { ...PLAIN_ADDRESSES, widths: [64, 32] },
} as const;
const SIGNS = { step: 4, blockMin: 4, rarity: 2 ** 15, reach: 1, areCalls: false } as const;

export const MIPS: InstructionSet = {
  ...{ ...COMMON, kind: REGION_KIND.mips, bigEndian: false },
  makeReader: () => new MipsReader(false),
  literals: LITERAL_WORDS,
  signs: { ...SIGNS, find: findLittle },
  isCodeOf: ({ machine, isLittle }) => machine === MIPS_MACHINE && isLittle,
};

export const MIPS_BIG: InstructionSet = {
  ...{ ...COMMON, kind: REGION_KIND.mipsBig, bigEndian: true },
  makeReader: () => new MipsReader(true),
  literals: LITERAL_BYTES,
  signs: { ...SIGNS, find: findBig },
  isCodeOf: ({ machine, isLittle }) => machine === MIPS_MACHINE && !isLittle,
};
