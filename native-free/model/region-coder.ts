/**
 * Coding of the plan's layouts: regions of the source, what became of each in the target, and the bases of tables.
 *
 * The source's regions are told by gap, length and kind; the target's are expected where covers say that the same bytes
 * went, so that most of them cost next to nothing. Numbers are adaptive and share their contexts across all regions:
 * a tree of kernel modules has thousands.
 * @module
 */
import type { CoverList } from '../format/cover.ts';
import { SCALES, type PlanRoom, type Base } from '../format/plan.ts';
import { REGION_KIND, REGION_KIND_MAX, type Layout, type Region, type RegionKind } from '../format/regions.ts';
import { LIMITS } from '../limits.ts';
import { UpdateError } from '../status.ts';
import type { ImageSizes } from './covers/cover-coder.ts';
import type { ModelCoder } from './model-coder.ts';
import { FLAG, NUMBER } from './contexts.ts';
import { NumberCoder } from './number-coder.ts';
import { allAtOnce, type Steps } from '../steps.ts';
import { WORK, type WorkMeter } from '../format/work.ts';

/** Pairs, or regions' bases, between two steps: some milliseconds. */
const STEP_PAIRS = 64;

const TWO_32 = 2 ** 32;

interface Layouts {
  readonly source: Layout;
  readonly target: Layout;
  readonly bases: readonly (readonly Base[])[];
}

/** A region of the source with its counterpart. */
export interface RegionPair {
  readonly source: Region;
  /** Null when nothing of it is left. */
  readonly target: Region | null;
  readonly bases: readonly Base[];
}

export interface PairedRegions {
  /** By module; in a module in the order of offsets, those outside of the file last. */
  readonly pairs: readonly RegionPair[];
  /** High words of each module's addresses, source and target. */
  readonly highs: readonly (readonly [number, number])[];
}

/** Codes layouts; one instance a plan. */
export class RegionCoder {
  readonly #numbers: NumberCoder;
  readonly #work: WorkMeter;
  readonly #room: PlanRoom | undefined;
  readonly #covers: CoverList;
  readonly #sizes: ImageSizes;
  #places: OffsetMap | null = null;
  #kindBefore = 15;
  /** End of the last region of the source that is in the file. */
  #end = 0;

  constructor(coder: ModelCoder, covers: CoverList, sizes: ImageSizes, room?: PlanRoom) {
    this.#numbers = new NumberCoder(coder);
    this.#work = coder.work;
    this.#room = room;
    this.#covers = covers;
    this.#sizes = sizes;
  }

  /** Codes all at once; see `steps`. */
  code(plan: PairedRegions | null): Layouts {
    return allAtOnce(this.steps(plan));
  }

  /**
   * Codes the layouts of a plan; a decoder passes null. The encoder's regions must pair up: see PairedRegions.
   * @throws UpdateError plan_malformed when decoded regions overlap, leave an image or are too many; payload_work
   */
  *steps(plan: PairedRegions | null): Steps<Layouts> {
    const count = this.#number(plan?.pairs.length ?? 0, NUMBER.regionCount, LIMITS.regions_max);
    this.#room?.take('pair', count);
    const pairs: RegionPair[] = [];
    const highs: (readonly [number, number])[] = [];
    let last: RegionPair | null = null;
    for (let i = 0; i < count; i++) {
      this.#spend(WORK.pair);
      if (i % STEP_PAIRS === 0) yield;
      const known = plan?.pairs[i] ?? null;
      const source = this.#source(known?.source ?? null, last?.source ?? null);
      if (source.module === highs.length) highs.push(this.#high(plan?.highs[source.module] ?? null));
      const target = this.#target(source, known === null ? undefined : known.target, last);
      last = { source, target, bases: [] };
      pairs.push(last);
    }
    const bases = yield* this.#bases(plan?.pairs ?? null, pairs);
    return layoutsOf(
      pairs.map((pair, i) => ({ ...pair, bases: bases[i]! })),
      highs,
    );
  }

  #spend(lookups: number): void {
    this.#work.spent += lookups;
    this.#work.check();
  }

  #high(known: readonly [number, number] | null): readonly [number, number] {
    this.#room?.take('module');
    const source = this.#number(known?.[0] ?? 0, NUMBER.high, TWO_32 - 1);
    const same = this.#numbers.flag(known !== null && known[0] === known[1], FLAG.sameHigh);
    return [source, same ? source : this.#number(known?.[1] ?? 0, NUMBER.targetHigh, TWO_32 - 1)];
  }

  #source(known: Region | null, last: Region | null): Region {
    const isNew = this.#numbers.flag(last === null || known?.module !== last.module, FLAG.newModule, last?.kind ?? 15);
    const module = last === null ? 0 : last.module + (isNew ? 1 : 0);
    const kind = this.#kind(known?.kind ?? 0, last?.kind ?? 15, this.#kindBefore);
    this.#kindBefore = last?.kind ?? 15;
    const isBss = kind === REGION_KIND.bss;
    const offset = isBss
      ? -1
      : this.#end + this.#signed((known?.offset ?? 0) - this.#end, NUMBER.gap, kind, last?.kind ?? 15);
    const length = this.#number((known?.length ?? 1) - 1, NUMBER.length, TWO_32 - 1, kind, last?.kind ?? 15) + 1;
    if (!isBss) {
      this.#end = offset + length;
      if (offset < 0 || this.#end > this.#sizes.sourceBytes) malformed(`a region of the source ends at ${this.#end}`);
    }
    const expected = isNew || last === null ? 0 : (last.va + (isBss ? last.length : offset - last.offset)) >>> 0;
    const follows = this.#numbers.flag(known?.va === expected, FLAG.vaFollows, kind, isNew ? 1 : 0, last?.kind ?? 15);
    const va = follows
      ? expected
      : (expected + this.#number(((known?.va ?? 0) - expected) >>> 0, NUMBER.va, TWO_32 - 1)) >>> 0;
    return { module, kind, offset, length, va };
  }

  /** `known` is undefined in a decoder, null for a region without counterpart. */
  #target(source: Region, known: Region | null | undefined, last: RegionPair | null): Region | null {
    if (!this.#numbers.flag(known !== null, FLAG.inTarget, last?.target === null ? 1 : 0)) return null;
    const { module, kind } = source;
    const before = last === null || last.target === null || last.source.module !== module ? null : last;
    if (kind === REGION_KIND.bss) {
      const length = source.length + this.#signed((known?.length ?? 0) - source.length, NUMBER.endError);
      if (length < 1) malformed('a region of the target is empty');
      return { module, kind, offset: -1, length, va: this.#targetVa(known, source, before) };
    }
    const start = this.#expectedPlace(source.offset);
    const offset = start + this.#signed((known?.offset ?? 0) - start, NUMBER.startError, kind);
    const end = this.#expectedPlace(source.offset + source.length - 1) + 1;
    const length = end - offset + this.#signed((known?.length ?? 0) - (end - offset), NUMBER.endError, kind);
    if (offset < 0 || length < 1 || offset + length > this.#sizes.targetBytes) malformed('a region leaves the target');
    return { module, kind, offset, length, va: this.#targetVa(known, source, before, offset) };
  }

  /** Expected to have moved like the region before it, or by as much as its offset did. */
  #targetVa(known: Region | null | undefined, source: Region, before: RegionPair | null, offset = 0): number {
    const { target } = before ?? { target: null };
    let expected = source.va;
    if (target !== null && source.kind === REGION_KIND.bss)
      expected = target.va + target.length + (source.va - before!.source.va - before!.source.length);
    else if (target !== null)
      expected =
        target.va +
        (offset - target.offset) +
        (source.va - before!.source.va - (source.offset - before!.source.offset));
    expected >>>= 0;
    const error = this.#signed(((known?.va ?? 0) - expected) | 0, NUMBER.vaError);
    return (expected + error) >>> 0;
  }

  /** Where the covers say that a byte of the source went: through the cover nearest before it in target order that names it. */
  #expectedPlace(offset: number): number {
    this.#places ??= new OffsetMap(this.#covers);
    return Math.min(Math.max(0, this.#places.map(offset)), this.#sizes.targetBytes);
  }

  *#bases(known: readonly RegionPair[] | null, pairs: readonly RegionPair[]): Steps<Base[][]> {
    let module: readonly RegionPair[] = [];
    let end = 0;
    const all: Base[][] = [];
    for (const [i, { source }] of pairs.entries()) {
      if (i % STEP_PAIRS === 0) yield;
      if (i === end) {
        while (end < pairs.length && pairs[end]!.source.module === source.module) end++;
        module = pairs.slice(i, end);
      }
      if (source.kind !== REGION_KIND.data64 && source.kind !== REGION_KIND.data32) {
        all.push([]);
        continue;
      }
      const bases = known?.[i]!.bases ?? [];
      const count = this.#number(bases.length, NUMBER.bases, LIMITS.bases_max, source.kind);
      this.#room?.take('base', count);
      all.push(Array.from({ length: count }, (_, b) => this.#base(bases[b] ?? null, module)));
    }
    return all;
  }

  /** A base is in a region of its module, mostly at its start, and moved with it. */
  #base(known: Base | null, module: readonly RegionPair[]): Base {
    this.#spend(WORK.base);
    const wanted = known === null ? 0 : ownerOf(known.source, module);
    const index = this.#number(wanted, NUMBER.baseRegion, module.length - 1);
    const { source, target } = module[index]!;
    const offset = this.#number(known === null ? 0 : (known.source - source.va) >>> 0, NUMBER.baseOffset, TWO_32 - 1);
    const base = (source.va + offset) >>> 0;
    const expected = ((target ?? source).va + offset) >>> 0;
    const moved = (expected + this.#signed(known === null ? 0 : (known.target - expected) | 0, NUMBER.baseError)) >>> 0;
    const scale = SCALES.indexOf((known?.scale ?? 1) as (typeof SCALES)[number]);
    const high = this.#numbers.flag(scale >= 2, FLAG.scale);
    const low = this.#numbers.flag((scale & 1) !== 0, FLAG.scale + 1, high ? 1 : 0);
    return { source: base, target: moved, scale: SCALES[(high ? 2 : 0) + (low ? 1 : 0)]! };
  }

  #kind(known: number, last: number, before: number): RegionKind {
    const kind = this.#number(known, NUMBER.kind, REGION_KIND_MAX, last, before);
    return kind as RegionKind;
  }

  #number(value: number, kind: number, most: number, a = 0, b = 0, c = 0): number {
    const coded = this.#numbers.code(value, kind, a, b, c);
    if (coded > most) malformed(`a number of ${coded} where ${most} is the most`);
    return coded;
  }

  #signed(value: number, kind: number, a = 0, b = 0): number {
    const coded = this.#numbers.signed(value, kind, a, b);
    if (Math.abs(coded) > TWO_32) malformed(`a number of ${coded}`);
    return coded;
  }
}

function malformed(what: string): never {
  throw new UpdateError('plan_malformed', `layout: ${what}`);
}

/** Index of the region of a module that contains an address, or of the first. */
function ownerOf(address: number, module: readonly RegionPair[]): number {
  const owner = module.findIndex(({ source }) => address >= source.va && address < source.va + source.length);
  return Math.max(0, owner);
}

/** Source offsets to target offsets: the cover that names an offset, or the nearest one before it in the source. */
class OffsetMap {
  readonly #order: Uint32Array;
  readonly #covers: CoverList;

  constructor(covers: CoverList) {
    const { count, sourceOffset } = covers;
    this.#covers = covers;
    // Sorted in place, which comparing is not; both factors have bounds that keep the numbers exact.
    const keys = new Float64Array(count);
    for (let i = 0; i < count; i++) keys[i] = sourceOffset[i]! * count + i;
    keys.sort();
    this.#order = new Uint32Array(count);
    for (let i = 0; i < count; i++) this.#order[i] = keys[i]! % count;
  }

  map(offset: number): number {
    const { sourceOffset, targetOffset } = this.#covers;
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sourceOffset[this.#order[middle]!]! <= offset) low = middle + 1;
      else high = middle;
    }
    if (this.#order.length === 0) return offset;
    const cover = this.#order[Math.max(0, low - 1)]!;
    return targetOffset[cover]! + (offset - sourceOffset[cover]!);
  }
}

/**
 * The layouts that regions make up: in the order of their offsets, those outside of the file last.
 * @throws UpdateError plan_malformed when regions overlap
 */
export function layoutsOf(pairs: readonly RegionPair[], highs: readonly (readonly [number, number])[]): Layouts {
  const sorted = [...pairs].sort((a, b) => byPlace(a.source, b.source));
  const source = sorted.map((pair) => pair.source);
  const target = pairs.flatMap((pair) => (pair.target === null ? [] : [pair.target])).sort(byPlace);
  for (const regions of [source, target]) {
    for (let i = 1; i < regions.length && regions[i]!.offset >= 0; i++) {
      if (regions[i]!.offset < regions[i - 1]!.offset + regions[i - 1]!.length) malformed('regions overlap');
    }
  }
  return {
    source: { regions: source, vaHigh: highs.map(([high]) => high) },
    target: { regions: target, vaHigh: highs.map(([, high]) => high) },
    bases: sorted.map((pair) => pair.bases),
  };
}

function byPlace(a: Region, b: Region): number {
  if (a.offset < 0 || b.offset < 0) return (a.offset < 0 ? 1 : 0) - (b.offset < 0 ? 1 : 0);
  return a.offset - b.offset;
}
