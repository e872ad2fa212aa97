/**
 * Who has which bytes: ranges of the image and of unit contents that are laid out somewhere.
 * @module
 */
export class Claims {
  /** By unit, -1 for the image: starts and ends in order, never touching. */
  readonly #ranges = new Map<number, { starts: number[]; ends: number[] }>();

  /** Adds [from, to); what was claimed before may overlap it. */
  add(unit: number, from: number, to: number): void {
    if (from >= to) return;
    let ranges = this.#ranges.get(unit);
    if (ranges === undefined) this.#ranges.set(unit, (ranges = { starts: [], ends: [] }));
    const { starts, ends } = ranges;
    const first = firstNotBelow(ends, from);
    let last = first;
    let start = from;
    let end = to;
    for (; last < starts.length && starts[last]! <= to; last++) {
      start = Math.min(start, starts[last]!);
      end = Math.max(end, ends[last]!);
    }
    starts.splice(first, last - first, start);
    ends.splice(first, last - first, end);
  }

  /** The parts of [from, to) that nobody has. */
  freeIn(unit: number, from: number, to: number): [number, number][] {
    const { starts, ends } = this.#ranges.get(unit) ?? { starts: [], ends: [] };
    const free: [number, number][] = [];
    let at = from;
    for (let i = firstNotBelow(ends, from); i < starts.length && starts[i]! < to; i++) {
      if (starts[i]! > at) free.push([at, starts[i]!]);
      at = Math.max(at, ends[i]!);
    }
    if (at < to) free.push([at, to]);
    return free;
  }
}

function firstNotBelow(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}
