/**
 * Instructions that changed in their operands only: a compiler that allocates registers anew, or moves a stack frame,
 * changes a whole function in the same few ways.
 * @module
 */
import { ORIGIN } from '../../format/origins.ts';
import type { Candidates } from '../candidates.ts';
import type { Operands } from './instruction-set.ts';

const RN = 31 << 5;
const RM = 31 << 16;

/**
 * A64 (DDI 0487, C4.1): Rd/Rt in bits 4-0, Rn in bits 9-5, Rm in bits 20-16 where the class of the instruction has
 * them; offsets from SP (register 31 as Rn) in the forms that compilers use for frames.
 */
export class A64Operands implements Operands {
  /** What each register became. */
  readonly #renamed = new Uint8Array(32);
  /** By how many bytes stack offsets moved: the last two different changes. */
  #stack = 0;
  #stackBefore = 0;

  begin(): void {
    for (let i = 0; i < 32; i++) this.#renamed[i] = i;
    this.#stack = 0;
    this.#stackBefore = 0;
  }

  propose(word: number, candidates: Candidates): void {
    const form = stackForm(word);
    if (form !== 0 && this.#stack !== 0) {
      const offset = stackOffset(word, form);
      candidates.add(withStackOffset(word, form, offset + this.#stack), ORIGIN.stack);
      if (this.#stackBefore !== 0) {
        candidates.add(withStackOffset(word, form, offset + this.#stackBefore), ORIGIN.stackBefore);
      }
      return;
    }
    const renamed = this.#rename(word);
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
    if (fields === 0) return word;
    const names = this.#renamed;
    let renamed = (word & ~31) | names[word & 31]!;
    if ((fields & RN) !== 0) renamed = (renamed & ~RN) | (names[(word >>> 5) & 31]! << 5);
    if ((fields & RM) !== 0) renamed = (renamed & ~RM) | (names[(word >>> 16) & 31]! << 16);
    return renamed >>> 0;
  }

  #learnRegisters(word: number, actual: number): void {
    const fields = registerFields(word);
    if (fields === 0 || ((word ^ actual) & ~fields) !== 0) return;
    this.#renamed[word & 31] = actual & 31;
    if ((fields & RN) !== 0) this.#renamed[(word >>> 5) & 31] = (actual >>> 5) & 31;
    if ((fields & RM) !== 0) this.#renamed[(word >>> 16) & 31] = (actual >>> 16) & 31;
  }
}

/** Bits of the register fields of an instruction's class; 0 for branches and system instructions. */
function registerFields(word: number): number {
  const group = (word >>> 25) & 15;
  if (group === 10 || group === 11) return 0;
  let fields = 31;
  if (group === 8 || group === 9) {
    if (((word >>> 23) & 7) !== 5) fields |= RN;
  } else if (group >= 4) fields |= RN;
  const hasRm = (group & 7) === 5 || (word & 0x3b200c00) === 0x38200800 || (group & 7) === 7;
  return hasRm ? fields | RM : fields;
}

const SCALED = 1;
const ADD_SUB = 2;
const PAIR = 3;
const UNSCALED = 4;

/** How an instruction names a place on the stack: LDR/STR (unsigned offset), ADD/SUB, LDP/STP, LDUR/STUR; 0 for none. */
function stackForm(word: number): number {
  if (((word >>> 5) & 31) !== 31) return 0;
  if ((word & 0x3b000000) === 0x39000000) return SCALED;
  if ((word & 0x1fc00000) === 0x11000000) return ADD_SUB;
  if ((word & 0x3a000000) === 0x28000000) return PAIR;
  if ((word & 0x3b200000) === 0x38000000) return UNSCALED;
  return 0;
}

function stackScale(word: number, form: number): number {
  if (form === SCALED) return (word & 0x04800000) === 0x04800000 ? 4 : word >>> 30;
  if (form === PAIR) return ((word >>> 26) & 1) !== 0 ? 2 + (word >>> 30) : 2 + (word >>> 31);
  return 0;
}

function stackOffset(word: number, form: number): number {
  const scale = stackScale(word, form);
  if (form === PAIR) return ((word << 10) >> 25) << scale;
  if (form === UNSCALED) return (word << 11) >> 23;
  return ((word >>> 10) & 0xfff) << scale;
}

function withStackOffset(word: number, form: number, offset: number): number {
  const steps = offset >> stackScale(word, form);
  if (form === PAIR) return ((word & ~(0x7f << 15)) | ((steps & 0x7f) << 15)) >>> 0;
  if (form === UNSCALED) return ((word & ~(0x1ff << 12)) | ((steps & 0x1ff) << 12)) >>> 0;
  return ((word & ~(0xfff << 10)) | ((steps & 0xfff) << 10)) >>> 0;
}
