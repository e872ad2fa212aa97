/**
 * A32 instructions that changed in their operands only: see a64-operands.ts, whose counterpart this is.
 * @module
 */
import { ORIGIN } from '../../format/origins.ts';
import type { Candidates } from '../candidates.ts';
import type { Operands } from './instruction-set.ts';

const SP = 13;
const UP = 1 << 23;

/** Register fields, as a set, and where each stands. */
const RM = 1;
const RS = 2;
const RD = 4;
const RN = 8;
const FIELDS = [
  [RM, 0],
  [RS, 8],
  [RD, 12],
  [RN, 16],
] as const;

/**
 * A32 (DDI 0406C, A5.1): Rn in bits 19-16, Rd/Rt in bits 15-12, Rs in bits 11-8, Rm in bits 3-0 where the class of the
 * instruction has them; offsets from SP in loads, stores and additions.
 */
export class A32Operands implements Operands {
  /** What each register became. */
  readonly #renamed = new Uint8Array(16);
  /** By how many bytes stack offsets moved: the last two different changes. */
  #stack = 0;
  #stackBefore = 0;

  begin(): void {
    for (let i = 0; i < 16; i++) this.#renamed[i] = i;
    this.#stack = 0;
    this.#stackBefore = 0;
  }

  propose(word: number, candidates: Candidates): void {
    const renamed = this.#rename(word);
    const form = stackForm(word);
    if (form !== 0 && this.#stack !== 0) {
      const offset = stackOffset(word, form);
      candidates.add(withStackOffset(renamed, form, offset + this.#stack), ORIGIN.stack);
      if (this.#stackBefore !== 0) {
        candidates.add(withStackOffset(renamed, form, offset + this.#stackBefore), ORIGIN.stackBefore);
      }
    }
    if (renamed !== word) candidates.add(renamed, ORIGIN.registers);
  }

  learn(word: number, actual: number): void {
    const form = stackForm(word);
    if (form !== 0 && actual !== word && stackForm(actual) === form) {
      const change = stackOffset(actual, form) - stackOffset(word, form);
      if (change !== this.#stack && change !== 0) {
        this.#stackBefore = this.#stack;
        this.#stack = change;
      }
    }
    this.#learnRegisters(word, actual);
  }

  #rename(word: number): number {
    const fields = registerFields(word);
    let renamed = word;
    for (const [field, shift] of FIELDS) {
      if ((fields & field) === 0) continue;
      renamed = (renamed & ~(15 << shift)) | (this.#renamed[(word >>> shift) & 15]! << shift);
    }
    return renamed >>> 0;
  }

  /** Of instructions that differ in registers and in the stack's offset only. */
  #learnRegisters(word: number, actual: number): void {
    const fields = registerFields(word);
    let operands = STACK_BITS[stackForm(word)]!;
    for (const [field, shift] of FIELDS) if ((fields & field) !== 0) operands |= 15 << shift;
    if (((word ^ actual) & ~operands) !== 0) return;
    for (const [field, shift] of FIELDS) {
      if ((fields & field) !== 0) this.#renamed[(word >>> shift) & 15] = (actual >>> shift) & 15;
    }
  }
}

/** Register fields of an instruction's class; none for branches, coprocessors and what is unconditional. */
function registerFields(word: number): number {
  if (word >>> 28 === 15) return 0;
  switch ((word >>> 25) & 7) {
    case 0:
      if ((word & 0x90) === 0x90) return multiplyFields(word);
      return processingFields(word) | ((word & 0x10) !== 0 ? RM | RS : RM);
    case 1:
      return processingFields(word);
    case 2:
      return RN | RD;
    case 3:
      return RN | RD | RM;
    case 4:
      return RN;
    default:
      return 0;
  }
}

/**
 * Multiplications, where only those that add have a register in the place of Rd; else the loads and stores of halfwords, with
 * an offset that is a register or a number.
 */
function multiplyFields(word: number): number {
  if ((word & 0x60) !== 0) return (word & 0x00400000) === 0 ? RN | RD | RM : RN | RD;
  if ((word & 0x01000000) !== 0) return 0;
  return (word & 0x00e00000) === 0 ? RN | RS | RM : RN | RD | RS | RM;
}

/** Comparisons have no destination and moves no first operand; comparisons that set no flags are other instructions. */
function processingFields(word: number): number {
  const operation = (word >>> 21) & 15;
  if (operation >= 8 && operation < 12) return (word & 0x00100000) !== 0 ? RN : 0;
  return operation === 13 || operation === 15 ? RD : RN | RD;
}

const WORD = 1;
const HALF = 2;
const ADD_SUB = 3;
const FLOAT = 4;

/** Bits of the offset in each form. */
const STACK_BITS = [0, UP | 0xfff, UP | 0xf0f, 0xfff, UP | 0xff] as const;

/** How an instruction names a place on the stack: LDR/STR, LDRD/STRH/…, ADD/SUB, VLDR/VSTR; 0 for none. */
function stackForm(word: number): number {
  if (((word >>> 16) & 15) !== SP || word >>> 28 === 15) return 0;
  if ((word & 0x0f200000) === 0x05000000) return WORD;
  if ((word & 0x0f600090) === 0x01400090) return HALF;
  if ((word & 0x0fe00000) === 0x02800000 || (word & 0x0fe00000) === 0x02400000) return ADD_SUB;
  if ((word & 0x0f200e00) === 0x0d000a00) return FLOAT;
  return 0;
}

function stackOffset(word: number, form: number): number {
  if (form === ADD_SUB) return rotated(word);
  const magnitude =
    form === HALF ? ((word >>> 4) & 0xf0) | (word & 15) : form === FLOAT ? (word & 0xff) << 2 : word & 0xfff;
  return (word & UP) !== 0 ? magnitude : -magnitude;
}

function withStackOffset(word: number, form: number, offset: number): number {
  if (form === ADD_SUB) return withRotated(word, offset);
  const magnitude = Math.abs(offset);
  const turned = offset < 0 ? word & ~UP : word | UP;
  if (form === HALF) return ((turned & ~0xf0f) | ((magnitude & 0xf0) << 4) | (magnitude & 15)) >>> 0;
  if (form === FLOAT) return ((turned & ~0xff) | ((magnitude >> 2) & 0xff)) >>> 0;
  return ((turned & ~0xfff) | (magnitude & 0xfff)) >>> 0;
}

/** Modified immediate constant (A5.2.4): eight bits, rotated right by twice the upper four. */
function rotated(word: number): number {
  const by = (word >>> 7) & 30;
  const value = word & 0xff;
  return (value >>> by) | (value << (32 - by));
}

/** With another such constant, rotated as little as may be; as it is where there is no such constant. */
function withRotated(word: number, value: number): number {
  for (let by = 0; by < 32; by += 2) {
    const turned = ((value << by) | (value >>> (32 - by))) >>> 0;
    if (turned < 256) return ((word & ~0xfff) | (by << 7) | turned) >>> 0;
  }
  return word;
}
