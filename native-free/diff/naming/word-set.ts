/**
 * A set of 32-bit words that is never wrong about members and rarely about others: one bit for each hash value.
 * @module
 */

const BITS = 22;

export class WordSet {
  readonly #bits = new Uint32Array(1 << (BITS - 5));

  add(word: number): void {
    const hash = hashOf(word);
    this.#bits[hash >>> 5]! |= 1 << (hash & 31);
  }

  has(word: number): boolean {
    const hash = hashOf(word);
    return (this.#bits[hash >>> 5]! & (1 << (hash & 31))) !== 0;
  }
}

function hashOf(word: number): number {
  const mixed = Math.imul(word, 0x9e3779b1);
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> (32 - BITS);
}
