/**
 * What tells one ELF file from the others of an image, and its older self when names moved: its own name, its build id,
 * and a sketch of the names that it exports and needs.
 * @module
 */
import { SECTION, type Budget, type ElfFile, type ElfSection } from './elf-file.ts';

/** Hashes of a sketch, and what stands for none. */
const SKETCH_HASHES = 32;
export const NO_HASH = 0xffffffff;

const DYNAMIC = 6;
const TAG_SONAME = 14;
const TAGS_MAX = 256;
const NAME_CHARS_MAX = 64;
const STRING_BYTES_MAX = 65536;
const BUILD_BYTES_MAX = 32;
/** "name=", as a kernel module's information says it. */
const NAME_IS = [0x6e, 0x61, 0x6d, 0x65, 0x3d] as const;

interface Identity {
  readonly name: string;
  readonly build: string;
  readonly sketch: Uint32Array;
}

export function identify(image: Uint8Array, elf: ElfFile, budget: Budget): Identity {
  const named = new Map<string, ElfSection>();
  for (const section of elf.sections) {
    const isInside = section.type !== SECTION.nobits && elf.start + section.offset + section.size <= image.length;
    if (isInside && !named.has(section.name)) named.set(section.name, section);
  }
  const strings = named.get('.dynstr') ?? named.get('.modinfo') ?? named.get('.strtab');
  return {
    name: soname(elf, named.get('.dynamic')) ?? moduleName(image, elf, named.get('.modinfo')) ?? '',
    build: buildId(elf, named.get('.note.gnu.build-id')),
    sketch: sketchOf(image, elf, strings, budget),
  };
}

function soname({ start, is64, fields, sections }: ElfFile, dynamic: ElfSection | undefined): string | null {
  const strings = sections[dynamic?.link ?? 0];
  if (dynamic?.type !== DYNAMIC || strings?.type !== SECTION.strings) return null;
  const bytes = is64 ? 16 : 8;
  const count = Math.min(TAGS_MAX, Math.floor(dynamic.size / bytes));
  for (let i = 0; i < count; i++) {
    const at = start + dynamic.offset + i * bytes;
    const tag = is64 ? fields.u64(at) : fields.u32(at);
    if (tag === 0) break;
    if (tag !== TAG_SONAME) continue;
    const offset = is64 ? fields.u64(at + 8) : fields.u32(at + 4);
    const end = start + strings.offset + strings.size;
    return offset < strings.size ? fields.text(start + strings.offset + offset, end, NAME_CHARS_MAX) : null;
  }
  return null;
}

function moduleName(image: Uint8Array, { start, fields }: ElfFile, information: ElfSection | undefined): string | null {
  if (information === undefined) return null;
  const first = start + information.offset;
  const end = first + Math.min(information.size, STRING_BYTES_MAX);
  for (let at = first; at < end; at++) {
    if (NAME_IS.every((code, i) => image[at + i] === code))
      return fields.text(at + NAME_IS.length, end, NAME_CHARS_MAX);
    while (at < end && image[at] !== 0) at++;
  }
  return null;
}

function buildId({ start, fields }: ElfFile, note: ElfSection | undefined): string {
  if (note?.type !== SECTION.note || note.size < 16) return '';
  const at = start + note.offset;
  const bytes = Math.min(BUILD_BYTES_MAX, fields.u32(at + 4), note.size - 16);
  let build = '';
  for (let i = 0; i < bytes; i++)
    build += fields
      .u8(at + 16 + i)
      .toString(16)
      .padStart(2, '0');
  return build;
}

/** Of each class of strings the smallest hash: equal in two files as often as strings are (one-permutation MinHash). */
function sketchOf(image: Uint8Array, { start }: ElfFile, strings: ElfSection | undefined, budget: Budget): Uint32Array {
  const sketch = new Uint32Array(SKETCH_HASHES).fill(NO_HASH);
  if (strings === undefined) return sketch;
  const first = start + strings.offset;
  const end = first + Math.min(strings.size, STRING_BYTES_MAX);
  budget.left -= end - first;
  if (budget.left < 0) return sketch;
  let hash = 0;
  for (let at = first; at < end; at++) {
    const code = image[at]!;
    if (code !== 0) {
      hash = Math.imul(hash ^ code, 0x01000193);
      continue;
    }
    if (hash !== 0) {
      const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
      const bucket = (mixed ^ (mixed >>> 13)) & (SKETCH_HASHES - 1);
      sketch[bucket] = Math.min(sketch[bucket]!, mixed >>> 0);
    }
    hash = 0;
  }
  return sketch;
}
