import { readFileSync } from 'node:fs';
import { describe, expect, it, type TestContext } from 'vitest';
import { corpusPair, SMALL_PAIR } from '../../../corpus/index.ts';
import { layoutOf } from '../../../native-free/diff/layout/layout.ts';
import type { NamedLayout, NamedRegion } from '../../../native-free/diff/layout/named-layout.ts';
import { pairModules } from '../../../native-free/diff/layout/pair-modules.ts';
import { REGION_KIND } from '../../../native-free/format/regions.ts';
import { buildElf, CODE, DATA, type ElfSectionSpec, MACHINE, WRITABLE, ZERO } from '../../support/elf.ts';
import { concat, random } from '../../support/images.ts';

const KIB = 1024;

const bytes = (length: number, fill = 0x41): Uint8Array => new Uint8Array(length).fill(fill);

/** Four-byte words of code that is made of `words`, over and over. */
function code(words: readonly number[], length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  for (let at = 0; at < length; at += 4) view.setUint32(at, words[(at / 4) % words.length]!, true);
  return new Uint8Array(view.buffer);
}

const A32_CODE = code([0xe92d4010, 0xe1a04000, 0xe5900000, 0xe3500000, 0x0a000002, 0xe8bd8010], 16 * KIB);
/** PUSH, MOV, BL to a place nearby, LDR, POP, NOP. */
const T32_CODE = code([0x4604b510, 0xf83ef000, 0xbd106820, 0x6820bf00], 16 * KIB);

const place = ({ name, kind, va }: NamedRegion) => ({ name, kind, va });

/** What must hold of every layout, however damaged the image. */
function checkInvariants(image: Uint8Array, { regions, vaHigh, modules }: NamedLayout): void {
  expect(vaHigh).toHaveLength(modules.length);
  let end = 0;
  let isBss = false;
  for (const { offset, length, va, kind, module } of regions) {
    expect(length).toBeGreaterThan(0);
    expect(module).toBeLessThan(modules.length);
    expect(Number.isInteger(va) && va >= 0 && va + length <= 2 ** 32).toBe(true);
    expect(offset < 0).toBe(kind === REGION_KIND.bss);
    if (offset >= 0) {
      expect(isBss).toBe(false);
      expect(offset).toBeGreaterThanOrEqual(end);
      end = offset + length;
      expect(end).toBeLessThanOrEqual(image.length);
    } else isBss = true;
  }
}

const SECTIONS: readonly ElfSectionSpec[] = [
  { name: '.text', flags: CODE, va: 0x10000, bytes: bytes(256) },
  { name: '.rodata', flags: DATA, va: 0x20000, bytes: bytes(128) },
  { name: '.data', flags: WRITABLE, va: 0x30000, bytes: bytes(64) },
  { name: '.bss', flags: WRITABLE, type: ZERO, va: 0x31000, bytes: bytes(512) },
  { name: '.comment', flags: 0, va: 0, bytes: bytes(64) },
];

describe('ELF files', () => {
  const forms = [
    ['64-bit Arm', MACHINE.aarch64, true, true, REGION_KIND.a64, REGION_KIND.data64],
    ['64-bit Arm, big data', MACHINE.aarch64, true, false, REGION_KIND.a64, REGION_KIND.raw],
    ['x86-64', MACHINE.x64, true, true, REGION_KIND.x64, REGION_KIND.data64],
    ['RISC-V of 32 bits', MACHINE.riscv, false, true, REGION_KIND.riscv, REGION_KIND.data32],
    ['MIPS', MACHINE.mips, false, true, REGION_KIND.mips, REGION_KIND.data32],
    ['MIPS, big-endian', MACHINE.mips, false, false, REGION_KIND.mipsBig, REGION_KIND.raw],
    ['a machine nobody knows', 4242, false, true, REGION_KIND.data32, REGION_KIND.data32],
  ] as const;

  it.each(forms)(
    'become regions with the addresses of their sections: %s',
    (_, machine, is64, isLittle, asCode, asData) => {
      const image = buildElf({ is64, isLittle, machine, sections: SECTIONS });
      const layout = layoutOf(image);
      expect(layout.regions.map(place)).toEqual([
        { name: '.text', kind: asCode, va: 0x10000 },
        { name: '.rodata', kind: asData, va: 0x20000 },
        { name: '.data', kind: asData, va: 0x30000 },
        { name: '.bss', kind: REGION_KIND.bss, va: 0x31000 },
      ]);
      expect(image.subarray(layout.regions[0]!.offset).slice(0, layout.regions[0]!.length)).toEqual(bytes(256));
      expect(layout.vaHigh).toEqual([0]);
      checkInvariants(image, layout);
    },
  );

  it('have one high half of addresses; sections of another one are plain bytes', () => {
    const sections = SECTIONS.map((section, i) => ({ ...section, vaHigh: i === 2 ? 1 : 0xffff8000 }));
    const layout = layoutOf(buildElf({ machine: MACHINE.aarch64, sections }));
    expect(layout.vaHigh).toEqual([0xffff8000]);
    expect(layout.regions.map(({ name }) => name)).toEqual(['.text', '.rodata', '.bss']);
  });

  it('without section table are seen by their segments', () => {
    const segments = [
      { isExecutable: true, va: 0x8000, bytes: bytes(256), memory: 256 },
      { isExecutable: false, va: 0x9000, bytes: bytes(128), memory: 1000 },
    ];
    const layout = layoutOf(buildElf({ machine: MACHINE.aarch64, sections: [], segments }));
    expect(layout.regions.map(({ kind, va, length }) => [kind, va, length])).toEqual([
      [REGION_KIND.a64, 0x8000, 256],
      [REGION_KIND.data64, 0x9000, 128],
      [REGION_KIND.bss, 0x9080, 872],
    ]);
  });

  it('that are not linked yet get addresses by place, neighbours as one, and relocations aside', () => {
    const sections: ElfSectionSpec[] = [
      { name: '.text', flags: CODE, va: 0, bytes: bytes(256) },
      { name: '.init.text', flags: CODE, va: 0, bytes: bytes(64) },
      { name: '.data', flags: WRITABLE, va: 0, bytes: bytes(64) },
      { name: '.rodata.str', flags: DATA | 0x20, va: 0, bytes: bytes(64) },
      { name: '.rela.text', flags: 0, type: 4, va: 0, bytes: bytes(96) },
      { name: '.rela.data', flags: 0, type: 4, va: 0, bytes: bytes(96) },
    ];
    const layout = layoutOf(buildElf({ machine: MACHINE.aarch64, type: 1, sections }));
    expect(layout.regions.map(({ name, kind, length }) => [name, kind, length])).toEqual([
      ['.text', REGION_KIND.a64, 320],
      ['.data', REGION_KIND.data64, 64],
      ['.rela.text', REGION_KIND.data64, 192],
    ]);
    const [text, data, rela] = layout.regions;
    expect(text!.va).toBe(text!.offset + 0x100000);
    expect(data!.va).toBe(data!.offset + 0x100000);
    expect(rela!.va).toBe(rela!.offset + 0xf0000000);
  });

  it('are found wherever they lie, each a module of its own', () => {
    const one = buildElf({ machine: MACHINE.aarch64, sections: SECTIONS });
    const other = buildElf({ is64: false, machine: MACHINE.mips, sections: SECTIONS });
    const image = concat(bytes(512), one, bytes(4 - (one.length % 4) + 512), other, bytes(99));
    const { regions, modules } = layoutOf(image);
    expect(modules.map(({ offset }) => offset)).toEqual([512, image.length - 99 - other.length]);
    expect(regions.map(({ module }) => module)).toEqual([0, 0, 0, 1, 1, 1, 0, 1]);
  });

  it('within another one are part of it', () => {
    const inner = buildElf({ machine: MACHINE.aarch64, sections: SECTIONS });
    const sections = [SECTIONS[0]!, { ...SECTIONS[1]!, bytes: inner }];
    expect(layoutOf(buildElf({ machine: MACHINE.aarch64, sections })).modules).toHaveLength(1);
  });

  it('are understood in a file system that left out the blocks of zeros between segments', () => {
    const segments = [
      { isExecutable: true, va: 0x10000, bytes: bytes(200), memory: 200 },
      { isExecutable: false, va: 0x30000, bytes: bytes(100), memory: 100, at: 0x10000 },
    ];
    const sections = [
      { name: '.text', flags: CODE, va: 0x10000, bytes: bytes(200), segment: 0 },
      { name: '.data', flags: WRITABLE, va: 0x30000, bytes: bytes(100), segment: 1 },
    ];
    const file = buildElf({ machine: MACHINE.aarch64, sections, segments });
    const image = concat(bytes(4096), file.slice(0, 4096), file.slice(0x10000), bytes(4096));
    const { regions } = layoutOf(image);
    expect(regions.map(({ name, offset }) => [name, offset >= 8192])).toEqual([
      ['.text', false],
      ['.data', true],
    ]);
    expect(image[regions[1]!.offset]).toBe(0x41);
    expect(image[regions[1]!.offset + 99]).toBe(0x41);
  });
});

describe('code for 32-bit Arm', () => {
  const regionsOf = (text: Uint8Array, marks: readonly (readonly [string, number])[] = []) => {
    const sections = [{ name: '.text', flags: CODE, va: 0x1000, bytes: text }];
    const { regions } = layoutOf(buildElf({ is64: false, machine: MACHINE.arm, sections, marks }));
    return regions.filter(({ name }) => name === '.text').map(({ kind, length }) => [kind, length]);
  };

  it('is told apart by trial, whatever the label says', () => {
    expect(regionsOf(A32_CODE)).toEqual([[REGION_KIND.a32, 16 * KIB]]);
    expect(regionsOf(T32_CODE)).toEqual([[REGION_KIND.t32, 16 * KIB]]);
    expect(regionsOf(concat(A32_CODE, T32_CODE)).map(([kind]) => kind)).toEqual([REGION_KIND.a32, REGION_KIND.t32]);
  });

  it('is told apart by mapping symbols, short stretches going with their neighbours', () => {
    const marks = [
      ['$a', 0x1000],
      ['$d', 0x1100],
      ['$a.1', 0x1110],
      ['$t', 0x3000],
    ] as const;
    expect(regionsOf(bytes(16 * KIB), marks)).toEqual([
      [REGION_KIND.a32, 0x2000],
      [REGION_KIND.t32, 0x2000],
    ]);
  });
});

describe('damaged and foreign images', () => {
  const elf = buildElf({ machine: MACHINE.arm, is64: false, sections: SECTIONS, marks: [['$t', 0x10000]] });

  it('cut short anywhere give fewer regions, never an error', () => {
    for (let length = 0; length < elf.length; length++) {
      const image = elf.slice(0, length);
      checkInvariants(image, layoutOf(image));
    }
  });

  it('with random bytes changed give regions that keep the rules', () => {
    const next = random(7);
    const big = buildElf({ machine: MACHINE.mips, isLittle: false, sections: SECTIONS });
    for (let round = 0; round < 3000; round++) {
      const image = concat(round % 2 === 0 ? elf : big, elf);
      for (let i = 0; i < 1 + (round % 5); i++) image[Math.floor(next() * image.length)] = Math.floor(next() * 256);
      checkInvariants(image, layoutOf(image));
    }
  });

  it('without code have no regions: text, noise, WebAssembly', () => {
    const next = random(1);
    const noise = Uint8Array.from({ length: 1 << 18 }, () => Math.floor(next() * 256));
    const wasm = concat(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), noise);
    for (const image of [new Uint8Array(0), bytes(1 << 18), noise, wasm]) expect(layoutOf(image).regions).toEqual([]);
  });

  it('with an ELF header at every turn do not take long', () => {
    const header = elf.slice(0, 52);
    const image = new Uint8Array(52 * 40_000);
    for (let at = 0; at < image.length; at += 52) image.set(header, at);
    checkInvariants(image, layoutOf(image));
  });
});

describe('pairing of modules', () => {
  const named = (name: string, seed: number, size = 256): Uint8Array => {
    const information = Uint8Array.from(`license=GPL\0name=${name}\0`, (char) => char.charCodeAt(0));
    const sections = [
      { name: '.text', flags: CODE, va: 0, bytes: bytes(size, seed) },
      { name: '.modinfo', flags: DATA, va: 0, bytes: information },
    ];
    const file = buildElf({ machine: MACHINE.aarch64, type: 1, sections });
    return concat(file, bytes(512 - (file.length % 512)));
  };

  it('goes by what modules call themselves', () => {
    const source = layoutOf(concat(named('one', 1), named('two', 2), named('three', 3)));
    const target = layoutOf(concat(named('three', 4), named('new', 5, 9000), named('one', 6, 320), named('two', 2)));
    expect([...pairModules(source, target)]).toEqual([2, -1, 0, 1]);
  });

  it('goes by place where there is no name', () => {
    const source = layoutOf(buildElf({ machine: MACHINE.x64, sections: SECTIONS }));
    const target = layoutOf(buildElf({ machine: MACHINE.x64, sections: SECTIONS.slice(0, 3) }));
    expect([...pairModules(source, target)]).toEqual([0]);
    expect([...pairModules(layoutOf(bytes(100)), target)]).toEqual([-1]);
  });
});

describe('real images', () => {
  async function pairOf(name: string, { skip }: TestContext): Promise<[Uint8Array, Uint8Array]> {
    const paths = await corpusPair(name, { fetch: false });
    if (paths === null) return skip(`corpus pair ${name} is not in the cache`);
    return [new Uint8Array(readFileSync(paths.source)), new Uint8Array(readFileSync(paths.target))];
  }

  /** The loaded bytes of a 64-bit library as they stand in memory, and nothing that says so. */
  function flattened(image: Uint8Array): Uint8Array {
    const view = new DataView(image.buffer, image.byteOffset);
    const table = Number(view.getBigUint64(32, true));
    const memory = new Uint8Array(image.length * 2);
    let end = 0;
    for (let i = 0; i < view.getUint16(56, true); i++) {
      const at = table + 56 * i;
      if (view.getUint32(at, true) !== 1) continue;
      const [offset, va, size] = [8, 16, 32].map((field) => Number(view.getBigUint64(at + field, true)));
      memory.set(image.subarray(offset, offset! + size!), va);
      end = Math.max(end, va! + size!);
    }
    memory.fill(0, 0, 64);
    return memory.slice(0, end);
  }

  it('of the committed pair: sections, and the same code found without any header', async (context) => {
    for (const image of await pairOf(SMALL_PAIR, context)) {
      const layout = layoutOf(image);
      checkInvariants(image, layout);
      const text = layout.regions.find(({ name }) => name === '.text')!;
      expect(text.kind).toBe(REGION_KIND.a64);
      const memory = flattened(image);
      const raw = layoutOf(memory);
      checkInvariants(memory, raw);
      const middle = text.va + (text.length >> 1);
      const found = raw.regions.find(({ offset, length }) => offset <= middle && middle < offset + length);
      expect(found?.kind).toBe(REGION_KIND.a64);
    }
  });

  const bases = [
    ['kernel-image-arm64', REGION_KIND.a64, 0xffff8000, 0x08000000],
    ['pybricks-primehub', REGION_KIND.t32, 0, 0x08008000],
    ['uboot-qemu-arm64', REGION_KIND.a64, 0, 0],
  ] as const;

  it.for(bases)('without headers tell machine and load address: %s', async ([name, kind, high, va], { skip }) => {
    const paths = await corpusPair(name, { fetch: false });
    if (paths === null) return skip(`corpus pair ${name} is not in the cache`);
    for (const path of [paths.source, paths.target]) {
      const image = new Uint8Array(readFileSync(path));
      const layout = layoutOf(image);
      checkInvariants(image, layout);
      expect({ kind: layout.regions[0]!.kind, high: layout.vaHigh, va: layout.regions[0]!.va }).toEqual({
        kind,
        high: [high],
        va,
      });
    }
  });

  it('of kernel modules: 127 of them, each with its own next version', async (context) => {
    const [source, target] = (await pairOf('kmods-arm64', context)).map((image) => layoutOf(image));
    expect(source!.modules).toHaveLength(127);
    const pairs = [...pairModules(source!, target!)];
    pairs.forEach((from, to) => expect(source!.modules[from]!.name).toBe(target!.modules[to]!.name));
  });

  it('of a file system: programs whose blocks of zeros were left out are seen by their sections', async (context) => {
    const [image] = await pairOf('rootfs-bookworm-ext4', context);
    const layout = layoutOf(image);
    checkInvariants(image, layout);
    expect(layout.modules.length).toBeGreaterThan(400);
    const seen = new Set(layout.regions.filter(({ name }) => name === '.text').map(({ module }) => module));
    expect(seen.size).toBeGreaterThan(0.95 * layout.modules.length);
  });

  it('of libc for 32-bit Arm: T32 with A32 in it', async (context) => {
    const [image] = await pairOf('libc-armhf', context);
    const text = layoutOf(image).regions.filter(({ name }) => name === '.text');
    expect(text.map(({ kind }) => kind)).toEqual([REGION_KIND.t32, REGION_KIND.a32, REGION_KIND.t32]);
  });

  it.for(['sqljs-wasm', 'ath10k-fw', 'rootfs-bookworm-erofs'])(
    'without code that is known: %s',
    async (name, { skip }) => {
      const paths = await corpusPair(name, { fetch: false });
      if (paths === null) return skip(`corpus pair ${name} is not in the cache`);
      expect(layoutOf(new Uint8Array(readFileSync(paths.source))).regions).toEqual([]);
    },
  );
});
