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
import type { Layout } from '../format/regions.ts';
import { NOWHERE } from './isa/instruction-set.ts';
import { StretchWalk, type VisitStretch } from './stretches.ts';

/** What the map consists of: stretches of all modules, one module behind the other, each in the order of its source addresses, without overlap. */
export interface Stretches {
  readonly start: Uint32Array;
  /** Address of the last byte, so that a stretch may end at 2^32 - 1. */
  readonly last: Uint32Array;
  /** Target address minus source address, modulo 2^32. */
  readonly delta: Int32Array;
  /** Where each module's begin; one entry more, for the end of the last one. */
  readonly first: Uint32Array;
}

export class AddressMap {
  readonly #start: Uint32Array;
  readonly #last: Uint32Array;
  readonly #delta: Int32Array;
  readonly #first: Uint32Array;
  /** The module's part. */
  #from = 0;
  #to = 0;
  /** Index of the last answer: references come in clusters. */
  #recent = 0;

  /** Modules of both layouts have the same numbers. */
  constructor(covers: CoverList, source: Layout, target: Layout) {
    const { start, last, delta, first } = stretchesOf(covers, source, target);
    this.#start = start;
    this.#last = last;
    this.#delta = delta;
    this.#first = first;
    this.select(0);
  }

  /** Chooses the module whose addresses `map` is asked for. */
  select(module: number): void {
    this.#from = this.#first[module] ?? 0;
    this.#to = this.#first[module + 1] ?? this.#from;
    this.#recent = this.#from;
  }

  /** The target's address for a source address (both unsigned 32 bits), or NOWHERE when nothing is known of it. */
  map(va: number): number {
    if (this.#from === this.#to) return NOWHERE;
    const start = this.#start;
    const last = this.#last;
    let at = this.#recent;
    if (va < start[at]! || va > last[at]!) {
      at = this.#search(va);
      this.#recent = at;
      if (va > last[at]! && at + 1 < this.#to && start[at + 1]! - va < va - last[at]! - 1) at++;
    }
    return (va + this.#delta[at]!) >>> 0;
  }

  /** The last stretch that starts at or before `va`, or the first one. */
  #search(va: number): number {
    const start = this.#start;
    let low = this.#from;
    let high = this.#to - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (start[middle]! <= va) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The stretches of a map; modules of both layouts have the same numbers. */
export function stretchesOf(covers: CoverList, source: Layout, target: Layout): Stretches {
  const found = collect(covers, source, target);
  const modules = found.first.length - 1;
  const total = found.first[modules]!;
  const laid: Stretches = {
    ...{ start: new Uint32Array(total), last: new Uint32Array(total), delta: new Int32Array(total) },
    first: new Uint32Array(modules + 1),
  };
  for (let module = 0; module < modules; module++) {
    laid.first[module + 1] = layDown(found, found.first[module]!, found.first[module + 1]!, laid, laid.first[module]!);
  }
  return laid;
}

/** All stretches, by module, as they are found: counted first, so that nothing grows. */
function collect(covers: CoverList, source: Layout, target: Layout): Stretches {
  const modules = Math.max(source.vaHigh.length, target.vaHigh.length);
  const first = new Uint32Array(modules + 1);
  const all = (visit: VisitStretch): void => {
    if (modules === 0) return;
    const walk = new StretchWalk({ covers, source, target });
    for (let i = 0; i < covers.count; i++) walk.cover(i, visit);
    walk.bss(visit);
  };
  all((module) => first[module + 1]!++);
  for (let module = 0; module < modules; module++) first[module + 1]! += first[module]!;
  const total = first[modules]!;
  const found = { start: new Uint32Array(total), last: new Uint32Array(total), delta: new Int32Array(total), first };
  const next = first.slice();
  all((module, start, last, delta) => {
    const at = next[module]!++;
    found.start[at] = start;
    found.last[at] = last;
    found.delta[at] = delta;
  });
  return found;
}

/**
 * Lays stretches [begin, end) of `found` down behind `at`, sorted by start; of two that overlap the longer one keeps what
 * both name. Returns where they end.
 */
function layDown(found: Stretches, begin: number, end: number, laid: Stretches, at: number): number {
  const { start, last, delta } = laid;
  let kept = at;
  for (const i of ordered(found.start, begin, end)) {
    let from = found.start[i]!;
    const to = found.last[i]!;
    while (kept > at && from <= to && last[kept - 1]! >= from) {
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
    delta[kept++] = found.delta[i]!;
  }
  return kept;
}

/** Indexes in the order of the starts, and of their finding where these are equal. */
function ordered(start: Uint32Array, begin: number, end: number): Float64Array {
  const keys = new Float64Array(end - begin);
  for (let i = begin; i < end; i++) keys[i - begin] = start[i]! * KEY + (i - begin);
  keys.sort();
  for (let i = 0; i < keys.length; i++) keys[i] = begin + (keys[i]! % KEY);
  return keys;
}

/** Keys are start · KEY + index, exact in doubles: no module has so many stretches. */
const KEY = 2 ** 21;
