/**
 * Regions of one ELF file: what its sections (or, where these were stripped, its segments) are, and at which addresses.
 *
 * Tables beside the program, such as symbols, get addresses far from all others, so that nothing refers to them by
 * chance and yet they can be told apart. Sections of an object file (a kernel module) have no addresses yet: each gets
 * one that grows with its place in the file, and neighbours become one region, since there are thousands.
 * @module
 */
import { REGION_KIND, type RegionKind } from '../../../format/regions.ts';
import { ASIDE_VA } from '../../../predict/address-space.ts';
import { INSTRUCTION_SETS } from '../../../predict/isa/list.ts';
import { runsByTrial, runsOfMarks, type Mark, type Run } from '../arm-state.ts';
import { readBtf } from '../btf.ts';
import { FLAG, SECTION, TYPE_RELOCATABLE, type Budget, type ElfFile, type ElfSection } from './elf-file.ts';
import type { NamedRegion } from '../named-layout.ts';

/** Smaller sections are not worth their description. */
const REGION_BYTES_MIN = 32;
/** Padding between sections that become one region. */
const PADDING_BYTES_MAX = 64;
/** First address of an object file. */
const OBJECT_VA = 0x100000;
const ASIDE_BYTES = 2 ** 32 - ASIDE_VA;

/** Sections that are not loaded but consist of words. */
const WORDS_ASIDE: ReadonlySet<string> = new Set(['.debug_aranges', '.debug_ranges', '.debug_addr', '.debug_frame']);
/** Loaded sections without words, beside those that are strings. */
const NO_WORDS = /^(\.modinfo|\.gnu\.version|\.comment|\.ARM\.attributes|__ksymtab_strings)$/;
/** Loaded sections that nothing refers to. */
const UNNAMED = /^(\.note|\.interp$|\.MIPS\.|\.reginfo$|\.riscv\.attributes$)/;
/** In an object file: sections that most have, after which a region of several is called, so that it finds its like. */
const NAMESAKES = ['.text', '.gnu.linkonce.this_module', '.rodata', '__versions', '.data'];

/** What one file's regions are; those without a place in the file apart. */
interface ElfRegions {
  readonly regions: NamedRegion[];
  readonly bss: NamedRegion[];
  readonly vaHigh: number;
}

/** A region with the high half of its address, which all of a module must share, and the section it came from. */
interface Placed extends NamedRegion {
  readonly vaHigh: number | null;
  readonly section: number;
}

/** Regions of `elf` as module `module` of the image. */
export function regionsOfElf(image: Uint8Array, elf: ElfFile, module: number, budget: Budget): ElfRegions {
  const placed = elf.sections.length > 0 ? placeSections(image, elf, module) : placeSegments(elf, module);
  const vaHigh = commonHigh(placed);
  const fitting = placed.filter((region) => {
    const isThere = region.offset < 0 || region.offset + region.length <= image.length;
    const isAddress = region.vaHigh === null || region.vaHigh === vaHigh;
    return isThere && isAddress && region.va + region.length <= 2 ** 32;
  });
  const inFile = withoutOverlaps(fitting.filter(({ offset }) => offset >= 0));
  const merged = elf.type === TYPE_RELOCATABLE ? mergeNeighbours(inFile) : inFile;
  const worthy = merged.filter(({ length }) => length >= REGION_BYTES_MIN);
  const isArm = worthy.some(({ kind }) => kind === REGION_KIND.a32);
  const split = isArm ? splitArm(image, elf, worthy, budget) : worthy;
  const bss = fitting.filter(({ offset }) => offset < 0).sort((a, b) => a.va - b.va);
  return { regions: split.map(plain), bss: bss.map(plain), vaHigh };
}

function plain({ module, kind, offset, length, va, name }: NamedRegion): NamedRegion {
  return { module, kind, offset, length, va, name };
}

/** Of a machine that is not known, words are still words. */
function codeKind({ machine, flags, fields: { isLittle } }: ElfFile): RegionKind {
  const set = INSTRUCTION_SETS.find((each) => each.isCodeOf({ machine, flags, isLittle }));
  return set?.kind ?? (isLittle ? REGION_KIND.data32 : REGION_KIND.raw);
}

function dataKind({ is64, fields: { isLittle } }: ElfFile): RegionKind {
  if (!isLittle) return REGION_KIND.raw;
  return is64 ? REGION_KIND.data64 : REGION_KIND.data32;
}

function placeSections(image: Uint8Array, elf: ElfFile, module: number): Placed[] {
  const placed: Placed[] = [];
  const symbolStrings = new Set(elf.sections.filter(({ type }) => type === SECTION.symbols).map(({ link }) => link));
  elf.sections.forEach((section, i) => {
    if (section.size === 0 || (section.flags & FLAG.compressed) !== 0 || section.type === SECTION.null) return;
    const region =
      (section.flags & FLAG.alloc) !== 0 ? placeLoaded(elf, section) : placeAside(elf, section, symbolStrings.has(i));
    if (region === null) return;
    const whole = { ...region, module, length: section.size, name: section.name, section: i };
    placed.push(...(section.name === '.BTF' ? splitBtf(image, whole) : [whole]));
  });
  return placed;
}

/** Words and strings of type information are two regions. */
function splitBtf(image: Uint8Array, whole: Placed): Placed[] {
  const btf = readBtf(image, whole.offset);
  if (btf === null || btf.end > whole.length) return [whole];
  const { strings, end } = btf;
  return [
    { ...whole, length: strings },
    {
      ...whole,
      kind: REGION_KIND.raw,
      offset: whole.offset + strings,
      va: whole.va + strings,
      length: end - strings,
      name: '.BTF strings',
    },
  ];
}

type Place = Pick<Placed, 'kind' | 'offset' | 'va' | 'vaHigh'>;

function placeLoaded(elf: ElfFile, section: ElfSection): Place | null {
  const { name, type, flags, va, vaHigh } = section;
  const isObject = elf.type === TYPE_RELOCATABLE;
  if (type === SECTION.nobits) {
    if (isObject || (flags & FLAG.tls) !== 0) return null;
    return { kind: REGION_KIND.bss, offset: -1, va, vaHigh };
  }
  if (UNNAMED.test(name)) return null;
  const isText = type === SECTION.strings || (flags & FLAG.strings) !== 0 || NO_WORDS.test(name);
  let kind = dataKind(elf);
  if ((flags & FLAG.executable) !== 0) kind = codeKind(elf);
  else if (isText) kind = REGION_KIND.raw;
  const offset = elf.start + section.offset;
  if (!isObject) return { kind, offset, va, vaHigh };
  // Without addresses there is nothing to say of bytes without words.
  return kind === REGION_KIND.raw ? null : { kind, offset, va: section.offset + OBJECT_VA, vaHigh: 0 };
}

function placeAside(elf: ElfFile, section: ElfSection, isOfSymbols: boolean): Place | null {
  const { name, type } = section;
  const isWords =
    type === SECTION.symbols ||
    type === SECTION.rela ||
    type === SECTION.rel ||
    name === '.BTF' ||
    WORDS_ASIDE.has(name);
  if ((!isWords && !isOfSymbols) || type === SECTION.nobits || section.offset + section.size > ASIDE_BYTES) return null;
  const kind = isWords ? dataKind(elf) : REGION_KIND.raw;
  if (isWords && kind === REGION_KIND.raw) return null;
  return { kind, offset: elf.start + section.offset, va: ASIDE_VA + section.offset, vaHigh: null };
}

function placeSegments(elf: ElfFile, module: number): Placed[] {
  const placed: Placed[] = [];
  elf.segments.forEach(({ isExecutable, va, vaHigh, offset, fileSize, memorySize }) => {
    const kind = isExecutable ? codeKind(elf) : dataKind(elf);
    const name = isExecutable ? 'code' : 'data';
    const common = { module, vaHigh, section: 0 };
    if (fileSize > 0) placed.push({ ...common, kind, offset: elf.start + offset, length: fileSize, va, name });
    const rest = memorySize - fileSize;
    const end = (va + fileSize) >>> 0;
    if (rest > 0) placed.push({ ...common, kind: REGION_KIND.bss, offset: -1, length: rest, va: end, name: 'bss' });
  });
  return placed;
}

/** The high half of most of the loaded bytes. */
function commonHigh(placed: readonly Placed[]): number {
  const bytes = new Map<number, number>();
  for (const { vaHigh, length } of placed) {
    if (vaHigh !== null) bytes.set(vaHigh, (bytes.get(vaHigh) ?? 0) + Math.min(length, 2 ** 32));
  }
  let common = 0;
  for (const [high, count] of bytes) if (count > (bytes.get(common) ?? 0)) common = high;
  return common;
}

function withoutOverlaps(placed: readonly Placed[]): Placed[] {
  const sorted = [...placed].sort((a, b) => a.offset - b.offset || b.length - a.length);
  let end = 0;
  return sorted.filter(({ offset, length }) => {
    if (offset < end) return false;
    end = offset + length;
    return true;
  });
}

/** One region for what belongs together in the file and in the address space. */
function mergeNeighbours(regions: readonly Placed[]): Placed[] {
  const merged: Placed[] = [];
  for (const region of regions) {
    const last = merged[merged.length - 1];
    const isSame =
      last?.kind === region.kind &&
      region.va - region.offset === last.va - last.offset &&
      region.offset - last.offset - last.length < PADDING_BYTES_MAX &&
      (region.vaHigh !== null || (isRelocations(region.name) && isRelocations(last.name)));
    if (!isSame) {
      merged.push(region);
      continue;
    }
    const name = rank(region.name) < rank(last.name) ? region.name : last.name;
    merged[merged.length - 1] = { ...last, name, length: region.offset + region.length - last.offset };
  }
  return merged;
}

function isRelocations(name: string): boolean {
  return name.startsWith('.rel');
}

function rank(name: string): number {
  const index = NAMESAKES.indexOf(name);
  return index < 0 ? NAMESAKES.length : index;
}

/** Sections of 32-bit Arm code become runs of either instruction set. */
function splitArm(image: Uint8Array, elf: ElfFile, regions: readonly Placed[], budget: Budget): Placed[] {
  const marks = elf.type === TYPE_RELOCATABLE ? new Map<number, Mark[]>() : mappingMarks(image, elf, budget);
  return regions.flatMap((region) => {
    if (region.kind !== REGION_KIND.a32) return [region];
    const own = marks.get(region.section) ?? [];
    const isMarked = own.length > 0;
    const runs: Run[] = isMarked ? runsOfMarks(own, region.length) : runsByTrial(image, region.offset, region.length);
    return runs.map(({ kind, start, length }) => {
      return { ...region, kind, offset: region.offset + start, va: region.va + start, length };
    });
  });
}

/** Mapping symbols by section: from where on there is code of one kind, or data. */
function mappingMarks(image: Uint8Array, elf: ElfFile, budget: Budget): Map<number, Mark[]> {
  const marks = new Map<number, Mark[]>();
  const table = elf.sections.find(({ type }) => type === SECTION.symbols);
  const strings = elf.sections[table?.link ?? 0];
  if (table === undefined || elf.is64 || strings?.type !== SECTION.strings) return marks;
  const first = elf.start + table.offset;
  const names = elf.start + strings.offset;
  budget.left -= table.size;
  if (budget.left < 0 || first + table.size > image.length || names + strings.size > image.length) return marks;
  for (let at = first; at + 16 <= first + table.size; at += 16) {
    const name = names + elf.fields.u32(at);
    if (image[name] !== 0x24 || (image[name + 2] !== 0 && image[name + 2] !== 0x2e)) continue;
    const kind = { 0x61: REGION_KIND.a32, 0x74: REGION_KIND.t32, 0x64: REGION_KIND.data32 }[image[name + 1]!];
    const section = elf.fields.u16(at + 14);
    const place = elf.fields.u32(at + 4) - (elf.sections[section]?.va ?? 0);
    if (kind === undefined || place < 0) continue;
    const list = marks.get(section);
    if (list === undefined) marks.set(section, [{ at: place, kind }]);
    else list.push({ at: place, kind });
  }
  return marks;
}
