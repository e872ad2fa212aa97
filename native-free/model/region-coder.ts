/**
 * Coding of the plan's layouts: regions of the source, what became of each in the target, and the bases of tables.
 *
 * The source's regions are told by gap, length and kind; the target's are expected where covers say that the same bytes
 * went, so that most of them cost next to nothing. Numbers are adaptive and share their contexts across all regions:
 * a tree of kernel modules has thousands.
 * @module
 */
import type { CoverList } from '../format/cover.ts';
import { BASES_MAX } from '../format/plan.ts';
import { REGION_KIND, type Layout, type Region, type RegionKind } from '../format/regions.ts';
import { LIMITS } from '../limits.ts';
import type { Base } from '../predict/data-reader.ts';
import { UpdateError } from '../status.ts';
import { BitModels } from './bit-models.ts';
import { NumberModels } from './number-models.ts';
import type { ImageSizes } from './cover-coder.ts';
import type { BitCoder } from './range-coder.ts';

/** Contexts of numbers; the first of each group that depends on the kind. */
const COUNT = 0;
const HIGH = 1;
const GAP = 2;
const VA = 3;
const BASES = 4;
const BASE_REGION = 5;
const BASE_OFFSET = 6;
const START_ERROR = 7;
const END_ERROR = 8;
const VA_ERROR = 9;
const TARGET_HIGH = 10;
const BASE_ERROR = 11;
const LENGTH = 12;
const NUMBER_CONTEXTS = LENGTH + 16;

/** Contexts of flags. */
const NEW_MODULE = 0;
const VA_FOLLOWS = 4;
const IN_TARGET = 8;
const SIGN = 12;
const SCALE = 16;
const FLAG_CONTEXTS = 32;

const KINDS = 16;
const SCALES = [1, 4, 16, 24] as const;
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
  readonly #numbers = new NumberModels(NUMBER_CONTEXTS);
  readonly #flags = new BitModels(FLAG_CONTEXTS, 60);
  readonly #kinds = new BitModels(KINDS * KINDS, 60);
  readonly #covers: CoverList;
  readonly #sizes: ImageSizes;
  #places: OffsetMap | null = null;
  /** End of the last region of the source that is in the file. */
  #end = 0;

  constructor(covers: CoverList, sizes: ImageSizes) {
    this.#covers = covers;
    this.#sizes = sizes;
  }

  /**
   * Codes the layouts of a plan; a decoder passes null. The encoder's regions must pair up: see `pairedLayouts`.
   * @throws UpdateError plan_malformed when decoded regions overlap, leave an image or are too many
   */
  code(coder: BitCoder, plan: PairedRegions | null): Layouts {
    const count = this.#number(coder, plan?.pairs.length ?? 0, COUNT, LIMITS.regions_max);
    const pairs: RegionPair[] = [];
    const highs: (readonly [number, number])[] = [];
    let last: RegionPair | null = null;
    for (let i = 0; i < count; i++) {
      const known = plan?.pairs[i] ?? null;
      const source = this.#source(coder, known?.source ?? null, last?.source ?? null);
      if (source.module === highs.length) highs.push(this.#high(coder, plan?.highs[source.module] ?? null));
      const target = this.#target(coder, source, known === null ? undefined : known.target, last);
      last = { source, target, bases: [] };
      pairs.push(last);
    }
    const bases = this.#bases(coder, plan?.pairs ?? null, pairs);
    return layoutsOf(
      pairs.map((pair, i) => ({ ...pair, bases: bases[i]! })),
      highs,
    );
  }

  #high(coder: BitCoder, known: readonly [number, number] | null): readonly [number, number] {
    const source = this.#number(coder, known?.[0] ?? 0, HIGH, TWO_32 - 1);
    const same = this.#flag(coder, known !== null && known[0] === known[1], SIGN + 3);
    return [source, same ? source : this.#number(coder, known?.[1] ?? 0, TARGET_HIGH, TWO_32 - 1)];
  }

  #source(coder: BitCoder, known: Region | null, last: Region | null): Region {
    const isNew = this.#flag(coder, last === null || known?.module !== last.module, NEW_MODULE + (last === null ? 1 : 0));
    const module = last === null ? 0 : last.module + (isNew ? 1 : 0);
    const kind = this.#kind(coder, known?.kind ?? 0, last?.kind ?? 0);
    const isBss = kind === REGION_KIND.bss;
    const offset = isBss ? -1 : this.#end + this.#signed(coder, (known?.offset ?? 0) - this.#end, GAP);
    const length = this.#number(coder, (known?.length ?? 1) - 1, LENGTH + kind, TWO_32 - 1) + 1;
    if (!isBss) {
      this.#end = offset + length;
      if (offset < 0 || this.#end > this.#sizes.sourceBytes) malformed(`a region of the source ends at ${this.#end}`);
    }
    const expected = isNew || last === null ? 0 : (last.va + (isBss ? last.length : offset - last.offset)) >>> 0;
    const follows = this.#flag(coder, known?.va === expected, VA_FOLLOWS + (isNew ? 1 : 0) + (isBss ? 2 : 0));
    const va = follows ? expected : (expected + this.#number(coder, ((known?.va ?? 0) - expected) >>> 0, VA, TWO_32 - 1)) >>> 0;
    return { module, kind, offset, length, va };
  }

  /** `known` is undefined in a decoder, null for a region without counterpart. */
  #target(coder: BitCoder, source: Region, known: Region | null | undefined, last: RegionPair | null): Region | null {
    if (!this.#flag(coder, known !== null, IN_TARGET + (last?.target === null ? 1 : 0))) return null;
    const { module, kind } = source;
    const before = last === null || last.target === null || last.source.module !== module ? null : last;
    if (kind === REGION_KIND.bss) {
      const length = source.length + this.#signed(coder, (known?.length ?? 0) - source.length, END_ERROR);
      if (length < 1) malformed('a region of the target is empty');
      return { module, kind, offset: -1, length, va: this.#targetVa(coder, known, source, before) };
    }
    const start = this.#expectedPlace(source.offset);
    const offset = start + this.#signed(coder, (known?.offset ?? 0) - start, START_ERROR);
    const end = this.#expectedPlace(source.offset + source.length - 1) + 1;
    const length = end - offset + this.#signed(coder, (known?.length ?? 0) - (end - offset), END_ERROR);
    if (offset < 0 || length < 1 || offset + length > this.#sizes.targetBytes) malformed('a region leaves the target');
    return { module, kind, offset, length, va: this.#targetVa(coder, known, source, before, offset) };
  }

  /** Expected to have moved like the region before it, or by as much as its offset did. */
  #targetVa(
    coder: BitCoder,
    known: Region | null | undefined,
    source: Region,
    before: RegionPair | null,
    offset = 0,
  ): number {
    const { target } = before ?? { target: null };
    let expected = source.va;
    if (target !== null && source.kind === REGION_KIND.bss) expected = target.va + target.length + (source.va - before!.source.va - before!.source.length);
    else if (target !== null) expected = target.va + (offset - target.offset) + (source.va - before!.source.va - (source.offset - before!.source.offset));
    expected >>>= 0;
    const error = this.#signed(coder, ((known?.va ?? 0) - expected) | 0, VA_ERROR);
    return (expected + error) >>> 0;
  }

  /** Where the covers say that a byte of the source went: through the cover nearest before it in target order that names it. */
  #expectedPlace(offset: number): number {
    this.#places ??= new OffsetMap(this.#covers);
    return Math.min(Math.max(0, this.#places.map(offset)), this.#sizes.targetBytes);
  }

  #bases(coder: BitCoder, known: readonly RegionPair[] | null, pairs: readonly RegionPair[]): Base[][] {
    return pairs.map(({ source }, i) => {
      if (source.kind !== REGION_KIND.data64 && source.kind !== REGION_KIND.data32) return [];
      const bases = known?.[i]!.bases ?? [];
      const count = this.#number(coder, bases.length, BASES, BASES_MAX);
      return Array.from({ length: count }, (_, b) => this.#base(coder, bases[b] ?? null, source.module, pairs));
    });
  }

  /** A base is in a region of its module, mostly at its start, and moved with it. */
  #base(coder: BitCoder, known: Base | null, module: number, pairs: readonly RegionPair[]): Base {
    const first = pairs.findIndex(({ source }) => source.module === module);
    const wanted = known === null ? -1 : ownerOf(known.source, module, pairs);
    const index = first + this.#number(coder, Math.max(0, wanted - first), BASE_REGION, pairs.length - 1 - first);
    const { source, target } = pairs[index]!;
    const offset = this.#number(coder, known === null ? 0 : (known.source - source.va) >>> 0, BASE_OFFSET, TWO_32 - 1);
    const base = (source.va + offset) >>> 0;
    const expected = ((target ?? source).va + offset) >>> 0;
    const moved = (expected + this.#signed(coder, known === null ? 0 : (known.target - expected) | 0, BASE_ERROR)) >>> 0;
    const scale = SCALES.indexOf((known?.scale ?? 1) as (typeof SCALES)[number]);
    const high = this.#flag(coder, scale >= 2, SCALE);
    const low = this.#flag(coder, (scale & 1) !== 0, SCALE + 1 + (high ? 1 : 0));
    return { source: base, target: moved, scale: SCALES[(high ? 2 : 0) + (low ? 1 : 0)]! };
  }

  #kind(coder: BitCoder, known: number, last: number): RegionKind {
    let tree = 1;
    for (let bit = 3; bit >= 0; bit--) tree = tree * 2 + this.#kinds.code(coder, (known >> bit) & 1, last * KINDS + tree);
    const kind = tree & 15;
    if (kind > REGION_KIND.bss) malformed(`region kind ${kind}`);
    return kind as RegionKind;
  }

  #flag(coder: BitCoder, value: boolean, context: number): boolean {
    return this.#flags.code(coder, value ? 1 : 0, context) !== 0;
  }

  #number(coder: BitCoder, value: number, context: number, most: number): number {
    const coded = this.#numbers.code(coder, value, context);
    if (coded > most) malformed(`a number of ${coded} where ${most} is the most`);
    return coded;
  }

  #signed(coder: BitCoder, value: number, context: number): number {
    const folded = this.#number(coder, value < 0 ? -2 * value - 1 : 2 * value, context, 2 * TWO_32);
    return folded % 2 === 1 ? -(folded + 1) / 2 : folded / 2;
  }
}

function malformed(what: string): never {
  throw new UpdateError('plan_malformed', `layout: ${what}`);
}

/** Index of the region that contains an address, or of the first of its module. */
function ownerOf(address: number, module: number, pairs: readonly RegionPair[]): number {
  let owner = -1;
  for (const [i, { source }] of pairs.entries()) {
    if (source.module !== module) continue;
    if (owner < 0) owner = i;
    if (address >= source.va && address < source.va + source.length) return i;
  }
  return owner;
}

/** Source offsets to target offsets: the cover that names an offset, or the nearest one before it in the source. */
class OffsetMap {
  readonly #order: Uint32Array;
  readonly #covers: CoverList;

  constructor(covers: CoverList) {
    const { sourceOffset } = covers;
    this.#covers = covers;
    this.#order = Uint32Array.from({ length: covers.count }, (_, i) => i).sort(
      (a, b) => sourceOffset[a]! - sourceOffset[b]! || a - b,
    );
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
