/**
 * Huffman code lengths as zlib chooses them, from how often each symbol occurs.
 *
 * An optimal code has many equal forms, and compressors agree on one because they all took it from the same program:
 * info-zip's trees.c, which gzip and zlib still have. Its order of ties, its two forced codes and its repair of codes
 * that became too long are followed here step by step; any cleverness would cost the exactness (decision 0125).
 * @module
 */
import { CODE_BITS_MAX, LITERAL_SYMBOLS } from './symbols.ts';

const NODES_MAX = 2 * LITERAL_SYMBOLS + 1;

/** Builds codes one after the other, in the same memory. */
export class ZlibTree {
  /** Leaves are symbols; inner nodes follow behind the alphabet. */
  readonly #frequency = new Float64Array(NODES_MAX);
  readonly #parent = new Uint16Array(NODES_MAX);
  readonly #depth = new Uint8Array(NODES_MAX);
  readonly #bits = new Uint8Array(NODES_MAX);
  /** From 1: a heap of the nodes that have no parent yet. From the end down: nodes in the order they were taken. */
  readonly #heap = new Uint16Array(NODES_MAX + 1);
  readonly #bitCounts = new Uint16Array(CODE_BITS_MAX + 2);
  #heaped = 0;
  #taken = NODES_MAX + 1;

  /** Lengths up to the last symbol that has a code; two have one, even if fewer occur. */
  lengthsOf(occurrences: Uint32Array, bitsMax: number): Uint8Array {
    const symbols = occurrences.length;
    const last = this.#plant(occurrences);
    for (let place = this.#heaped >> 1; place >= 1; place--) this.#sink(place);
    this.#join(symbols);
    const tooLong = this.#measure(last, bitsMax);
    if (tooLong > 0) this.#shorten(tooLong, last, bitsMax);
    const lengths = new Uint8Array(last + 1);
    for (let symbol = 0; symbol <= last; symbol++)
      if (this.#frequency[symbol]! > 0) lengths[symbol] = this.#bits[symbol]!;
    return lengths;
  }

  /** Leaves into the heap, unordered; the last symbol among them. */
  #plant(occurrences: Uint32Array): number {
    let last = -1;
    this.#heaped = 0;
    this.#taken = this.#heap.length;
    for (let symbol = 0; symbol < occurrences.length; symbol++) {
      this.#frequency[symbol] = occurrences[symbol]!;
      this.#depth[symbol] = 0;
      if (occurrences[symbol] === 0) continue;
      this.#heap[++this.#heaped] = symbol;
      last = symbol;
    }
    while (this.#heaped < 2) {
      const forced = last < 2 ? ++last : 0;
      this.#heap[++this.#heaped] = forced;
      this.#frequency[forced] = 1;
    }
    return last;
  }

  #isBefore(a: number, b: number): boolean {
    const difference = this.#frequency[a]! - this.#frequency[b]!;
    return difference < 0 || (difference === 0 && this.#depth[a]! <= this.#depth[b]!);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const node = heap[from]!;
    let place = from;
    for (let child = place * 2; child <= this.#heaped; child *= 2) {
      if (child < this.#heaped && this.#isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (this.#isBefore(node, heap[child]!)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = node;
  }

  /** The two rarest get a parent, until one node is left. */
  #join(firstInner: number): void {
    const heap = this.#heap;
    for (let inner = firstInner; this.#heaped >= 2; inner++) {
      const rarest = heap[1]!;
      heap[1] = heap[this.#heaped--]!;
      this.#sink(1);
      const second = heap[1]!;
      heap[--this.#taken] = rarest;
      heap[--this.#taken] = second;
      this.#frequency[inner] = this.#frequency[rarest]! + this.#frequency[second]!;
      this.#depth[inner] = Math.max(this.#depth[rarest]!, this.#depth[second]!) + 1;
      this.#parent[rarest] = inner;
      this.#parent[second] = inner;
      heap[1] = inner;
      this.#sink(1);
    }
    heap[--this.#taken] = heap[1]!;
  }

  /** Lengths from the root down; how many nodes would lie deeper than `bitsMax`. */
  #measure(last: number, bitsMax: number): number {
    let tooLong = 0;
    this.#bitCounts.fill(0);
    this.#bits[this.#heap[this.#taken]!] = 0;
    for (let place = this.#taken + 1; place < this.#heap.length; place++) {
      const node = this.#heap[place]!;
      const bits = this.#bits[this.#parent[node]!]! + 1;
      if (bits > bitsMax) tooLong++;
      this.#bits[node] = Math.min(bits, bitsMax);
      if (node <= last) this.#bitCounts[this.#bits[node]!]!++;
    }
    return tooLong;
  }

  /** Makes the code fit by moving shorter leaves down, then gives the lengths out anew, the longest to the rarest. */
  #shorten(tooLong: number, last: number, bitsMax: number): void {
    const counts = this.#bitCounts;
    for (let rest = tooLong; rest > 0; rest -= 2) {
      let bits = bitsMax - 1;
      while (counts[bits] === 0) bits--;
      counts[bits]!--;
      counts[bits + 1]! += 2;
      counts[bitsMax]!--;
    }
    let place = this.#heap.length;
    for (let bits = bitsMax; bits > 0; bits--) {
      for (let left = counts[bits]!; left > 0;) {
        const node = this.#heap[--place]!;
        if (node > last) continue;
        this.#bits[node] = bits;
        left--;
      }
    }
  }
}
