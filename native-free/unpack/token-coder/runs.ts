/**
 * Aligned runs by their place in the source: where source bytes went, which runs by their place in the target do not say.
 * @module
 */
import type { AlignedRun, SourceUnit } from '../unit-codec.ts';

/** Sources apart in one list of keys. */
const SOURCE_SPAN = 2 ** 32;

/** Index of the first entry of sorted `values[0..count)` that is not below `wanted`. */
function firstFrom(values: Float64Array, count: number, wanted: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class RunsBySource {
  #runs: readonly AlignedRun[] = [];
  /** Of each run, the number of its source. */
  #sources = new Uint32Array(0);
  #keys = new Float64Array(0);
  #order = new Uint32Array(0);

  start(runs: readonly AlignedRun[]): void {
    const numbers = new Map<SourceUnit, number>();
    this.#runs = runs;
    this.#sources = Uint32Array.from(runs, ({ source }) => {
      const number = numbers.get(source) ?? numbers.size;
      numbers.set(source, number);
      return number;
    });
    const key = (run: number): number => this.#sources[run]! * SOURCE_SPAN + runs[run]!.from;
    // Of runs with equal keys the latest counts, which needs an order that is the same everywhere.
    this.#order = Uint32Array.from(runs.keys()).sort((a, b) => key(a) - key(b) || a - b);
    this.#keys = Float64Array.from(this.#order, key);
  }

  /** The run that holds byte `place` of the source of run `like`, or -1: of several the one that begins last. */
  find(like: number, place: number): number {
    const source = this.#sources[like]!;
    const next = firstFrom(this.#keys, this.#keys.length, source * SOURCE_SPAN + place + 1);
    if (next === 0) return -1;
    const found = this.#order[next - 1]!;
    const { from, length } = this.#runs[found]!;
    return this.#sources[found] === source && place < from + length ? found : -1;
  }
}
