/**
 * Literal pools of 32-bit Arm code: which words behind a function are data, and to which place they are relative.
 *
 * Position-independent code loads an address as a distance: LDR Rt, [PC, #n] fetches a word from the pool, and
 * ADD Rt, PC, Rt further down makes an address of it. The word then is relative to the ADD, its user, which the word
 * itself does not tell. Pools lie behind their users, so both instructions have been seen when the pool is reached.
 *
 * One object serves one side, source or target: it only goes by addresses of that side.
 * @module
 */
import { NOWHERE } from './instruction-set.ts';

/** What `find` says of a word. */
export const LITERAL = {
  /** Nothing is known: perhaps it is code. */
  none: 0,
  /** Loaded as data. */
  data: 1,
  /** Loaded and added to the program counter that `user` holds. */
  placed: 2,
} as const;

/** An LDR and its pool are at most 4 KiB apart, so no more words than these are awaited at once. */
const SLOTS = 1024;
/** How many bytes of code may lie between LDR and ADD. */
const REGISTER_AGE_MAX = 512;

export class LiteralPools {
  /** The program counter that was added to the word found last. */
  user = 0;
  /** Words that are awaited: address, program counter of the user, and (run << 2 | LITERAL). Direct mapped. */
  readonly #address = new Uint32Array(SLOTS);
  readonly #user = new Uint32Array(SLOTS);
  readonly #state = new Int32Array(SLOTS);
  #run = 1;
  /** From which word each register was loaded, and where; a bit for each register that has been. */
  readonly #word = new Uint32Array(16);
  readonly #since = new Int32Array(16);
  #known = 0;

  begin(): void {
    this.#run++;
    this.#known = 0;
  }

  /** The word at address `address`, or around it, is data. */
  mark(address: number): void {
    const word = (address & ~3) >>> 0;
    const slot = (word >>> 2) & (SLOTS - 1);
    if (this.#address[slot] === word && this.#state[slot]! >> 2 === this.#run) return;
    this.#address[slot] = word;
    this.#state[slot] = (this.#run << 2) | LITERAL.data;
  }

  /** The instruction at `va` loads the word at address `word`. */
  load(register: number, word: number, va: number): void {
    this.mark(word);
    this.#word[register] = word & ~3;
    this.#since[register] = va;
    this.#known |= 1 << register;
  }

  /** The instruction at `va` adds the program counter, `pc` as it sees it, to a register. */
  add(register: number, pc: number, va: number): void {
    if (((this.#known >>> register) & 1) === 0) return;
    this.#known &= ~(1 << register);
    if ((va - this.#since[register]!) >>> 0 > REGISTER_AGE_MAX) return;
    const word = this.#word[register]!;
    const slot = (word >>> 2) & (SLOTS - 1);
    this.#address[slot] = word;
    this.#user[slot] = pc;
    this.#state[slot] = (this.#run << 2) | LITERAL.placed;
  }

  /** What is known of the word at `va`, a LITERAL; sets `user`. */
  find(va: number): number {
    const slot = (va >>> 2) & (SLOTS - 1);
    if (this.#address[slot] !== va) return LITERAL.none;
    const state = this.#state[slot]!;
    if (state >> 2 !== this.#run) return LITERAL.none;
    this.user = this.#user[slot]!;
    return state & 3;
  }

  /** The program counter that the word at `va` is relative to, or NOWHERE. */
  userOf(va: number): number {
    return this.find(va) === LITERAL.placed ? this.user : NOWHERE;
  }
}
