/**
 * A32, the 32-bit Arm instruction set: units of four bytes. The program counter reads as the unit's address plus 8.
 *
 * Arm Architecture Reference Manual ARMv7-A and ARMv7-R (DDI 0406C), section A5.1 "ARM instruction set encoding"; the
 * section of each instruction stands beside it. c is a condition other than 1111.
 *
 * | kind     | instruction (encoding, section)         | fixed bits                     | field                     |
 * | -------- | --------------------------------------- | ------------------------------ | ------------------------- |
 * | call     | BL (A1, A8.8.25)                        | c 1011                         | imm24 · 4 from PC         |
 * | jump     | B, always (A1, A8.8.18)                 | 1110 1010                      | imm24 · 4 from PC         |
 * | cond     | B, conditional                          | c 1010                         | imm24 · 4 from PC         |
 * | exchange | BLX (A2, A8.8.25)                       | 1111 101                       | imm24:H · 2 from PC       |
 * | load     | LDR, LDRB (literal: A8.8.64, A8.8.69)   | c 0101 _x01 1111               | U, imm12 from PC          |
 * | half     | LDRH, LDRSB, LDRSH, LDRD (literal: A8.8.81, A8.8.85, A8.8.89, A8.8.73) | c 0001 _10x 1111 … 1xx1 | U, imm4H:imm4L from PC |
 * | float    | VLDR (literal, A8.8.333)                | c 1101 _x01 1111 … 101         | U, imm8 · 4 from PC       |
 * | near     | ADR: ADD, SUB Rd, PC, #n (A8.8.12)      | c 0010 1000 1111, c 0010 0100 1111 | imm12, rotated, from PC |
 * | low      | MOVW (A2, A8.8.102)                     | c 0011 0000                    | imm4:imm12, bits 15…0     |
 * | high     | MOVT (A1, A8.8.106)                     | c 0011 0100                    | imm4:imm12, bits 31…16    |
 * | placed   | a word of a literal pool                | found by its users             | 32 bits from its user's PC |
 *
 * MOVW and MOVT of one register make one address and both refer to it: MOVW looks ahead for its MOVT, MOVT remembers
 * the MOVW. A word of the pool refers to something if ADD Rd, PC, Rm (A8.8.7) or LDR Rt, [PC, Rm] (A8.8.66) used it:
 * see literal-pools.ts.
 * @module
 */
import { REGION_KIND } from '../../format/regions.ts';
import { loadInt } from '../../format/words.ts';
import { A32Operands } from './a32-operands.ts';
import { Halves } from './arm-halves.ts';
import {
  FIELD_NAME_BITS,
  LITERAL_WORDS,
  NO_REFERENCE,
  NOWHERE,
  type InstructionSet,
  type ReferenceReader,
} from './instruction-set.ts';
import { LITERAL, LiteralPools } from './literal-pools.ts';

const CALL = 1;
const JUMP = 2;
const COND = 3;
const EXCHANGE = 4;
const LOAD = 5;
const HALF = 6;
const FLOAT = 7;
const NEAR = 8;
const LOW = 9;
const HIGH = 10;
const PLACED = 11;
/** Not a kind: ADD Rd, PC, Rm or LDR Rt, [PC, Rm], which make an address of the distance in Rm. */
const USER = 12;

/** How many instructions MOVW and its MOVT may be apart. */
const LOOK_AHEAD = 8;

const UP = 1 << 23;
const DOWN = 1 << 22;
const IMM24 = 0xffffff;
const IMM16 = 0xf0fff;

/** Bits of each kind's field. */
const FIELD = Int32Array.of(
  ...[0, IMM24, IMM24, IMM24, IMM24 | (1 << 24), UP | 0xfff, UP | 0xf0f, UP | 0xff],
  ...[UP | DOWN | 0xfff, IMM16, IMM16, -1, 0],
);

function classOf(word: number): number {
  if (word >>> 28 === 15) return (word & 0x0e000000) === 0x0a000000 ? EXCHANGE : NO_REFERENCE;
  switch ((word >>> 24) & 15) {
    case 0:
      return (word & 0x00ff0ff0) === 0x008f0000 ? USER : NO_REFERENCE;
    case 1:
      return (word & 0x006f0090) === 0x004f0090 ? halfClass(word) : NO_REFERENCE;
    case 2:
      return (word & 0x00ff0000) === 0x008f0000 || (word & 0x00ff0000) === 0x004f0000 ? NEAR : NO_REFERENCE;
    case 3:
      return (word & 0x00b00000) !== 0 ? NO_REFERENCE : (word & DOWN) === 0 ? LOW : HIGH;
    case 5:
      return (word & 0x003f0000) === 0x001f0000 ? LOAD : NO_REFERENCE;
    case 7:
      return (word & 0x00ff0ff0) === 0x009f0000 ? USER : NO_REFERENCE;
    case 10:
      return word >>> 28 === 14 ? JUMP : COND;
    case 11:
      return CALL;
    case 13:
      return (word & 0x003f0e00) === 0x001f0a00 ? FLOAT : NO_REFERENCE;
    default:
      return NO_REFERENCE;
  }
}

/** Bits 6…5 say H, SB or SH for loads (bit 20 set); without it 10 is LDRD, and 11 would be a store. */
function halfClass(word: number): number {
  const operation = (word >>> 5) & 3;
  return operation !== 0 && ((word & 0x00100000) !== 0 || operation === 2) ? HALF : NO_REFERENCE;
}

function imm16(word: number): number {
  return ((word >>> 4) & 0xf000) | (word & 0xfff);
}

/** Modified immediate constant (A5.2.4): eight bits, rotated right by twice the upper four. */
function rotated(word: number): number {
  const by = (word >>> 7) & 30;
  const value = word & 0xff;
  return (value >>> by) | (value << (32 - by));
}

/** Distance of an access, without and with its direction. */
function offset(word: number, magnitude: number): number {
  return (word & UP) !== 0 ? magnitude : -magnitude;
}

/** Where a unit of a kind without registers leads. */
function direct(word: number, kind: number, va: number): number {
  const pc = va + 8;
  switch (kind) {
    case CALL:
    case JUMP:
    case COND:
      return (pc + ((word << 8) >> 6)) >>> 0;
    case EXCHANGE:
      return (pc + ((word << 8) >> 6) + ((word >>> 23) & 2)) >>> 0;
    case LOAD:
      return (pc + offset(word, word & 0xfff)) >>> 0;
    case HALF:
      return (pc + offset(word, ((word >>> 4) & 0xf0) | (word & 0xf))) >>> 0;
    case FLOAT:
      return (pc + offset(word, (word & 0xff) << 2)) >>> 0;
    default:
      return (pc + offset(word, rotated(word))) >>> 0;
  }
}

/** The word with its direction set; a distance of nothing keeps the one it had. */
function directed(word: number, kind: number, distance: number): number {
  const up = distance === 0 ? word & UP : distance > 0 ? UP : 0;
  return (word & ~FIELD[kind]!) | up;
}

/** ADR with another distance, in the encoding with the smallest rotation; as it was if there is none. */
function writeNear(word: number, distance: number): number {
  if (offset(word, rotated(word)) === distance) return word >>> 0;
  const magnitude = Math.abs(distance);
  for (let turn = 0; turn < 16; turn++) {
    const by = turn * 2;
    const value = ((magnitude << by) | (magnitude >>> (32 - by))) >>> 0;
    const turned = by === 0 ? magnitude : value;
    if (turned > 0xff) continue;
    return ((word & ~FIELD[NEAR]!) | (distance < 0 ? DOWN : UP) | (turn << 8) | turned) >>> 0;
  }
  return word >>> 0;
}

class A32Reader implements ReferenceReader {
  length = 4;
  word = 0;
  kind = NO_REFERENCE;
  target = 0;
  opcode = 0;
  readonly #pools = new LiteralPools();
  readonly #actualPools = new LiteralPools();
  /** Of both sides. */
  readonly #halves = new Halves();
  readonly #actualHalves = new Halves();

  begin(): void {
    this.#pools.begin();
    this.#actualPools.begin();
    this.#halves.begin();
    this.#actualHalves.begin();
  }

  read(bytes: Uint8Array, at: number, _start: number, end: number, va: number): void {
    this.kind = NO_REFERENCE;
    if (at + 4 > end) {
      this.length = 1;
      this.word = this.opcode = bytes[at]!;
      return;
    }
    const word = loadInt(bytes, at);
    this.length = 4;
    this.word = this.opcode = word >>> 0;
    const literal = this.#pools.find(va);
    if (literal !== LITERAL.none) {
      if (literal === LITERAL.placed) this.#refer(PLACED, (word + this.#pools.user) >>> 0);
      return;
    }
    const kind = classOf(word);
    if (kind === NO_REFERENCE) return;
    if (kind === LOW) this.#readLow(bytes, at, end, va);
    else if (kind === HIGH) this.#readHigh(word, va);
    else if (kind === USER) this.#pools.add(word & 15, (va + 8) >>> 0, va);
    else {
      this.#refer(kind, direct(word, kind, va));
      if (kind === LOAD) this.#pools.load((word >>> 12) & 15, this.target, va);
      else if (kind === FLOAT) this.#markFloat(word);
    }
  }

  #refer(kind: number, target: number): void {
    this.kind = kind;
    this.target = target;
    this.opcode = (this.word & ~FIELD[kind]!) >>> 0;
  }

  #markFloat(word: number): void {
    this.#pools.mark(this.target);
    if ((word & 0x100) !== 0) this.#pools.mark((this.target + 4) >>> 0);
  }

  /** A lower half alone is a number; with the upper half to come it is an address. */
  #readLow(bytes: Uint8Array, at: number, end: number, va: number): void {
    const word = this.word | 0;
    const register = (word >>> 12) & 15;
    this.#halves.set(register, imm16(word), va);
    const same = word & 0xfff0f000;
    const last = Math.min(end - 4, at + 4 * LOOK_AHEAD);
    for (let next = at + 4; next <= last; next += 4) {
      const other = loadInt(bytes, next);
      if ((other & 0xfff0f000) === (same | DOWN)) {
        this.#refer(LOW, ((imm16(other) << 16) | imm16(word)) >>> 0);
        return;
      }
      if ((other & 0xfff0f000) === same) return;
    }
  }

  #readHigh(word: number, va: number): void {
    const address = this.#halves.completed((word >>> 12) & 15, imm16(word), va);
    if (address !== NOWHERE) this.#refer(HIGH, address);
  }

  /**
   * A pool's word is written relative to the user that was seen on the target's side, so for that kind alone the state
   * of `resolve` matters; without a user it is relative to itself.
   */
  write(word: number, kind: number, va: number, target: number): number {
    const distance = (target - va - 8) | 0;
    const magnitude = Math.abs(distance);
    switch (kind) {
      case CALL:
      case JUMP:
      case COND:
        return ((word & ~IMM24) | ((distance >> 2) & IMM24)) >>> 0;
      case EXCHANGE:
        return ((word & ~FIELD[EXCHANGE]!) | ((distance >> 2) & IMM24) | ((distance & 2) << 23)) >>> 0;
      case LOAD:
        return (directed(word, LOAD, distance) | (magnitude & 0xfff)) >>> 0;
      case HALF:
        return (directed(word, HALF, distance) | ((magnitude & 0xf0) << 4) | (magnitude & 0xf)) >>> 0;
      case FLOAT:
        return (directed(word, FLOAT, distance) | ((magnitude >> 2) & 0xff)) >>> 0;
      case NEAR:
        return writeNear(word, distance);
      case LOW:
        return ((word & ~IMM16) | ((target & 0xf000) << 4) | (target & 0xfff)) >>> 0;
      case HIGH:
        return ((word & ~IMM16) | ((target >>> 12) & 0xf0000) | ((target >>> 16) & 0xfff)) >>> 0;
      default:
        return (target - this.#placeOf(va)) >>> 0;
    }
  }

  #placeOf(va: number): number {
    const user = this.#actualPools.userOf(va);
    return user === NOWHERE ? va : user;
  }

  resolve(_word: number, kind: number, actual: number, va: number): number {
    if (kind === PLACED) {
      const user = this.#actualPools.userOf(va);
      return user === NOWHERE ? NOWHERE : (actual + user) >>> 0;
    }
    const actualClass = classOf(actual | 0);
    if (actualClass >= LOW) return this.#resolveRegister(kind, actual | 0, actualClass, va);
    if (actualClass === NO_REFERENCE) return NOWHERE;
    const target = direct(actual | 0, actualClass, va);
    if (actualClass === LOAD) this.#actualPools.load((actual >>> 12) & 15, target, va);
    return actualClass === kind ? target : NOWHERE;
  }

  #resolveRegister(kind: number, actual: number, actualClass: number, va: number): number {
    const register = (actual >>> 12) & 15;
    if (actualClass === USER) {
      this.#actualPools.add(actual & 15, (va + 8) >>> 0, va);
    } else if (actualClass === LOW) {
      this.#actualHalves.set(register, imm16(actual), va);
    } else if (kind === HIGH) {
      return this.#actualHalves.completed(register, imm16(actual), va);
    }
    return NOWHERE;
  }
}

/** BL, and BLX to Thumb code. */
function absolute(word: number, va: number, sign: 1 | -1): number {
  if ((word & 0x0f000000) !== 0x0b000000 && (word & 0xfe000000) !== (0xfa000000 | 0)) return word;
  return ((word & ~IMM24) | ((word + sign * (va >> 2)) & IMM24)) >>> 0;
}

/** BL, always. */
function findCall(bytes: Uint8Array, at: number): number {
  return bytes[at + 3] === 0xeb ? at + 8 + ((loadInt(bytes, at) << 8) >> 6) : NOWHERE;
}

/** LDR (literal) with an offset upwards. */
function literalOf(image: Uint8Array, at: number): number {
  const upper = image[at + 2]!;
  if ((image[at + 3]! & 15) !== 5 || (upper & 0xdf) !== 0x9f || upper < 0x80) return NOWHERE;
  return at + 8 + (image[at]! | ((image[at + 1]! & 15) << 8));
}

/** ELF header: code is little-endian although data is not (BE8). */
const FLAG_BE8 = 0x00800000;

export const A32: InstructionSet = {
  ...{ kind: REGION_KIND.a32, alignment: 4, kinds: 12, bigEndian: false, hasPools: true, nameBits: FIELD_NAME_BITS },
  makeReader: () => new A32Reader(),
  makeOperands: () => new A32Operands(),
  absolute,
  literals: LITERAL_WORDS,
  signs: { step: 4, blockMin: 10, rarity: 256, reach: 2 ** 26, areCalls: true, find: findCall },
  addresses: { widths: [32], functionOf: (word) => word, literalOf },
  // Which of it is T32 is found out later: see arm-state.ts.
  isCodeOf: ({ machine, flags, isLittle }) => machine === 40 && (isLittle || (flags & FLAG_BE8) !== 0),
};
