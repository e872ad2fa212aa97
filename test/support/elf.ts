/**
 * Small ELF files made in code: both classes, both byte orders, with or without sections and segments.
 */
export const MACHINE = { mips: 8, arm: 40, x64: 62, aarch64: 183, riscv: 243 } as const;

/** Section flags: loaded, loaded and executable, loaded and writable; and the type of sections that are zero at start. */
export const DATA = 2;
export const CODE = 6;
export const WRITABLE = 3;
export const ZERO = 8;

export interface ElfSectionSpec {
  readonly name: string;
  readonly flags: number;
  readonly va: number;
  readonly vaHigh?: number;
  readonly bytes: Uint8Array;
  /** Default: program data. */
  readonly type?: number;
  /** The segment whose bytes these are; default none. */
  readonly segment?: number;
}

export interface ElfSegmentSpec {
  readonly isExecutable: boolean;
  readonly va: number;
  readonly bytes: Uint8Array;
  readonly memory: number;
  /** Offset in the file; default right after what is before. */
  readonly at?: number;
}

export interface ElfSpec {
  readonly machine: number;
  readonly is64?: boolean;
  readonly isLittle?: boolean;
  readonly type?: number;
  readonly sections: readonly ElfSectionSpec[];
  readonly segments?: readonly ElfSegmentSpec[];
  /** Symbols of the first section. */
  readonly marks?: readonly (readonly [name: string, va: number])[];
}

interface Header {
  readonly name: number;
  readonly type: number;
  readonly flags: number;
  readonly va: number;
  readonly vaHigh: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

const textBytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

export function buildElf(spec: ElfSpec): Uint8Array {
  const { is64 = true, isLittle = true, segments = [] } = spec;
  const writer = new Writer(isLittle);
  const headerBytes = is64 ? 64 : 52;
  const segmentBytes = is64 ? 56 : 32;
  writer.at = headerBytes + segments.length * segmentBytes;
  const places = segments.map(({ bytes, at }) => writer.put(bytes, at));
  const headers = putSections(writer, spec, places);
  const table = headers.length > 1 ? writer.align(8) : 0;
  headers.forEach((header, i) => putSectionHeader(writer, table + i * (is64 ? 64 : 40), header, is64));
  segments.forEach((segment, i) => putSegment(writer, headerBytes + i * segmentBytes, segment, places[i]!, is64));
  putHeader(writer, spec, { table, count: headers.length });
  return writer.finish();
}

function putSections(writer: Writer, { sections, marks = [], is64 = true }: ElfSpec, places: number[]): Header[] {
  const headers: Header[] = [{ name: 0, type: 0, flags: 0, va: 0, vaHigh: 0, offset: 0, size: 0, link: 0 }];
  if (sections.length === 0) return headers;
  let names = '\0';
  const add = (name: string, rest: Partial<Header>): void => {
    headers.push({ ...headers[0]!, ...rest, name: names.length });
    names += `${name}\0`;
  };
  for (const { name, flags, va, vaHigh = 0, bytes, type = 1, segment } of sections) {
    const offset = segment === undefined ? (type === ZERO ? writer.at : writer.put(bytes)) : places[segment]!;
    add(name, { type, flags, va, vaHigh, offset, size: bytes.length });
  }
  if (marks.length > 0) {
    if (is64) throw new Error('marks are for 32 bits');
    let strings = '\0';
    const offset = writer.align(8);
    marks.forEach(([name, va], i) => {
      writer.u32(offset + 16 * i, strings.length);
      writer.u32(offset + 16 * i + 4, va);
      writer.u16(offset + 16 * i + 14, 1);
      strings += `${name}\0`;
    });
    add('.symtab', { type: 2, offset, size: 16 * marks.length, link: headers.length + 1 });
    add('.strtab', { type: 3, offset: writer.put(textBytes(strings)), size: strings.length });
  }
  const size = names.length + '.shstrtab\0'.length;
  add('.shstrtab', { type: 3, offset: writer.align(8), size });
  writer.put(textBytes(names));
  return headers;
}

function putSectionHeader(writer: Writer, at: number, header: Header, is64: boolean): void {
  const { name, type, flags, va, vaHigh, offset, size, link } = header;
  writer.u32(at, name);
  writer.u32(at + 4, type);
  if (is64) {
    writer.u64(at + 8, flags);
    writer.u64(at + 16, va, vaHigh);
    writer.u64(at + 24, offset);
    writer.u64(at + 32, size);
    writer.u32(at + 40, link);
    writer.u64(at + 56, 0);
  } else {
    [flags, va, offset, size, link, 0, 0, 0].forEach((value, i) => writer.u32(at + 8 + 4 * i, value));
  }
}

function putSegment(writer: Writer, at: number, segment: ElfSegmentSpec, offset: number, is64: boolean): void {
  const { isExecutable, va, bytes, memory } = segment;
  const flags = isExecutable ? 5 : 6;
  writer.u32(at, 1);
  if (is64) {
    writer.u32(at + 4, flags);
    [offset, va, va, bytes.length, memory, 4096].forEach((value, i) => writer.u64(at + 8 + 8 * i, value));
  } else {
    [offset, va, va, bytes.length, memory, flags, 4096].forEach((value, i) => writer.u32(at + 4 + 4 * i, value));
  }
}

function putHeader(writer: Writer, spec: ElfSpec, sections: { table: number; count: number }): void {
  const { machine, is64 = true, isLittle = true, type = 2, segments = [] } = spec;
  const hasTable = sections.table > 0;
  [0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, isLittle ? 1 : 2, 1].forEach((byte, i) => writer.u8(i, byte));
  writer.u16(16, type);
  writer.u16(18, machine);
  writer.u32(20, 1);
  const word = (at: number, value: number): void => (is64 ? writer.u64(at, value) : writer.u32(at, value));
  word(is64 ? 32 : 28, is64 ? 64 : 52);
  word(is64 ? 40 : 32, sections.table);
  const counts = is64
    ? [64, 56, segments.length, 64, sections.count, sections.count - 1]
    : [52, 32, segments.length, 40, sections.count, sections.count - 1];
  if (!hasTable) counts.splice(4, 2, 0, 0);
  counts.forEach((value, i) => writer.u16((is64 ? 52 : 40) + 2 * i, value));
}

class Writer {
  at = 0;
  readonly #bytes: number[] = [];
  readonly #isLittle: boolean;

  constructor(isLittle: boolean) {
    this.#isLittle = isLittle;
  }

  align(to: number): number {
    this.at = Math.ceil(this.at / to) * to;
    return this.at;
  }

  /** Writes bytes behind all others, or at `offset`; returns where. */
  put(bytes: Uint8Array, offset?: number): number {
    this.at = offset ?? this.align(8);
    const start = this.at;
    for (const byte of bytes) this.u8(this.at, byte);
    return start;
  }

  u8(at: number, value: number): void {
    while (this.#bytes.length <= at) this.#bytes.push(0);
    this.#bytes[at] = value;
    this.at = Math.max(this.at, at + 1);
  }

  u16(at: number, value: number): void {
    this.u8(at + (this.#isLittle ? 0 : 1), value & 255);
    this.u8(at + (this.#isLittle ? 1 : 0), (value >>> 8) & 255);
  }

  u32(at: number, value: number): void {
    this.u16(at + (this.#isLittle ? 0 : 2), value & 0xffff);
    this.u16(at + (this.#isLittle ? 2 : 0), value >>> 16);
  }

  u64(at: number, low: number, high = 0): void {
    this.u32(at + (this.#isLittle ? 0 : 4), low);
    this.u32(at + (this.#isLittle ? 4 : 0), high);
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
