/**
 * Headers of an ELF file, at any place of an image: what it is, its sections and its segments.
 *
 * System V Application Binary Interface, chapter 4 "Object Files" and chapter 5 "Program Header", for both classes and
 * byte orders. In a file system's image a file may lie in pieces: then what stands at the place of the section table
 * is something else. A table counts only if it looks like one, names and all. One kind of pieces is so common that it
 * is understood: file systems that were filled by a tool leave out blocks of zeros, which is what linkers put between
 * segments, so that all behind lies nearer than the headers say.
 * @module
 */
import { Fields } from '../fields.ts';

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly va: number;
  readonly vaHigh: number;
  /** From the start of the file, as the file lies in the image. */
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

interface ElfSegment {
  readonly isExecutable: boolean;
  readonly va: number;
  readonly vaHigh: number;
  readonly offset: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export interface ElfFile {
  /** Where it begins in the image. */
  readonly start: number;
  /** Bytes of the image up to the end of all that its headers tell of. */
  readonly length: number;
  readonly is64: boolean;
  readonly fields: Fields;
  readonly type: number;
  readonly machine: number;
  readonly flags: number;
  /** In the order of their numbers; none when there is no sound table of them. */
  readonly sections: readonly ElfSection[];
  /** Those that are loaded. */
  readonly segments: readonly ElfSegment[];
}

export const SECTION = { null: 0, symbols: 2, strings: 3, rela: 4, note: 7, nobits: 8, rel: 9 } as const;
export const FLAG = { alloc: 2, executable: 4, strings: 0x20, tls: 0x400, compressed: 0x800 } as const;
export const TYPE_RELOCATABLE = 1;

const LOADED = 1;
const SEGMENT_EXECUTABLE = 1;
const NAME_CHARS_MAX = 64;
/** Section numbers from here on are special: the count or index stands in section 0. */
const EXTENDED = 0xff00;

const BLOCK_BYTES = 4096;

/** Blocks that were left out, by the place in the file where they end. */
interface Hole {
  readonly end: number;
  readonly bytes: number;
}

/** Bytes of tables that may still be read: honest files do not share any, so an image's length is enough for all. */
export interface Budget {
  left: number;
}

/** Whether four bytes are the magic number of ELF. */
export function isElfMagic(image: Uint8Array, at: number): boolean {
  return image[at] === 0x7f && image[at + 1] === 0x45 && image[at + 2] === 0x4c && image[at + 3] === 0x46;
}

/** The ELF file whose magic number is at `start`, or null when its header is not sound. */
export function readElf(image: Uint8Array, start: number, budget: Budget): ElfFile | null {
  const is64 = image[start + 4] === 2;
  const isLittle = image[start + 5] === 1;
  const isKnown = (is64 || image[start + 4] === 1) && (isLittle || image[start + 5] === 2) && image[start + 6] === 1;
  const headerBytes = is64 ? 64 : 52;
  if (!isKnown || start + headerBytes > image.length) return null;
  const fields = new Fields(image, isLittle);
  const type = fields.u16(start + 16);
  const machine = fields.u16(start + 18);
  const sizes = start + (is64 ? 52 : 40);
  const isSound = type >= 1 && type <= 4 && fields.u32(start + 20) === 1 && fields.u16(sizes) === headerBytes;
  if (!isSound || machine === 0) return null;
  const header: Header = { start, is64, fields, holes: [] };
  const rest = { start, is64, fields, type, machine, flags: fields.u32(start + (is64 ? 48 : 36)) };
  const segments = readSegments(image, header, budget);
  let table = readSections(image, header, budget);
  if (table !== NO_TABLE || start % BLOCK_BYTES !== 0) return { ...rest, ...whole(image, header, segments, table) };
  const pierced: Header = { ...header, holes: holesBetween(segments) };
  if (pierced.holes.length > 0) table = readSections(image, pierced, budget);
  return { ...rest, ...whole(image, table === NO_TABLE ? header : pierced, segments, table) };
}

/** Segments where they lie, and where all ends. */
function whole(
  image: Uint8Array,
  header: Header,
  fromHeaders: readonly ElfSegment[],
  { sections, end }: SectionTable,
): Pick<ElfFile, 'segments' | 'sections' | 'length'> {
  const most = image.length - header.start;
  const segments = fromHeaders.map((segment) => ({ ...segment, offset: nearer(header, segment.offset) }));
  let length = Math.max(header.is64 ? 64 : 52, end);
  for (const { offset, size, type } of sections) {
    if (type !== SECTION.nobits && type !== SECTION.null) length = furthest(length, offset + size, most);
  }
  for (const { offset, fileSize } of segments) length = furthest(length, offset + fileSize, most);
  return { segments, sections, length };
}

/** Whole blocks between segments. */
function holesBetween(segments: readonly ElfSegment[]): Hole[] {
  const holes: Hole[] = [];
  let last = 0;
  for (const { offset, fileSize } of segments) {
    const end = Math.floor(offset / BLOCK_BYTES) * BLOCK_BYTES;
    const bytes = end - Math.ceil(last / BLOCK_BYTES) * BLOCK_BYTES;
    if (last > 0 && bytes > 0) holes.push({ end, bytes });
    last = Math.max(last, offset + fileSize);
  }
  return holes;
}

/** What lies at `offset` by the headers, without the holes before it. */
function nearer({ holes }: Header, offset: number): number {
  let place = offset;
  for (const { end, bytes } of holes) if (offset >= end) place -= bytes;
  return place;
}

function furthest(length: number, end: number, most: number): number {
  return end > most ? length : Math.max(length, end);
}

interface Header extends Pick<ElfFile, 'start' | 'is64' | 'fields'> {
  readonly holes: readonly Hole[];
}

function readSegments(image: Uint8Array, { start, is64, fields }: Header, budget: Budget): ElfSegment[] {
  const table = start + (is64 ? fields.u64(start + 32) : fields.u32(start + 28));
  const bytes = is64 ? 56 : 32;
  const count = fields.u16(start + (is64 ? 56 : 44));
  if (fields.u16(start + (is64 ? 54 : 42)) !== bytes || table + count * bytes > image.length) return [];
  budget.left -= count * bytes;
  if (budget.left < 0) return [];
  const segments: ElfSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * bytes;
    if (fields.u32(at) !== LOADED) continue;
    segments.push({
      isExecutable: (fields.u32(at + (is64 ? 4 : 24)) & SEGMENT_EXECUTABLE) !== 0,
      offset: is64 ? fields.u64(at + 8) : fields.u32(at + 4),
      va: is64 ? fields.low(at + 16) : fields.u32(at + 8),
      vaHigh: is64 ? fields.high(at + 16) : 0,
      fileSize: is64 ? fields.u64(at + 32) : fields.u32(at + 16),
      memorySize: is64 ? fields.u64(at + 40) : fields.u32(at + 20),
    });
  }
  return segments;
}

interface SectionTable {
  readonly sections: ElfSection[];
  /** Where the table ends, from the start of the file. */
  readonly end: number;
}

const NO_TABLE: SectionTable = { sections: [], end: 0 };

function readSections(image: Uint8Array, header: Header, budget: Budget): SectionTable {
  const { start, is64, fields } = header;
  const offset = nearer(header, is64 ? fields.u64(start + 40) : fields.u32(start + 32));
  const table = start + offset;
  const bytes = is64 ? 64 : 40;
  const sizes = start + (is64 ? 58 : 46);
  if (offset === 0 || fields.u16(sizes) !== bytes || table + bytes > image.length) return NO_TABLE;
  let count = fields.u16(sizes + 2);
  let namesIndex = fields.u16(sizes + 4);
  if (count === 0) count = is64 ? fields.u64(table + 32) : fields.u32(table + 20);
  if (namesIndex >= EXTENDED) namesIndex = fields.u32(table + (is64 ? 40 : 24));
  if (fields.u32(table + 4) !== SECTION.null || count < 2 || namesIndex === 0 || namesIndex >= count) return NO_TABLE;
  if (table + count * bytes > image.length) return NO_TABLE;
  budget.left -= count * bytes;
  if (budget.left < 0) return NO_TABLE;
  const names = readSection(header, table + namesIndex * bytes, '');
  const first = start + names.offset;
  const end = first + names.size;
  if (names.type !== SECTION.strings || names.size < 2 || end > image.length) return NO_TABLE;
  if (image[first] !== 0 || image[end - 1] !== 0) return NO_TABLE;
  const sections: ElfSection[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * bytes;
    const nameAt = fields.u32(at);
    const name = nameAt < names.size ? fields.text(first + nameAt, end, NAME_CHARS_MAX) : null;
    if (name === null) return NO_TABLE;
    sections.push(readSection(header, at, name));
  }
  return { sections, end: offset + count * bytes };
}

function readSection(header: Header, at: number, name: string): ElfSection {
  const { is64, fields } = header;
  const type = fields.u32(at + 4);
  if (!is64) {
    const [flags, va, offset, size, link] = [8, 12, 16, 20, 24].map((field) => fields.u32(at + field));
    return { name, type, flags: flags!, va: va!, vaHigh: 0, offset: nearer(header, offset!), size: size!, link: link! };
  }
  return {
    name,
    type,
    flags: fields.low(at + 8),
    va: fields.low(at + 16),
    vaHigh: fields.high(at + 16),
    offset: nearer(header, fields.u64(at + 24)),
    size: fields.u64(at + 32),
    link: fields.u32(at + 40),
  };
}
