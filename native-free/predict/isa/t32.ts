/**
 * T32, the Thumb instruction set with its 32-bit instructions: units of two or four bytes. The program counter reads as
 * the unit's address plus 4; loads and address computations use it rounded down to four bytes: "AL" below.
 *
 * Arm Architecture Reference Manual ARMv7-A and ARMv7-R (DDI 0406C), sections A6.2 and A6.3; ARMv7-M (DDI 0403E) has
 * the same encodings in A5.2 and A5.3. A unit of four bytes is written as first halfword / second halfword; as a
 * number, the first is the lower half.
 *
 * | kind      | instruction (encoding, section)      | fixed bits                         | field                          |
 * | --------- | ------------------------------------ | ---------------------------------- | ------------------------------ |
 * | call      | BL (T1, A8.8.25)                     | 11110 / 11_1                       | S:I1:I2:imm10:imm11 · 2 from PC |
 * | exchange  | BLX (T2, A8.8.25)                    | 11110 / 11_0 … 0                   | S:I1:I2:imm10H:imm10L · 4 from AL |
 * | jump      | B.W (T4, A8.8.18)                    | 11110 / 10_1                       | S:I1:I2:imm10:imm11 · 2 from PC |
 * | cond      | B<c>.W (T3), c not 111x              | 11110 / 10_0                       | S:J2:J1:imm6:imm11 · 2 from PC |
 * | condShort | B<c> (T1), c not 111x                | 1101                               | imm8 · 2 from PC               |
 * | jumpShort | B (T2)                               | 11100                              | imm11 · 2 from PC              |
 * | zero      | CBZ, CBNZ (T1, A8.8.29)              | 1011 x0x1                          | i:imm5 · 2 from PC, forward    |
 * | nearby    | LDR (literal, T1, A8.8.64), ADR (T1, A8.8.12) | 01001, 10100              | imm8 · 4 from AL, forward      |
 * | load      | LDR.W, LDR{B,H,SB,SH} (literal)      | 1111 100x _xx1 1111, size not 11   | U, imm12 from AL               |
 * | scaled    | LDRD (A8.8.73), VLDR (A8.8.333)      | 1110 1001 _101 1111, 1110 1101 _x01 1111 / … 101 | U, imm8 · 4 from AL |
 * | near      | ADR.W (T3 adds, T2 subtracts)        | 11110_10 0000 1111, 11110_10 1010 1111 / 0 | i:imm3:imm8 from AL    |
 * | low       | MOVW (T3, A8.8.102)                  | 11110_10 0100 / 0                  | imm4:i:imm3:imm8, bits 15…0    |
 * | high      | MOVT (T1, A8.8.106)                  | 11110_10 1100 / 0                  | imm4:i:imm3:imm8, bits 31…16   |
 * | placed    | a word of a literal pool             | found by its users                 | 32 bits from its user's PC     |
 *
 * Halves of addresses and words of pools are as in a32.ts; the user of a pool's word is ADD Rdn, PC (T2, A8.8.6).
 * @module
 */
import { REGION_KIND } from '../../format/regions.ts';
import { loadInt } from '../../format/words.ts';
import { Halves } from './arm-halves.ts';
import {
  FIELD_NAME_BITS,
  NO_REFERENCE,
  NOWHERE,
  type InstructionSet,
  type ReferenceReader,
} from './instruction-set.ts';
import { LITERAL, LiteralPools } from './literal-pools.ts';
import { IMM16, IMM21, IMM25, imm12, imm16, offset21, offset25, withImm16, write21, write25 } from './t32-fields.ts';

const CALL = 1;
const EXCHANGE = 2;
const JUMP = 3;
const COND = 4;
const COND_SHORT = 5;
const JUMP_SHORT = 6;
const ZERO = 7;
const NEARBY = 8;
const LOAD = 9;
const SCALED = 10;
const NEAR = 11;
const LOW = 12;
const HIGH = 13;
const PLACED = 14;
/** Not a kind: ADD Rdn, PC, which makes an address of the distance in Rdn. */
const USER = 15;

/** How many instructions after MOVW its MOVT is looked for. */
const LOOK_AHEAD = 8;

const UP = 0x80;
const DOWN_NEAR = 0xa0;

/** Bits of each kind's field. */
const FIELD = Int32Array.of(
  ...[0, IMM25, IMM25, IMM25, IMM21, 0xff, 0x7ff, 0x2f8, 0xff],
  ...[0x0fff0000 | UP, 0x00ff0000 | UP, 0x70ff0400 | DOWN_NEAR, IMM16, IMM16, -1, 0],
);

/** Classes of units of two bytes, by their upper byte. */
const NARROW = new Uint8Array(256);
NARROW.fill(COND_SHORT, 0xd0, 0xde);
NARROW.fill(JUMP_SHORT, 0xe0, 0xe8);
NARROW.fill(NEARBY, 0x48, 0x50);
NARROW.fill(NEARBY, 0xa0, 0xa8);
for (const upper of [0xb1, 0xb3, 0xb9, 0xbb]) NARROW[upper] = ZERO;
NARROW[0x44] = USER;

function isWide(word: number): boolean {
  return (word & 0xf800) >= 0xe800;
}

function classOf(word: number): number {
  if (isWide(word)) return (word & 0x1000) !== 0 ? wideClass(word) : scaledClass(word);
  const kind = NARROW[(word >>> 8) & 0xff]!;
  return kind === USER && (word & 0x78) !== 0x78 ? NO_REFERENCE : kind;
}

/** First halfword 1111…: branches, immediates and single loads. */
function wideClass(word: number): number {
  if ((word & 0x0800) !== 0) {
    return (word & 0xfe1f) === 0xf81f && (word & 0x60) !== 0x60 ? LOAD : NO_REFERENCE;
  }
  if (word < 0) return branchClass(word);
  if ((word & 0x03f0) === 0x0240) return LOW;
  if ((word & 0x03f0) === 0x02c0) return HIGH;
  return (word & 0x03ff) === 0x020f || (word & 0x03ff) === 0x02af ? NEAR : NO_REFERENCE;
}

/** First halfword 11110, second 1…: which branch is in bits 14 and 12 of the second, BLX's bit 0 is clear. */
function branchClass(word: number): number {
  switch ((word >>> 28) & 5) {
    case 5:
      return CALL;
    case 4:
      return (word & 0x10000) === 0 ? EXCHANGE : NO_REFERENCE;
    case 1:
      return JUMP;
    default:
      return (word & 0x0380) === 0x0380 ? NO_REFERENCE : COND;
  }
}

/** First halfword 1110…. */
function scaledClass(word: number): number {
  if ((word & 0xff7f) === 0xe95f) return SCALED;
  return (word & 0x0e00ff3f) === 0x0a00ed1f ? SCALED : NO_REFERENCE;
}

/** Where a unit of a kind without registers leads. */
function direct(word: number, kind: number, va: number): number {
  const pc = va + 4;
  const aligned = pc & ~3;
  switch (kind) {
    case CALL:
    case JUMP:
      return (pc + offset25(word)) >>> 0;
    case EXCHANGE:
      return (aligned + offset25(word)) >>> 0;
    case COND:
      return (pc + offset21(word)) >>> 0;
    case COND_SHORT:
      return (pc + ((word << 24) >> 23)) >>> 0;
    case JUMP_SHORT:
      return (pc + ((word << 21) >> 20)) >>> 0;
    case ZERO:
      return (pc + ((word >>> 2) & 0x3e) + ((word >>> 3) & 0x40)) >>> 0;
    case NEARBY:
      return (aligned + ((word & 0xff) << 2)) >>> 0;
    case LOAD:
      return (aligned + ((word & UP) !== 0 ? (word >>> 16) & 0xfff : -((word >>> 16) & 0xfff))) >>> 0;
    case SCALED:
      return (aligned + ((word & UP) !== 0 ? (word >>> 14) & 0x3fc : -((word >>> 14) & 0x3fc))) >>> 0;
    default:
      return (aligned + ((word & DOWN_NEAR) === 0 ? imm12(word) : -imm12(word))) >>> 0;
  }
}

class T32Reader implements ReferenceReader {
  length = 2;
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
      this.#readLast(bytes, at, end, va);
      return;
    }
    if ((va & 3) === 0 && this.#readLiteral(bytes, at, va)) return;
    const narrow = bytes[at]! | (bytes[at + 1]! << 8);
    const wide = isWide(narrow);
    const word = wide ? narrow | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24) : narrow;
    this.length = wide ? 4 : 2;
    this.word = this.opcode = word >>> 0;
    const kind = classOf(word);
    if (kind !== NO_REFERENCE) this.#readField(bytes, at, end, va, kind);
  }

  /** Less than four bytes are left: a narrow instruction, or what is left of something cut off. */
  #readLast(bytes: Uint8Array, at: number, end: number, va: number): void {
    const word = at + 2 > end ? bytes[at]! : bytes[at]! | (bytes[at + 1]! << 8);
    this.length = at + 2 > end ? 1 : 2;
    this.word = this.opcode = word;
    if (this.length === 1 || isWide(word)) return;
    const kind = classOf(word);
    if (kind !== NO_REFERENCE) this.#readField(bytes, at, end, va, kind);
  }

  #readLiteral(bytes: Uint8Array, at: number, va: number): boolean {
    const literal = this.#pools.find(va);
    if (literal === LITERAL.none) return false;
    const word = loadInt(bytes, at);
    this.length = 4;
    this.word = this.opcode = word >>> 0;
    if (literal === LITERAL.placed) this.#refer(PLACED, (word + this.#pools.user) >>> 0);
    return true;
  }

  #refer(kind: number, target: number): void {
    this.kind = kind;
    this.target = target;
    this.opcode = (this.word & ~FIELD[kind]!) >>> 0;
  }

  #readField(bytes: Uint8Array, at: number, end: number, va: number, kind: number): void {
    const word = this.word | 0;
    if (kind === LOW) this.#readLow(bytes, at, end, va);
    else if (kind === HIGH) this.#readHigh(word, va);
    else if (kind === USER) this.#pools.add(userRegister(word), (va + 4) >>> 0, va);
    else {
      this.#refer(kind, direct(word, kind, va));
      if (kind >= NEARBY) notePool(this.#pools, word, kind, this.target, va);
    }
  }

  /** A lower half alone is a number; with the upper half to come it is an address. */
  #readLow(bytes: Uint8Array, at: number, end: number, va: number): void {
    const word = this.word | 0;
    const register = (word >>> 24) & 15;
    this.#halves.set(register, imm16(word), va);
    for (let i = 1, next = at + 4; i <= LOOK_AHEAD && next + 4 <= end; i++) {
      const other = loadInt(bytes, next);
      if ((other & 0x8f00fbf0) === ((register << 24) | 0xf2c0)) {
        this.#refer(LOW, ((imm16(other) << 16) | imm16(word)) >>> 0);
        return;
      }
      if ((other & 0x8f00fbf0) === ((register << 24) | 0xf240)) return;
      next += isWide(other) ? 4 : 2;
    }
  }

  #readHigh(word: number, va: number): void {
    const address = this.#halves.completed((word >>> 24) & 15, imm16(word), va);
    if (address !== NOWHERE) this.#refer(HIGH, address);
  }

  /** As in a32.ts, only a pool's word depends on what `resolve` was told. */
  write(word: number, kind: number, va: number, target: number): number {
    const distance = (target - va - 4) | 0;
    const rounded = (target - ((va + 4) & ~3)) | 0;
    switch (kind) {
      case CALL:
      case JUMP:
        return write25(word, distance);
      case EXCHANGE:
        return write25(word, rounded & ~3);
      case COND:
        return write21(word, distance);
      case COND_SHORT:
        return ((word & ~0xff) | ((distance >> 1) & 0xff)) >>> 0;
      case JUMP_SHORT:
        return ((word & ~0x7ff) | ((distance >> 1) & 0x7ff)) >>> 0;
      case ZERO:
        return ((word & ~0x2f8) | ((distance << 2) & 0xf8) | ((distance << 3) & 0x200)) >>> 0;
      case NEARBY:
        return ((word & ~0xff) | ((rounded >> 2) & 0xff)) >>> 0;
      case LOAD:
      case SCALED:
      case NEAR:
        return writeSigned(word, kind, rounded);
      case LOW:
        return withImm16(word, target & 0xffff);
      case HIGH:
        return withImm16(word, target >>> 16);
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
    if (actualClass === NO_REFERENCE) return NOWHERE;
    if (actualClass >= LOW) return this.#resolveRegister(kind, actual | 0, actualClass, va);
    const target = direct(actual | 0, actualClass, va);
    if (actualClass >= NEARBY) notePool(this.#actualPools, actual | 0, actualClass, target, va);
    return actualClass === kind ? target : NOWHERE;
  }

  #resolveRegister(kind: number, actual: number, actualClass: number, va: number): number {
    const register = (actual >>> 24) & 15;
    if (actualClass === USER) {
      this.#actualPools.add(userRegister(actual), (va + 4) >>> 0, va);
    } else if (actualClass === LOW) {
      this.#actualHalves.set(register, imm16(actual), va);
    } else if (kind === HIGH) {
      return this.#actualHalves.completed(register, imm16(actual), va);
    }
    return NOWHERE;
  }
}

/** Rdn of ADD Rdn, PC. */
function userRegister(word: number): number {
  return (word & 7) | ((word >>> 4) & 8);
}

/** Tells `pools` of a load from there; ADR only computes an address. */
function notePool(pools: LiteralPools, word: number, kind: number, target: number, va: number): void {
  if (kind === NEARBY) {
    if ((word & 0x8000) === 0) pools.load((word >>> 8) & 7, target, va);
  } else if (kind === LOAD) {
    if ((word & 0xff7f) === 0xf85f) pools.load(word >>> 28, target, va);
  } else if (kind === SCALED) {
    const isSingle = (word & 0x0100ff3f) === 0x0000ed1f;
    pools.mark(target);
    if (!isSingle) pools.mark((target + 4) >>> 0);
  }
}

/** Fields of magnitude and direction; a distance of nothing keeps the direction it had. */
function writeSigned(word: number, kind: number, distance: number): number {
  const magnitude = Math.abs(distance);
  const rest = word & ~FIELD[kind]!;
  if (kind === NEAR) {
    const down = distance === 0 ? word & DOWN_NEAR : distance < 0 ? DOWN_NEAR : 0;
    const value = ((magnitude >>> 1) & 0x400) | ((magnitude & 0x700) << 20) | ((magnitude & 0xff) << 16);
    return (rest | down | value) >>> 0;
  }
  const up = distance === 0 ? word & UP : distance > 0 ? UP : 0;
  const value = kind === LOAD ? magnitude & 0xfff : (magnitude >>> 2) & 0xff;
  return (rest | up | (value << 16)) >>> 0;
}

/** BL. */
function absolute(word: number, va: number, sign: 1 | -1): number {
  if ((word & 0xf800) !== 0xf000 || (word & 0xd0000000) !== (0xd0000000 | 0)) return word;
  return write25(word, ((offset25(word) + sign * (va & ~1)) << 7) >> 7);
}

/** BL. */
function findCall(bytes: Uint8Array, at: number): number {
  if (bytes[at + 1]! >>> 3 !== 0x1e || (bytes[at + 3]! & 0xd0) !== 0xd0) return NOWHERE;
  return at + 4 + offset25(loadInt(bytes, at));
}

/** LDR (literal, T1). */
function literalOf(image: Uint8Array, at: number): number {
  return image[at + 1]! >>> 3 === 9 ? (at & ~3) + 4 + 4 * image[at]! : NOWHERE;
}

/** Upper bytes first: the opcode is there. */
const SHORT = [1, 0];
const LONG = [1, 3, 0, 2];
/** Upper bytes of first halfwords of long instructions are from here on: 11101, 11110, 11111. */
const LONG_FIRST = 0xe8;

export const T32: InstructionSet = {
  ...{ kind: REGION_KIND.t32, alignment: 2, kinds: 15, bigEndian: false, hasPools: true, nameBits: FIELD_NAME_BITS },
  makeReader: () => new T32Reader(),
  makeOperands: () => null,
  absolute,
  literals: {
    by: 'halfwords',
    most: (va) => ((va & 1) === 0 ? 4 : 1),
    order: (most, first) => (most === 4 && first >= LONG_FIRST ? LONG : SHORT),
  },
  signs: { step: 2, blockMin: 16, rarity: 256, reach: 2 ** 25, areCalls: true, find: findCall },
  // The lowest bit says that the function is T32.
  addresses: { widths: [32], functionOf: (word) => ((word & 1) === 0 ? NOWHERE : word - 1), literalOf },
  isCodeOf: () => false,
};
