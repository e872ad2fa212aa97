/**
 * x86-64: instructions of one to fifteen bytes, each read as a few units, of which at most one is a reference.
 *
 * Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, section 2.1: an instruction is prefixes,
 * opcode, ModRM, SIB, displacement, immediate. Up to the displacement it is its head, told in units of 4, 2 and 1
 * bytes; then displacement and immediate are units by themselves, so that a change of the one leaves the other alone.
 * `end` below is the end of the instruction, from which all distances count.
 *
 * | kind      | instruction (section)                      | found by                        | field             |
 * | --------- | ------------------------------------------ | ------------------------------- | ----------------- |
 * | call      | CALL rel32 (3.3, CALL)                     | E8                              | 32 bits from end  |
 * | jump      | JMP rel32 (3.3, JMP)                       | E9                              | 32 bits from end  |
 * | cond      | Jcc rel32 (3.3, Jcc)                       | 0F 80 to 0F 8F                  | 32 bits from end  |
 * | jumpShort | JMP rel8                                   | EB                              | 8 bits from end   |
 * | condShort | Jcc, LOOPcc, JRCXZ rel8                    | 70 to 7F, E0 to E3              | 8 bits from end   |
 * | place     | any with a RIP-relative operand (2.2.1.6)  | ModRM with mod 00 and r/m 101   | 32 bits from end  |
 * | placeN    | the same, with an immediate of N bytes     | N is 1, 2 or 4                  | 32 bits from end  |
 *
 * The field is a whole unit, so its `opcode` is what its instruction does: map, opcode, ModRM and REX, 8 bits each.
 * Units say of themselves neither where an instruction begins nor what they are part of. Who begins in the middle of an
 * instruction reads some wrong ones, and after a few is in step again, as every disassembler of this machine is.
 * @module
 */
import { REGION_KIND } from '../../format/regions.ts';
import { loadWord } from '../../format/words.ts';
import {
  LITERAL_BYTES,
  NO_REFERENCE,
  NOWHERE,
  PLAIN_ADDRESSES,
  type InstructionSet,
  type ReferenceReader,
} from './instruction-set.ts';
import {
  BRANCH,
  DISTANCE,
  IMMEDIATE,
  immediateBytes,
  MODRM,
  ONE_BYTE,
  shapeInMap,
  SPECIAL,
  TWO_BYTES,
  type Prefixes,
} from './x64-opcodes.ts';

const PLACE = 6;

/** By number of bytes in the immediate behind the field; the manual has no RIP-relative operand with others. */
const PLACE_BY_TAIL = Uint8Array.of(PLACE, PLACE + 1, PLACE + 2, NO_REFERENCE, PLACE + 3);

/** From the start of each kind's field to the end of its instruction. */
const TO_END = Uint8Array.of(0, 4, 4, 4, 1, 1, 4, 5, 6, 8);

/** Section 2.3.11: longer ones are no instructions. */
const INSTRUCTION_BYTES_MAX = 15;
/** No more bytes than these are looked at to tell an instruction's length: prefixes, then all that may follow them. */
const LOOK_MAX = 32;

function isShort(kind: number): boolean {
  return kind === BRANCH.jumpShort || kind === BRANCH.condShort;
}

class X64Reader implements ReferenceReader, Prefixes {
  length = 1;
  word = 0;
  kind = NO_REFERENCE;
  target = 0;
  opcode = 0;

  /** Of the instruction at hand: how many bytes of each part are still to be told, and of which kind the field is. */
  #head = 0;
  #field = 0;
  #rest = 0;
  #fieldKind = NO_REFERENCE;
  /** What its field's `opcode` is. */
  #summary = 0;
  /** The address of the next unit of it. */
  #next = 0;

  /** What its prefixes say. */
  isNarrow = false;
  isAddressNarrow = false;
  rex = 0;
  /** The last bytes of a stretch, with zeros behind. */
  readonly #last = new Uint8Array(LOOK_MAX);

  begin(): void {
    this.#head = this.#field = this.#rest = 0;
  }

  read(bytes: Uint8Array, at: number, _start: number, end: number, va: number): void {
    if ((this.#head | this.#field | this.#rest) === 0 || va !== this.#next) this.#decode(bytes, at, end);
    this.kind = NO_REFERENCE;
    if (this.#head > 0) this.#head -= this.#readPlain(bytes, at, this.#head);
    else if (this.#field > 0) this.#readField(bytes, at, va);
    else this.#rest -= this.#readPlain(bytes, at, this.#rest);
    this.#next = (va + this.length) >>> 0;
  }

  /** A unit of at most `left` bytes that refers to nothing; returns its length. */
  #readPlain(bytes: Uint8Array, at: number, left: number): number {
    let word = bytes[at]!;
    let length = 1;
    if (left >= 4) {
      word = loadWord(bytes, at);
      length = 4;
    } else if (left >= 2) {
      word |= bytes[at + 1]! << 8;
      length = 2;
    }
    this.length = length;
    this.word = this.opcode = word;
    return length;
  }

  #readField(bytes: Uint8Array, at: number, va: number): void {
    this.#readPlain(bytes, at, this.#field);
    this.#field = 0;
    if (this.#fieldKind === NO_REFERENCE) return;
    this.kind = this.#fieldKind;
    this.target = reached(this.word, this.kind, va);
    this.opcode = this.#summary;
  }

  /** Splits the instruction at `bytes[at]`. What is none is a single byte, what is cut off by `end` has no field. */
  #decode(bytes: Uint8Array, at: number, end: number): void {
    const left = end - at;
    if (left >= LOOK_MAX) this.#split(bytes, at);
    else {
      this.#last.fill(0);
      for (let i = 0; i < left; i++) this.#last[i] = bytes[at + i]!;
      this.#split(this.#last, 0);
    }
    const length = this.#head + this.#field + this.#rest;
    if (length > INSTRUCTION_BYTES_MAX) this.#giveUp();
    else if (length > left) this.#setParts(left, 0, 0, NO_REFERENCE);
  }

  #giveUp(): void {
    this.#setParts(1, 0, 0, NO_REFERENCE);
  }

  #setParts(head: number, field: number, rest: number, kind: number): void {
    this.#head = head;
    this.#field = field;
    this.#rest = rest;
    this.#fieldKind = kind;
  }

  /** Sections 2.1.1 and 2.2.1: legacy prefixes in any order, then REX, then the opcode. */
  #split(bytes: Uint8Array, at: number): void {
    this.isNarrow = this.isAddressNarrow = false;
    this.rex = 0;
    let next = at;
    let shape = ONE_BYTE[bytes[next]!]!;
    while (shape === SPECIAL.prefix && next - at < INSTRUCTION_BYTES_MAX) {
      if (bytes[next] === 0x66) this.isNarrow = true;
      else if (bytes[next] === 0x67) this.isAddressNarrow = true;
      shape = ONE_BYTE[bytes[++next]!]!;
    }
    if (shape === SPECIAL.rex) {
      this.rex = bytes[next]!;
      shape = ONE_BYTE[bytes[++next]!]!;
    }
    if (shape >= MODRM) this.#splitOperands(bytes, at, next, 0, shape);
    else if (shape < SPECIAL.prefix) this.#setParts(next + 1 - at, 0, immediateBytes(shape, this, 0), NO_REFERENCE);
    else if (shape >= DISTANCE) this.#splitBranch(bytes, at, next, 0, shape);
    else if (shape === SPECIAL.map0f) this.#splitMapped(bytes, at, next);
    else this.#splitVector(bytes, at, next, shape);
  }

  /** Section 2.1.2: `bytes[next]` is 0F, two or three bytes are the opcode. */
  #splitMapped(bytes: Uint8Array, at: number, next: number): void {
    const inMap = TWO_BYTES[bytes[next + 1]!]!;
    if (inMap >= MODRM) this.#splitOperands(bytes, at, next + 1, 1, inMap);
    else if (inMap >= DISTANCE) this.#splitBranch(bytes, at, next + 1, 1, inMap);
    else if (inMap === SPECIAL.map0f38) this.#splitOperands(bytes, at, next + 2, 2, MODRM);
    else if (inMap === SPECIAL.map0f3a) this.#splitOperands(bytes, at, next + 2, 3, MODRM | IMMEDIATE.byte);
    else if (inMap === IMMEDIATE.none) this.#setParts(next + 2 - at, 0, 0, NO_REFERENCE);
    else this.#giveUp();
  }

  /** VEX (section 2.3.5), EVEX (Intel AVX-512 encoding) and XOP name a map, and their opcode comes last. */
  #splitVector(bytes: Uint8Array, at: number, next: number, shape: number): void {
    const second = bytes[next + 1]!;
    const map = second & 0x1f;
    if (shape === SPECIAL.vex2) this.#splitInMap(bytes, at, next + 2, 1);
    else if (shape === SPECIAL.vex3) this.#splitInMap(bytes, at, next + 3, map <= 3 ? map : 0);
    else if (shape === SPECIAL.evex) {
      const hasFixedBits = (second & 8) === 0 && (bytes[next + 2]! & 4) !== 0;
      this.#splitInMap(bytes, at, next + 4, hasFixedBits ? second & 7 : 0);
    } else if (shape !== SPECIAL.popOrXop) this.#giveUp();
    else if (map >= 8) this.#splitInMap(bytes, at, next + 3, map);
    else this.#splitOperands(bytes, at, next, 0, MODRM);
  }

  /** None of them goes with REX, whose bits they have. */
  #splitInMap(bytes: Uint8Array, at: number, opcodeAt: number, map: number): void {
    const shape = this.rex === 0 ? shapeInMap(map, bytes[opcodeAt]!) : SPECIAL.invalid;
    if (shape >= MODRM) this.#splitOperands(bytes, at, opcodeAt, map, shape);
    else if (shape === IMMEDIATE.none) this.#setParts(opcodeAt + 1 - at, 0, 0, NO_REFERENCE);
    else this.#giveUp();
  }

  #splitBranch(bytes: Uint8Array, at: number, opcodeAt: number, map: number, shape: number): void {
    const kind = shape & 15;
    this.#setParts(opcodeAt + 1 - at, isShort(kind) ? 1 : 4, 0, kind);
    this.#summary = ((map << 24) | (bytes[opcodeAt]! << 16)) >>> 0;
  }

  /** ModRM, SIB and displacement (section 2.1.5, tables 2-2 and 2-3), then the immediate. */
  #splitOperands(bytes: Uint8Array, at: number, opcodeAt: number, map: number, shape: number): void {
    const modrm = bytes[opcodeAt + 1]!;
    const mod = modrm >>> 6;
    const rest = immediateBytes(shape & 15, this, modrm);
    let head = opcodeAt + 2 - at;
    let field = mod === 1 ? 1 : mod === 2 ? 4 : 0;
    let kind = NO_REFERENCE;
    if (mod !== 3 && (modrm & 7) === 4) {
      head++;
      if (mod === 0 && (bytes[opcodeAt + 2]! & 7) === 5) field = 4;
    } else if ((modrm & 0xc7) === 5) {
      field = 4;
      kind = PLACE_BY_TAIL[rest]!;
      this.#summary = ((map << 24) | (bytes[opcodeAt]! << 16) | (modrm << 8) | this.rex) >>> 0;
    }
    this.#setParts(head, field, rest, kind);
  }

  write(_word: number, kind: number, va: number, target: number): number {
    const distance = target - va - TO_END[kind]!;
    return isShort(kind) ? distance & 0xff : distance >>> 0;
  }

  resolve(_word: number, kind: number, actual: number, va: number): number {
    return kind === NO_REFERENCE ? NOWHERE : reached(actual, kind, va);
  }
}

/** Where the field `word` of an instruction at hand leads. */
function reached(word: number, kind: number, va: number): number {
  return (va + TO_END[kind]! + (isShort(kind) ? (word << 24) >> 24 : word)) >>> 0;
}

/** E8 (CALL) and E9 (JMP), whose distances count from their own end. */
const CALL_OR_JUMP = 0xe8;

export const X64: InstructionSet = {
  ...{ kind: REGION_KIND.x64, alignment: 1, kinds: 10, bigEndian: false, hasPools: false },
  // Fields are whole units, so that all of a name fits.
  nameBits: -1,
  makeReader: () => new X64Reader(),
  makeOperands: () => null,
  /** The word is a distance, which the instruction that it is in tells. */
  absolute: (word, va, sign) => (word + sign * (va + 4)) >>> 0,
  literals: { ...LITERAL_BYTES, by: 'instructions' },
  signs: {
    ...{ step: 1, blockMin: 8, rarity: 256, reach: 2 ** 32, areCalls: true },
    find: (bytes, at) => (bytes[at] === CALL_OR_JUMP ? at + 5 + (loadWord(bytes, at + 1) | 0) : NOWHERE),
  },
  addresses: { ...PLAIN_ADDRESSES, widths: [64] },
  // 386 code too: most of its instructions are the same.
  isCodeOf: ({ machine }) => machine === 62 || machine === 3,
};
