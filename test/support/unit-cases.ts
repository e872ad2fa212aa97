/** Cases of units, a kind of region at a time: what each kind is full of, much of it elsewhere and a little changed. */
import { coverListOf, type Cover } from '../../native-free/format/cover.ts';
import { REGION_KIND, type Region, type RegionKind } from '../../native-free/format/regions.ts';
import { random } from './images.ts';
import type { SegmentCase } from './segment-outcome.ts';

export const KINDS = Object.entries(REGION_KIND).filter(([, kind]) => kind !== REGION_KIND.bss);

/** Opcodes of references, and bits of them that may be anything: what random words seldom are. */
const TEMPLATES: Partial<Record<RegionKind, readonly (readonly [opcode: number, any: number])[]>> = {
  [REGION_KIND.a64]: [
    ...([0x94000000, 0x14000000, 0x54000000, 0x36000000, 0x10000000, 0x58000000] as const).map(
      (opcode) => [opcode, 0xfff] as const,
    ),
    ...([0x90000000, 0x91000000, 0xf9400000, 0x3dc00000] as const).map((opcode) => [opcode, 0x60ff0463] as const),
    ...([0xa9bf03e0, 0x910003e0, 0xf90003e0, 0xb85003e0] as const).map((opcode) => [opcode, 0x7f001f] as const),
  ],
  [REGION_KIND.a32]: [
    ...([0xeb000000, 0xea000000, 0x0a000000, 0xfa000000] as const).map((opcode) => [opcode, 0x100ffff] as const),
    ...([0xe51f0000, 0xe15f00b0, 0xed1f0a00, 0xe24f0000, 0xe28f0000] as const).map(
      (opcode) => [opcode, 0x80330f] as const,
    ),
    ...([0xe3000000, 0xe3400000, 0xe08f0000, 0xe79f0000] as const).map((opcode) => [opcode, 0x33003] as const),
  ],
  [REGION_KIND.t32]: [
    ...([0xd000f000, 0xc000f000, 0x9000f000, 0x8000f000] as const).map((opcode) => [opcode, 0x28ff043f] as const),
    ...([0x4478d000, 0x4478e000, 0x4479b100, 0x44784800, 0xbf00a000] as const).map(
      (opcode) => [opcode, 0x30003ff] as const,
    ),
    ...([0x0000f85f, 0x0a00ed1f, 0x0000e95f, 0x0000f20f] as const).map((opcode) => [opcode, 0xff00a0] as const),
    ...([0x0000f240, 0x0000f2c0] as const).map((opcode) => [opcode, 0x3ff0003] as const),
  ],
  [REGION_KIND.x64]: [
    ...([0xe8, 0xe9, 0x74, 0xeb, 0x058b48, 0x840f] as const).map((opcode) => [opcode, 0x7fff0000] as const),
    ...([0xc73d8166, 0x80c5f5c5, 0x62, 0x8f, 0x01053de2] as const).map((opcode) => [opcode, 0xffff0800] as const),
  ],
  [REGION_KIND.riscv]: [
    ...([0xef, 0x6f, 0x63, 0xa001c111] as const).map((opcode) => [opcode, 0xfff01e00] as const),
    ...([0x17, 0x37, 0x13, 0x67, 0x03, 0x23] as const).map((opcode) => [opcode, 0x0ff18180] as const),
  ],
  [REGION_KIND.mips]: [
    ...([0x0c000000, 0x08000000, 0x10000000, 0x14000000, 0x04010000] as const).map(
      (opcode) => [opcode, 0x300fff] as const,
    ),
    ...([0x3c000000, 0x24000000, 0x34000000, 0x8c000000, 0x00000021] as const).map(
      (opcode) => [opcode, 0x63f8ff] as const,
    ),
  ],
};

function swapped(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** High words of all addresses. */
export const HIGH = 0x55aa33cc;

/** A word that the kind is full of, at `va`; sometimes an address, or anything. */
function wordOf(kind: RegionKind, va: number, next: () => number): number {
  const any = Math.floor(next() * 2 ** 32);
  if (kind === REGION_KIND.data64 && (va & 4) !== 0 && next() < 0.9) return HIGH;
  const templates = TEMPLATES[kind === REGION_KIND.mipsBig ? REGION_KIND.mips : kind];
  if (templates === undefined || next() < 0.1) return next() < 0.7 ? (va & ~0xfff) + (any & 0x3fff) : any;
  const [opcode, mask] = templates[Math.floor(next() * templates.length)]!;
  const word = (opcode | (any & mask)) >>> 0;
  return kind === REGION_KIND.mipsBig ? swapped(word) : word;
}

/** Two regions of one kind, in two modules, and an image in which much of them is elsewhere and a little changed. */
export function unitCase(kind: RegionKind, seed: number): SegmentCase {
  const next = random(seed * 100 + kind);
  const below = (most: number): number => Math.floor(next() * most);
  const length = 3 * 4096;
  const va = [0x10000, 0x7fff8000, 0xffff8000][below(3)]!;
  const layout = (slide: number): Region[] => [
    { module: 0, kind, offset: 0, length, va: va + slide },
    { module: 1, kind, offset: length + below(4), length: length - 8, va: 0x400000 + slide },
  ];
  const [from, to] = [layout(0), layout(below(2) === 0 ? 0x140 : 2)];
  const source = new Uint8Array(2 * length);
  const view = new DataView(source.buffer);
  for (let at = 0; at < source.length; at += 4) view.setUint32(at, wordOf(kind, va + at, next), true);
  const target = Uint8Array.from(source, () => below(256));
  const covers: Cover[] = [];
  for (let at = 0; at < target.length;) {
    const bytes = Math.min(target.length - at, 2000 + below(8000));
    const slide = kind === REGION_KIND.x64 ? below(64) - 32 : 4 * (below(16) - 8);
    const sourceOffset = Math.max(0, Math.min(at + slide, source.length - bytes));
    covers.push({ sourceOffset, targetOffset: at, length: bytes });
    target.set(source.subarray(sourceOffset, sourceOffset + bytes), at);
    // Runs of equal changes, as compilers make them, which memories are for.
    for (let edits = below(bytes / 40); edits > 0; edits--) target[at + below(bytes)]! += 1 + below(3);
    at += bytes + below(40);
  }
  const isTable = kind === REGION_KIND.data32 || kind === REGION_KIND.data64;
  const bases = from.map((region, i) =>
    isTable ? [1, 4, 16, 24].map((scale) => ({ source: region.va, target: to[i]!.va, scale })) : [],
  );
  const source_ = { regions: from, vaHigh: [HIGH, HIGH] };
  return {
    source,
    target,
    plan: { covers: coverListOf(covers), source: source_, target: { ...source_, regions: to }, bases },
  };
}
