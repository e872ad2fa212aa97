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

/** Stretches of one module, in the order of their source addresses, without overlap. */
interface Space {
  readonly start: Uint32Array;
  /** Address of the last byte, so that a stretch may end at 2^32 - 1. */
  readonly last: Uint32Array;
  /** Target address minus source address, modulo 2^32. */
  readonly delta: Int32Array;
}

interface Stretch {
  readonly start: number;
  readonly last: number;
  readonly delta: number;
}

export class AddressMap {
  readonly #spaces: Space[];
  #space: Space;
  /** Index of the last answer: references come in clusters. */
  #recent = 0;

  /** Modules of both layouts have the same numbers. */
  constructor(covers: CoverList, source: Layout, target: Layout) {
    const stretches = collect(covers, source, target);
    this.#spaces = stretches.map((list) => pack(withoutOverlap(list)));
    this.#space = this.#spaces[0] ?? pack([]);
  }

  /** Chooses the module whose addresses `map` is asked for. */
  select(module: number): void {
    this.#space = this.#spaces[module] ?? pack([]);
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
function collect(covers: CoverList, source: Layout, target: Layout): Stretch[][] {
  const modules = Math.max(source.vaHigh.length, target.vaHigh.length);
  const stretches: Stretch[][] = Array.from({ length: modules }, () => []);
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
  stretches: Stretch[][],
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
      stretches[a.module]!.push({ start: va, last: (va + (end - start - 1)) >>> 0, delta });
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
function pairBss(source: Layout, target: Layout, stretches: Stretch[][]): void {
  const waiting = target.regions.filter((region) => region.kind === REGION_KIND.bss);
  for (const region of source.regions) {
    if (region.kind !== REGION_KIND.bss) continue;
    const found = waiting.findIndex(({ module }) => module === region.module);
    if (found < 0) continue;
    const [other] = waiting.splice(found, 1);
    // The address just behind is named too: it is where the memory ends.
    const last = Math.min(0xffffffff, region.va + region.length);
    stretches[region.module]!.push({ start: region.va, last, delta: (other!.va - region.va) | 0 });
  }
}

/** Sorted by start; of two that overlap the longer one keeps what both name. */
function withoutOverlap(stretches: Stretch[]): Stretch[] {
  stretches.sort((a, b) => a.start - b.start || b.last - a.last);
  const kept: Stretch[] = [];
  for (let next of stretches) {
    for (;;) {
      const top = kept.at(-1);
      if (top === undefined || top.last < next.start) {
        kept.push(next);
        break;
      }
      if (next.last - next.start > top.last - top.start) {
        kept.pop();
        if (next.start > top.start) kept.push({ ...top, last: next.start - 1 }, next);
        else continue;
        break;
      }
      if (next.last <= top.last) break;
      next = { ...next, start: top.last + 1 };
    }
  }
  return kept;
}

function pack(stretches: readonly Stretch[]): Space {
  const start = Uint32Array.from(stretches, (stretch) => stretch.start);
  const last = Uint32Array.from(stretches, (stretch) => stretch.last);
  const delta = Int32Array.from(stretches, (stretch) => stretch.delta);
  return { start, last, delta };
}
