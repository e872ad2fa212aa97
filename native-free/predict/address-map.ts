/**
 * Where the source's addresses went: the map from an address in the source to the same thing's address in the target.
 *
 * Every cover says that a stretch of the source moved. Taken together the covers of the whole image, which a decoder
 * has before any other byte, map nearly all addresses; between two covers the nearer one decides. This is what lets
 * branches and pointers be predicted (the idea of relocating through the match list is Zucchini's and, for whole
 * programs, Courgette's; here neither side disassembles more than a field at a time).
 * @module
 */
import type { CoverList } from '../format/cover.ts';
import { REGION_KIND, type Layout, type Region } from '../format/regions.ts';
import { NOWHERE } from './instruction-set.ts';

/** Bytes of an address map for each cover. */
export const STRETCH_BYTES = 12 * 3 + 12 + 8;

/** Stretches of one module, in the order of their source addresses, without overlap. */
interface Space {
  readonly start: Uint32Array;
  /** Address of the last byte, so that a stretch may end at 2^32 - 1. */
  readonly last: Uint32Array;
  /** Target address minus source address, modulo 2^32. */
  readonly delta: Int32Array;
}

export class AddressMap {
  readonly #spaces: Space[];
  #space: Space;
  /** Index of the last answer: references come in clusters. */
  #recent = 0;

  /** Modules of both layouts have the same numbers. */
  constructor(covers: CoverList, source: Layout, target: Layout) {
    this.#spaces = collect(covers, source, target).map((stretches) => stretches.space());
    this.#space = this.#spaces[0] ?? NOTHING;
  }

  /** Chooses the module whose addresses `map` is asked for. */
  select(module: number): void {
    this.#space = this.#spaces[module] ?? NOTHING;
    this.#recent = 0;
  }

  /** The target's address for a source address (both unsigned 32 bits), or NOWHERE when nothing is known of it. */
  map(va: number): number {
    const { start, last, delta } = this.#space;
    const count = start.length;
    if (count === 0) return NOWHERE;
    let at = this.#recent;
    if (va < start[at]! || va > last[at]!) {
      at = this.#search(va);
      this.#recent = at;
      if (va > last[at]! && at + 1 < count && start[at + 1]! - va < va - last[at]! - 1) at++;
    }
    return (va + delta[at]!) >>> 0;
  }

  /** The last stretch that starts at or before `va`, or the first one. */
  #search(va: number): number {
    const { start } = this.#space;
    let low = 0;
    let high = start.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (start[middle]! <= va) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** All stretches that covers, and pairs of regions outside of the file, tell of, by module. */
function collect(covers: CoverList, source: Layout, target: Layout): Stretches[] {
  const modules = Math.max(source.vaHigh.length, target.vaHigh.length);
  const stretches = Array.from({ length: modules }, () => new Stretches());
  const sourceFile = source.regions.filter((region) => region.offset >= 0);
  const targetFile = target.regions.filter((region) => region.offset >= 0);
  let t = 0;
  for (let i = 0; i < covers.count; i++) {
    const from = covers.sourceOffset[i]!;
    const to = covers.targetOffset[i]!;
    const length = covers.length[i]!;
    while (t > 0 && targetFile[t]!.offset > to) t--;
    while (t + 1 < targetFile.length && targetFile[t]!.offset + targetFile[t]!.length <= to) t++;
    intersect({ from, to, length }, sourceFile, targetFile, t, stretches);
  }
  pairBss(source, target, stretches);
  return stretches;
}

function intersect(
  cover: { readonly from: number; readonly to: number; readonly length: number },
  source: readonly Region[],
  target: readonly Region[],
  firstTarget: number,
  stretches: readonly Stretches[],
): void {
  const { from, to, length } = cover;
  let s = firstRegionEndingAfter(source, from);
  let t = firstTarget;
  while (s < source.length && t < target.length) {
    const a = source[s]!;
    const b = target[t]!;
    const start = Math.max(0, a.offset - from, b.offset - to);
    const aEnd = a.offset + a.length - from;
    const bEnd = b.offset + b.length - to;
    const end = Math.min(length, aEnd, bEnd);
    if (start < end && a.module === b.module) {
      const va = (a.va + (from + start - a.offset)) >>> 0;
      const delta = (b.va + (to + start - b.offset) - va) | 0;
      stretches[a.module]!.add(va, (va + (end - start - 1)) >>> 0, delta);
    }
    if (Math.min(aEnd, bEnd) >= length) return;
    if (aEnd <= bEnd) s++;
    else t++;
  }
}

/** Index of the first region that ends after `offset`. */
export function firstRegionEndingAfter(regions: readonly Region[], offset: number): number {
  let low = 0;
  let high = regions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (regions[middle]!.offset + regions[middle]!.length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The n-th region outside of the file of a module goes to the n-th one of the same module. */
function pairBss(source: Layout, target: Layout, stretches: readonly Stretches[]): void {
  const waiting = stretches.map((): Region[] => []);
  for (const region of target.regions) if (region.kind === REGION_KIND.bss) waiting[region.module]!.push(region);
  for (const queue of waiting) queue.reverse();
  for (const region of source.regions) {
    if (region.kind !== REGION_KIND.bss) continue;
    const other = waiting[region.module]!.pop();
    if (other === undefined) continue;
    // The address just behind is named too: it is where the memory ends.
    const last = Math.min(0xffffffff, region.va + region.length);
    stretches[region.module]!.add(region.va, last, (other.va - region.va) | 0);
  }
}

/** Stretches of one module as they are found, in arrays of numbers: there may be hundreds of thousands. */
class Stretches {
  #count = 0;
  #start = new Uint32Array(64);
  #last = new Uint32Array(64);
  #delta = new Int32Array(64);

  add(start: number, last: number, delta: number): void {
    if (this.#count === this.#start.length) this.#grow();
    this.#start[this.#count] = start;
    this.#last[this.#count] = last;
    this.#delta[this.#count++] = delta;
  }

  /** Sorted by start; of two that overlap the longer one keeps what both name. */
  space(): Space {
    const order = this.#order();
    const start = new Uint32Array(this.#count);
    const last = new Uint32Array(this.#count);
    const delta = new Int32Array(this.#count);
    let kept = 0;
    for (const i of order) {
      let from = this.#start[i]!;
      const to = this.#last[i]!;
      while (kept > 0 && from <= to && last[kept - 1]! >= from) {
        const top = kept - 1;
        // Before a stretch that was cut lies the one that cut it; where that is the longer one, it keeps its part.
        if (start[top]! > from && to - from <= last[top - 1]! - start[top - 1]!) {
          from = Math.min(start[top]!, to + 1);
        } else if (to - from <= last[top]! - start[top]!) {
          from = last[top]! + 1;
        } else {
          if (from > start[top]!) last[top] = from - 1;
          else kept--;
        }
      }
      if (from > to) continue;
      start[kept] = from;
      last[kept] = to;
      delta[kept++] = this.#delta[i]!;
    }
    return { start: start.slice(0, kept), last: last.slice(0, kept), delta: delta.slice(0, kept) };
  }

  /** Indexes in the order of the starts, and of their making where these are equal. */
  #order(): Float64Array {
    const keys = new Float64Array(this.#count);
    for (let i = 0; i < this.#count; i++) keys[i] = this.#start[i]! * KEY + i;
    keys.sort();
    for (let i = 0; i < this.#count; i++) keys[i]! %= KEY;
    return keys;
  }

  #grow(): void {
    const size = 2 * this.#count;
    const start = new Uint32Array(size);
    const last = new Uint32Array(size);
    const delta = new Int32Array(size);
    start.set(this.#start);
    last.set(this.#last);
    delta.set(this.#delta);
    this.#start = start;
    this.#last = last;
    this.#delta = delta;
  }
}

/** Keys are start · KEY + index, exact in doubles: no list has so many entries. */
const KEY = 2 ** 21;
const NOTHING: Space = { start: new Uint32Array(0), last: new Uint32Array(0), delta: new Int32Array(0) };
