/**
 * Stretches: what covers and regions together say of addresses. Every maximal part of a cover that lies in one region of
 * the source and in one of the target tells where a stretch of addresses went.
 *
 * There may be far more of them than covers and regions (covers may name one part of the source again and again), so a
 * decoder counts them before it makes any.
 * @module
 */
import type { CoverList } from '../format/cover.ts';
import type { PlanRoom } from '../format/plan.ts';
import { firstRegionEndingAfter, REGION_KIND, type Layout, type Region } from '../format/regions.ts';
import type { Steps } from '../steps.ts';
import { WORK, type WorkMeter } from '../format/work.ts';

/** A stretch: addresses of the source from `start` to `last` went to themselves plus `delta`. */
export type VisitStretch = (module: number, start: number, last: number, delta: number) => void;

/** What stretches follow from. */
interface StretchPlan {
  readonly covers: CoverList;
  readonly source: Layout;
  readonly target: Layout;
}

/** Steps of the walk between two stand-stills: some milliseconds. */
const STILL_STEPS = 2 ** 17;

/** A walk over all covers, in order. */
export class StretchWalk {
  readonly #plan: StretchPlan;
  readonly #source: readonly Region[];
  readonly #target: readonly Region[];
  /** Near the target region of the cover before. */
  #at = 0;

  constructor(plan: StretchPlan) {
    this.#plan = plan;
    this.#source = plan.source.regions.filter((region) => region.offset >= 0);
    this.#target = plan.target.regions.filter((region) => region.offset >= 0);
  }

  /** Stretches of cover `i`, in the order of its bytes; returns how many steps that took. */
  cover(i: number, visit: VisitStretch): number {
    const { covers } = this.#plan;
    const from = covers.sourceOffset[i]!;
    const to = covers.targetOffset[i]!;
    const length = covers.length[i]!;
    const source = this.#source;
    const target = this.#target;
    let steps = 1;
    for (; this.#at > 0 && target[this.#at]!.offset > to; steps++) this.#at--;
    for (; this.#at + 1 < target.length && endOf(target[this.#at]!) <= to; steps++) this.#at++;
    let s = firstRegionEndingAfter(source, from);
    let t = this.#at;
    for (; s < source.length && t < target.length; steps++) {
      const a = source[s]!;
      const b = target[t]!;
      const start = Math.max(0, a.offset - from, b.offset - to);
      const aEnd = endOf(a) - from;
      const bEnd = endOf(b) - to;
      const end = Math.min(length, aEnd, bEnd);
      if (start < end && a.module === b.module) {
        const va = (a.va + (from + start - a.offset)) >>> 0;
        const delta = (b.va + (to + start - b.offset) - va) | 0;
        visit(a.module, va, (va + (end - start - 1)) >>> 0, delta);
      }
      if (Math.min(aEnd, bEnd) >= length) break;
      if (aEnd <= bEnd) s++;
      else t++;
    }
    return steps;
  }

  /** The n-th region outside of the file of a module goes to the n-th one of the same module. */
  bss(visit: VisitStretch): void {
    const { source, target } = this.#plan;
    const waiting = new Map<number, Region[]>();
    for (const region of target.regions) {
      if (region.kind !== REGION_KIND.bss) continue;
      const queue = waiting.get(region.module);
      if (queue === undefined) waiting.set(region.module, [region]);
      else queue.push(region);
    }
    for (const queue of waiting.values()) queue.reverse();
    for (const region of source.regions) {
      if (region.kind !== REGION_KIND.bss) continue;
      const other = waiting.get(region.module)?.pop();
      if (other === undefined) continue;
      // The address just behind is named too: it is where the memory ends.
      const last = Math.min(0xffffffff, region.va + region.length);
      visit(region.module, region.va, last, (other.va - region.va) | 0);
    }
  }
}

function endOf(region: Region): number {
  return region.offset + region.length;
}

/**
 * How many stretches there are.
 * @throws UpdateError payload_work, and plan_malformed when there is no room for them
 */
export function* countStretches(plan: StretchPlan, work?: WorkMeter, room?: PlanRoom): Steps<number> {
  if (plan.source.vaHigh.length === 0) return 0;
  const walk = new StretchWalk(plan);
  let count = 0;
  let still = 0;
  for (let i = 0; i < plan.covers.count; i++) {
    const before = count;
    const steps = walk.cover(i, () => count++);
    if (work !== undefined) {
      work.spent += WORK.step * steps;
      work.check();
    }
    room?.take('stretch', count - before);
    still += steps;
    if (still < STILL_STEPS) continue;
    still = 0;
    yield;
  }
  const before = count;
  walk.bss(() => count++);
  room?.take('stretch', count - before);
  return count;
}
