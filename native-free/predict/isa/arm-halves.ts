/**
 * Addresses of 32-bit Arm code that MOVW and MOVT load in two halves: what the lower ones left in the registers of one
 * side.
 * @module
 */
import { NOWHERE } from './instruction-set.ts';

/** How many bytes MOVW and its MOVT may be apart. */
const AGE_MAX = 32;

export class Halves {
  readonly #half = new Int32Array(16);
  readonly #since = new Int32Array(16);
  /** A bit for each register that has one. */
  #known = 0;

  begin(): void {
    this.#known = 0;
  }

  /** The instruction at `va` loads a lower half. */
  set(register: number, half: number, va: number): void {
    this.#half[register] = half;
    this.#since[register] = va;
    this.#known |= 1 << register;
  }

  /** The address that an upper half loaded at `va` completes, or NOWHERE. */
  completed(register: number, half: number, va: number): number {
    const isKnown = ((this.#known >>> register) & 1) !== 0 && (va - this.#since[register]!) >>> 0 <= AGE_MAX;
    return isKnown ? ((half << 16) | this.#half[register]!) >>> 0 : NOWHERE;
  }
}
