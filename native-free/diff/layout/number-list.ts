/**
 * Unsigned numbers of 32 bits that are collected one by one, then sorted: there may be millions.
 * @module
 */

export class NumberList {
  #numbers = new Uint32Array(1024);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(number: number): void {
    if (this.#count === this.#numbers.length) {
      const grown = new Uint32Array(2 * this.#count);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#numbers[this.#count++] = number;
  }

  /** All numbers in order; sorts the list itself. */
  sorted(): Uint32Array {
    return this.#numbers.subarray(0, this.#count).sort();
  }

  /** All numbers in order, each once. */
  distinct(): Uint32Array {
    return this.sorted().filter((number, i, all) => i === 0 || number !== all[i - 1]);
  }
}
