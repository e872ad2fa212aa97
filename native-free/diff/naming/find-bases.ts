/**
 * What the words of tables mean: against which base addresses they are distances.
 *
 * Go's pclntab counts from its text and from itself, .eh_frame_hdr from itself, relocations name entries of a symbol
 * table, jump tables count from their own start. What is tried are the starts of regions and the addresses that Go's
 * module data names. A base is right if the words it predicts occur in the target's table, which needs no alignment
 * of the two tables: matching can then use the meaning (see canonical.ts).
 * @module
 */
import { LIMITS } from '../../limits.ts';
import { loadWord } from '../../format/words.ts';
import type { CoverList } from '../../format/cover.ts';
import { SCALES, type Plan, type Base } from '../../format/plan.ts';
import { REGION_KIND, type Region } from '../../format/regions.ts';
import { AddressMap } from '../../predict/address-map.ts';
import { ASIDE_VA, AddressSpace } from '../../predict/address-space.ts';
import { NOWHERE } from '../../predict/isa/instruction-set.ts';
import type { PairedLayouts } from '../layout/pair-regions.ts';
import { WordSet } from './word-set.ts';

/** Words that are looked at in each region: to choose among many addresses, and to judge the chosen ones. */
const SCREEN_WORDS = 400;
const JUDGE_WORDS = 3000;
const CHUNK_WORDS = 400;
const HITS_MIN = 8;
/** A base must explain one word in a hundred, and a meaning one in fifty more than sameness does. */
const SHARE_OF_WORDS = 100;
const SHARE_OF_GAIN = 50;
const ADDRESSES_MAX = 160;

/** What words are distances from, for matching: nothing, a base, or their own place. */
type Meaning = Base | 'place' | null;

/** Words at addresses divisible by 8, and the others. */
interface ChunkMeaning {
  readonly even: Meaning;
  readonly odd: Meaning;
}

/** Tables change their nature: meanings hold for so many bytes. */
export const MEANING_BYTES = 16384;

/** A table of the source and what became of it. */
export interface TableMeaning {
  /** Where the source's region begins. */
  readonly va: number;
  /** The meaning of each MEANING_BYTES of it. */
  readonly chunks: readonly ChunkMeaning[];
}

export interface Tables {
  /** By region of the source. */
  readonly bases: Base[][];
  /** By region of each side; undefined where words mean nothing. */
  readonly source: (TableMeaning | undefined)[];
  readonly target: (TableMeaning | undefined)[];
}

interface Word {
  readonly word: number;
  readonly va: number;
}

/** Which regions took the place of which, and what they are called. */
type RegionNames = Pick<PairedLayouts, 'counterpart' | 'names'>;

/** Bases and meanings of all tables. */
export function findTables(
  source: Uint8Array,
  target: Uint8Array,
  plan: Omit<Plan, 'bases'>,
  regions: RegionNames,
): Tables {
  const tables: Tables = { bases: plan.source.regions.map(() => []), source: [], target: [] };
  for (const { i, judge, bases } of judged(source, target, plan, regions)) {
    tables.bases[i] = bases;
    const meaning = { va: plan.source.regions[i]!.va, chunks: judge.meanings(bases) };
    tables.source[i] = tables.target[regions.counterpart[i]!] = meaning;
  }
  return tables;
}

/** The bases alone, which are what a plan tells of tables. */
export function findBases(
  source: Uint8Array,
  target: Uint8Array,
  plan: Omit<Plan, 'bases'>,
  regions: RegionNames,
): Base[][] {
  const all: Base[][] = plan.source.regions.map(() => []);
  for (const { i, bases } of judged(source, target, plan, regions)) all[i] = bases;
  return all;
}

/** Region `i` of the source, if it is a table, with its bases and the judge who found them. */
function* judged(
  source: Uint8Array,
  target: Uint8Array,
  plan: Omit<Plan, 'bases'>,
  { counterpart, names }: RegionNames,
): Generator<{ i: number; judge: TableJudge; bases: Base[] }> {
  const map = new AddressMap(plan.covers, plan.source, plan.target);
  const space = new AddressSpace(plan.source, plan.target);
  const addresses = possibleAddresses(source, plan.source.regions, names);
  for (const [i, region] of plan.source.regions.entries()) {
    const other = plan.target.regions[counterpart[i]!];
    const isTable = region.kind === REGION_KIND.data64 || region.kind === REGION_KIND.data32;
    if (!isTable || other === undefined || region.length < 64) continue;
    map.select(region.module);
    space.select(region.module);
    const judge = new TableJudge(source, region, target, other, map, space);
    yield { i, judge, bases: judge.findBases(addresses[region.module] ?? []) };
  }
}

/** The same covers as seen from the target. Their order is that of the target's offsets still. */
export function inverted(covers: CoverList): CoverList {
  const { count, sourceOffset, targetOffset, length } = covers;
  return { count, sourceOffset: targetOffset, targetOffset: sourceOffset, length };
}

/** For each module: starts of its regions, and what Go's module data names. */
function possibleAddresses(source: Uint8Array, regions: readonly Region[], names: readonly string[]): number[][] {
  const addresses: Set<number>[] = [];
  for (const [i, region] of regions.entries()) {
    if (region.offset < 0) continue;
    const set = (addresses[region.module] ??= new Set());
    if (set.size >= ADDRESSES_MAX) continue;
    set.add(region.va);
    if (names[i] === '.go.module') {
      for (let at = region.offset; at + 8 <= region.offset + region.length; at += 8) set.add(loadWord(source, at));
    }
  }
  return addresses.map((set) => [...set].sort((a, b) => a - b));
}

class TableJudge {
  readonly #image: Uint8Array;
  readonly #region: Region;
  readonly #map: AddressMap;
  readonly #space: AddressSpace;
  readonly #target: Uint8Array;
  readonly #other: Region;
  /** Words of the target's table, and the addresses that they mean as distances from their place, once asked for. */
  readonly #known = new WordSet();
  #places: WordSet | null = null;

  constructor(
    source: Uint8Array,
    region: Region,
    target: Uint8Array,
    other: Region,
    map: AddressMap,
    space: AddressSpace,
  ) {
    this.#image = source;
    this.#region = region;
    this.#map = map;
    this.#space = space;
    this.#target = target;
    this.#other = other;
    const end = other.offset + other.length - 4;
    for (let at = firstWord(other); at <= end; at += 4) this.#known.add(loadWord(target, at));
  }

  #placesInTarget(): WordSet {
    const places = new WordSet();
    const { va, offset, length } = this.#other;
    for (let at = firstWord(this.#other); at <= offset + length - 4; at += 4) {
      places.add((va + at - offset + loadWord(this.#target, at)) >>> 0);
    }
    return places;
  }

  /** Meanings of each MEANING_BYTES. */
  meanings(bases: readonly Base[]): ChunkMeaning[] {
    const chunks: ChunkMeaning[] = [];
    for (let at = 0; at < this.#region.length; at += MEANING_BYTES) {
      const length = Math.min(MEANING_BYTES, this.#region.length - at);
      const words = sampled(this.#image, part(this.#region, at, length), CHUNK_WORDS);
      const [even, odd] = [0, 4].map((parity) =>
        this.#meaning(
          words.filter(({ va }) => (va & 4) === parity),
          bases,
        ),
      );
      chunks.push({ even: even!, odd: odd! });
    }
    return chunks;
  }

  findBases(addresses: readonly number[]): Base[] {
    const bases: Base[] = [];
    const words = sampled(this.#image, this.#region, JUDGE_WORDS);
    const fewest = Math.max(HITS_MIN, words.length / SHARE_OF_WORDS);
    let left = words.filter(({ word }) => !this.#known.has(word));
    while (bases.length < LIMITS.bases_max && left.length >= fewest) {
      const screen = thinned(left, SCREEN_WORDS);
      let best: Base | null = null;
      let bestHits = 0;
      for (const base of this.#possible(addresses)) {
        const hits = count(screen, (each) => this.#explains(base, each));
        if (hits <= bestHits) continue;
        bestHits = hits;
        best = base;
      }
      if (best === null) break;
      const chosen = best;
      const rest = left.filter((each) => !this.#explains(chosen, each));
      if (left.length - rest.length < fewest) break;
      bases.push(chosen);
      left = rest;
    }
    return bases;
  }

  *#possible(addresses: readonly number[]): Generator<Base> {
    for (const source of addresses) {
      const target = this.#space.isAddress(source) || source >= ASIDE_VA ? this.#map.map(source) : NOWHERE;
      if (target === NOWHERE) continue;
      for (const scale of SCALES) yield { source, target, scale };
    }
  }

  #meaning(words: readonly Word[], bases: readonly Base[]): Meaning {
    const same = count(words, ({ word }) => this.#known.has(word));
    let best: Meaning = null;
    let bestHits = same + words.length / SHARE_OF_GAIN + HITS_MIN / 2;
    for (const meaning of [...bases, 'place' as const]) {
      const hits = count(words, (each) => this.#explains(meaning, each));
      if (hits <= bestHits) continue;
      bestHits = hits;
      best = meaning;
    }
    return best;
  }

  #explains(meaning: Base | 'place', { word, va }: Word): boolean {
    const address = meaning === 'place' ? (va + word) >>> 0 : (meaning.source + Math.imul(word, meaning.scale)) >>> 0;
    if (!this.#space.isAddress(address)) return meaning !== 'place' && this.#known.has(word);
    const mapped = this.#map.map(address);
    if (mapped === NOWHERE) return false;
    if (meaning === 'place') return (this.#places ??= this.#placesInTarget()).has(mapped);
    const distance = (mapped - meaning.target) | 0;
    return distance % meaning.scale === 0 && this.#known.has((distance / meaning.scale) >>> 0);
  }
}

function firstWord(region: Region): number {
  return region.offset + ((4 - (region.va & 3)) & 3);
}

/** `length` bytes of a region from its byte `at`. */
function part(region: Region, at: number, length: number): Region {
  return { ...region, offset: region.offset + at, va: (region.va + at) >>> 0, length };
}

/** Words other than zero, evenly over the region. */
function sampled(image: Uint8Array, region: Region, most: number): Word[] {
  const first = firstWord(region);
  const end = region.offset + region.length - 4;
  const step = 4 * (Math.floor((end - first) / 4 / most) | 1);
  const words: Word[] = [];
  for (let at = first; at <= end; at += step) {
    const word = loadWord(image, at);
    if (word !== 0) words.push({ word, va: (region.va + at - region.offset) >>> 0 });
  }
  return words;
}

function thinned(words: readonly Word[], most: number): readonly Word[] {
  const step = Math.ceil(words.length / most);
  return step <= 1 ? words : words.filter((_, i) => i % step === 0);
}

function count<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let hits = 0;
  for (const item of items) if (holds(item)) hits++;
  return hits;
}
