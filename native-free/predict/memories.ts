/**
 * What a segment has taught so far: memories of fixed size, all forgotten when the next segment begins.
 * @module
 */

const LEVELS = 4;
/** Addresses that share all bits above these are neighbours, on four scales. */
const SHIFTS = [2, 6, 10, 14] as const;
const NEIGHBOUR_BITS = 14;

function mix(a: number, b: number): number {
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/** By how much values near this one changed, nearest scale first. Keyed by value and by the space it belongs to. */
export class NeighbourChanges {
  /** Change found by `find`. */
  change = 0;
  readonly #changes = new Int32Array(LEVELS << NEIGHBOUR_BITS);
  readonly #checks = new Uint8Array(LEVELS << NEIGHBOUR_BITS);

  reset(): void {
    this.#checks.fill(0);
  }

  find(space: number, value: number): boolean {
    for (let level = 0; level < LEVELS; level++) {
      const hash = mix(value >>> SHIFTS[level]!, space);
      const at = (level << NEIGHBOUR_BITS) | (hash >>> (32 - NEIGHBOUR_BITS));
      if (this.#checks[at] !== ((hash & 127) | 128)) continue;
      this.change = this.#changes[at]!;
      return true;
    }
    return false;
  }

  learn(space: number, value: number, change: number): void {
    for (let level = 0; level < LEVELS; level++) {
      const hash = mix(value >>> SHIFTS[level]!, space);
      const at = (level << NEIGHBOUR_BITS) | (hash >>> (32 - NEIGHBOUR_BITS));
      this.#checks[at] = (hash & 127) | 128;
      this.#changes[at] = change;
    }
  }
}

/** Exact values and what became of them: addresses that the map gets wrong, words that change in the same way. */
export class KnownValues {
  /** Value found by `find`, and how often it was confirmed in a row: 0 to 254. */
  value = 0;
  confirmed = 0;
  readonly #shift: number;
  readonly #keys: Uint32Array;
  readonly #values: Uint32Array;
  readonly #counts: Uint8Array;
  readonly #spaces: Uint16Array;

  /** Holds at most 2^bits values; a newer one takes the place of an older one with the same hash. */
  constructor(bits: number) {
    this.#shift = 32 - bits;
    this.#keys = new Uint32Array(2 ** bits);
    this.#values = new Uint32Array(2 ** bits);
    this.#counts = new Uint8Array(2 ** bits);
    this.#spaces = new Uint16Array(2 ** bits);
  }

  reset(): void {
    this.#counts.fill(0);
  }

  find(space: number, key: number): boolean {
    const at = mix(key, space) >>> this.#shift;
    const count = this.#counts[at]!;
    if (count === 0 || this.#keys[at] !== key >>> 0 || this.#spaces[at] !== space) return false;
    this.value = this.#values[at]!;
    this.confirmed = count - 1;
    return true;
  }

  learn(space: number, key: number, value: number): void {
    const at = mix(key, space) >>> this.#shift;
    const isSame = this.#counts[at]! > 0 && this.#keys[at] === key >>> 0 && this.#spaces[at] === space;
    if (isSame && this.#values[at] === value >>> 0) {
      if (this.#counts[at]! < 255) this.#counts[at]!++;
      return;
    }
    this.#keys[at] = key;
    this.#spaces[at] = space;
    this.#values[at] = value;
    this.#counts[at] = 1;
  }

  /** Forgets what became of `key`. */
  forget(space: number, key: number): void {
    const at = mix(key, space) >>> this.#shift;
    if (this.#keys[at] === key >>> 0 && this.#spaces[at] === space) this.#counts[at] = 0;
  }
}
