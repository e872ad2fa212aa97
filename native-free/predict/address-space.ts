/**
 * The addresses of one module at a time: what of a source word can be an address at all.
 * @module
 */
import type { Layout } from '../format/regions.ts';

/** Below this, numbers are just numbers. */
const ADDRESS_MIN = 0x1000;
/** Tables beside the program (symbols, relocations) get addresses from here on, which nothing refers to. */
export const ASIDE_VA = 0xf0000000;

export class AddressSpace {
  module = -1;
  /** High words of the module's addresses on both sides. */
  sourceHigh = 0;
  targetHigh = 0;
  /** The lowest and the highest of its source addresses. */
  first = 0;
  last = 0;
  readonly #firsts: number[];
  readonly #lasts: number[];
  readonly #source: Layout;
  readonly #target: Layout;

  constructor(source: Layout, target: Layout) {
    this.#source = source;
    this.#target = target;
    const modules = source.vaHigh.length;
    this.#firsts = new Array<number>(modules).fill(0xffffffff);
    this.#lasts = new Array<number>(modules).fill(0);
    for (const { module, va, length } of source.regions) {
      if (va >= ASIDE_VA && source.vaHigh[module] === 0) continue;
      this.#firsts[module] = Math.min(this.#firsts[module]!, va);
      this.#lasts[module] = Math.max(this.#lasts[module]!, va + length - 1);
    }
  }

  isSelected(module: number): boolean {
    return this.module === module;
  }

  /** Chooses the module that the questions are about. */
  select(module: number): void {
    this.module = module;
    this.sourceHigh = this.#source.vaHigh[module] ?? 0;
    this.targetHigh = this.#target.vaHigh[module] ?? 0;
    this.first = Math.max(ADDRESS_MIN, this.#firsts[module] ?? 0xffffffff);
    this.last = this.#lasts[module] ?? 0;
  }

  /** Whether these low 32 bits lie within the module. */
  isAddress(value: number): boolean {
    return value >= this.first && value <= this.last;
  }
}
