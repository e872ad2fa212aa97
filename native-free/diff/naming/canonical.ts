/**
 * Copies of images in which references are replaced by what they mean, so that equal bytes mean "will be predicted".
 *
 * Two calls of one function differ in every byte of their fields when anything between them moved. For matching, each
 * reference is replaced by a hash of the source address of what it refers to: in the source directly, in the target
 * through the address map of an earlier, coarser match. Before there is a map, references are masked. (Zucchini does
 * the same with label numbers; the hash needs no tables.)
 * @module
 */
import { loadWord, storeBytes } from '../../format/words.ts';
import { REGION_KIND, type Layout, type Region } from '../../format/regions.ts';
import { AddressSpace } from '../../predict/address-space.ts';
import type { AddressMap } from '../../predict/address-map.ts';
import { isPlaced } from '../../predict/code-reader.ts';
import { NO_REFERENCE, NOWHERE } from '../../predict/isa/instruction-set.ts';
import { instructionSetOf } from '../../predict/isa/list.ts';
import type { Base } from '../../format/plan.ts';
import { MEANING_BYTES, type TableMeaning } from './find-bases.ts';

/** Gives an address its name; modules are selected before. */
export interface Naming {
  select(module: number): void;
  nameOf(address: number): number;
  /** Where the bytes at an address are in the source. */
  inSource(address: number): number;
  /** The source's or the target's address of a base. */
  baseOf(base: Base): number;
}

/**
 * Names are shorter than what they stand for: a wrong one costs the coder about ten bits, however many bytes it has, and
 * the search for covers counts bytes.
 */
const WORD_NAME = 0xffff;
const ADDRESS_NAME = 0xffffff;

/** All references alike. */
export const masked: Naming = {
  select(): void {
    // Nothing depends on the module.
  },
  nameOf: () => 0,
  inSource: (address) => address,
  baseOf: (base) => base.source,
};

/** The source's own addresses. */
export function sourceNames(): Naming {
  let module = 0;
  return {
    select: (next) => void (module = next),
    nameOf: (address) => hash(address, module),
    inSource: (address) => address,
    baseOf: (base) => base.source,
  };
}

/** The target's addresses, by where they were in the source; `inverse` maps target to source. */
export function targetNames(inverse: AddressMap): Naming {
  let module = 0;
  return {
    select(next): void {
      module = next;
      inverse.select(next);
    },
    nameOf(address): number {
      const mapped = inverse.map(address);
      return hash(mapped === NOWHERE ? ~address : mapped, module);
    },
    inSource: (address) => inverse.map(address),
    baseOf: (base) => base.target,
  };
}

function hash(address: number, module: number): number {
  let value = Math.imul(address, 0x9e3779b1) ^ Math.imul(module, 0x85ebca6b);
  value ^= value >>> 15;
  value = Math.imul(value, 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}

/** A copy of `image` with all references named. `into` may be given to save an allocation; it is overwritten. */
export function canonicalImage(
  image: Uint8Array,
  layout: Layout,
  naming: Naming,
  tables: readonly (TableMeaning | undefined)[] = [],
  into: Uint8Array = new Uint8Array(image.length),
): Uint8Array {
  into.set(image);
  const space = new AddressSpace(layout, layout);
  for (const [i, region] of layout.regions.entries()) {
    if (region.offset < 0) continue;
    naming.select(region.module);
    space.select(region.module);
    const isWide = region.kind === REGION_KIND.data64;
    if (isWide || region.kind === REGION_KIND.data32) {
      const table = tables[i];
      if (table !== undefined) nameWords(image, region, table, space, naming, into);
      if (isWide) nameWide(image, region, space, naming, into);
      else nameNarrow(image, region, space, naming, into);
    } else nameCode(image, region, space, naming, into);
  }
  return into;
}

function nameCode(image: Uint8Array, region: Region, space: AddressSpace, naming: Naming, into: Uint8Array): void {
  const set = instructionSetOf(region.kind);
  if (set === null) return;
  const { hasPools, nameBits, bigEndian } = set;
  const isa = set.makeReader();
  const end = region.offset + region.length;
  isa.begin();
  for (let at = region.offset; at < end;) {
    const va = (region.va + at - region.offset) >>> 0;
    isa.read(image, at, region.offset, end, va);
    if (hasPools && (va & 3) === 0 && at + 4 <= end && !isPlaced(isa) && space.isAddress(loadWord(image, at))) {
      storeBytes(into, at, 4, naming.nameOf(loadWord(image, at)), false);
      at += 4;
      continue;
    }
    if (isa.kind !== NO_REFERENCE) {
      const name = (naming.nameOf(isa.target) ^ isa.kind) & nameBits;
      storeBytes(into, at, isa.length, isa.write(isa.word, isa.kind, 0, name >>> 0), bigEndian);
    }
    at += isa.length;
  }
}

/** Words that are distances. */
function nameWords(
  image: Uint8Array,
  region: Region,
  table: TableMeaning,
  space: AddressSpace,
  naming: Naming,
  into: Uint8Array,
): void {
  const end = region.offset + region.length;
  const last = table.chunks.length - 1;
  for (let at = region.offset + ((4 - (region.va & 3)) & 3); at + 4 <= end; at += 4) {
    const word = loadWord(image, at);
    if (word === 0) continue;
    const va = (region.va + at - region.offset) >>> 0;
    const place = naming.inSource(va) - table.va;
    const chunk = table.chunks[Math.min(last, Math.max(0, Math.floor(place / MEANING_BYTES)))]!;
    const meaning = (place & 4) === 0 ? chunk.even : chunk.odd;
    if (meaning === null) continue;
    const address = meaning === 'place' ? va + word : naming.baseOf(meaning) + Math.imul(word, meaning.scale);
    if (!space.isAddress(address >>> 0)) continue;
    storeBytes(into, at, 4, naming.nameOf(address >>> 0) & WORD_NAME, false);
  }
}

function nameWide(image: Uint8Array, region: Region, space: AddressSpace, naming: Naming, into: Uint8Array): void {
  const end = region.offset + region.length;
  const first = region.offset + ((8 - (region.va & 7)) & 7);
  for (let at = first; at + 8 <= end; at += 8) {
    const low = loadWord(image, at);
    if (loadWord(image, at + 4) !== space.sourceHigh || !space.isAddress(low)) continue;
    const name = naming.nameOf(low);
    storeBytes(into, at, 4, name & ADDRESS_NAME, false);
    storeBytes(into, at + 4, 4, 0, false);
  }
}

function nameNarrow(image: Uint8Array, region: Region, space: AddressSpace, naming: Naming, into: Uint8Array): void {
  const end = region.offset + region.length;
  for (let at = region.offset + ((4 - (region.va & 3)) & 3); at + 4 <= end; at += 4) {
    const word = loadWord(image, at);
    if (space.isAddress(word)) storeBytes(into, at, 4, naming.nameOf(word) & ADDRESS_NAME, false);
  }
}
