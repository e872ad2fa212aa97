/**
 * Vectors that decode: one for each part of the format.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { repositoryRoot } from '../../corpus/manifest.ts';
import type { Cover } from '../../native-free/format/cover.ts';
import type { Fill } from '../../native-free/format/fill-map.ts';
import { REGION_KIND, type RegionKind } from '../../native-free/format/regions.ts';
import { DEFAULT_SIZES, type ModelSizes } from '../../native-free/format/model-sizes.ts';
import type { PairedRegions } from '../../native-free/model/region-coder.ts';
import { join, noise, prose, put, repeated, text } from './bytes.ts';
import { programOf, together } from './programs.ts';

/** A source that is `bytes`, so many times. */
export interface VectorSource {
  readonly bytes: Uint8Array;
  readonly times: number;
}

/** Both images and all that an encoder would have found out. */
export interface VectorImages {
  readonly name: string;
  readonly about: string;
  /** Null for a full payload. */
  readonly source: VectorSource | null;
  readonly target: Uint8Array;
  readonly segmentBytes: number;
  readonly sizes: ModelSizes;
  readonly covers: readonly Cover[];
  readonly regions: PairedRegions;
  /** Full payloads: each segment's coded form. */
  readonly frames: readonly Uint8Array[];
  /** What both images have beside the bytes that covers and segments are of; nothing by default. */
  readonly fills?: { readonly source: readonly Fill[]; readonly target: readonly Fill[] };
}

const SEGMENT = 2 ** 16;
const SMALL: ModelSizes = { flagBits: 12, byteBits: 14 };
const NO_REGIONS: PairedRegions = { pairs: [], highs: [] };
const PLAIN = { segmentBytes: SEGMENT, sizes: SMALL, covers: [], regions: NO_REGIONS, frames: [] } as const;

const OLD = text('engraft: old slot + patch grow into the new slot. The old slot is read, never written.\n');
const NEW = text('engraft: source slot + patch grow into the target slot. The old slot is read, never written.\n');
const OLD_SOURCE = { bytes: OLD, times: 1 };

function tiny(): VectorImages[] {
  const covers = [cover(0, 0, 9), cover(12, 15, 28), cover(43, 49, 44)];
  return [
    {
      ...{ ...PLAIN, name: 'tiny-delta', about: 'covers and literals; the body is in the header' },
      ...{ source: OLD_SOURCE, target: NEW, covers, sizes: DEFAULT_SIZES },
    },
    {
      ...PLAIN,
      name: 'tiny-full-stored',
      about: 'a stored segment in the header',
      source: null,
      target: NEW,
      frames: [NEW],
    },
    {
      ...PLAIN,
      name: 'empty-target',
      about: 'no segments, a target digest',
      source: OLD_SOURCE,
      target: new Uint8Array(0),
    },
    { ...PLAIN, name: 'empty-target-full', about: 'the same, full', source: null, target: new Uint8Array(0) },
    {
      ...{
        ...PLAIN,
        name: 'empty-source',
        about: 'nothing but literals',
        source: { bytes: new Uint8Array(0), times: 1 },
      },
      ...{ target: prose(600, 3), sizes: { flagBits: 10, byteBits: 10 } },
    },
    {
      ...{ ...PLAIN, name: 'same-again', about: 'one cover, two copied pages and a rest', source: OLD_SOURCE_LONG },
      ...{ target: repeated(OLD, 100), covers: [cover(0, 0, OLD.length * 100)] },
    },
  ];
}

const OLD_SOURCE_LONG = { bytes: OLD, times: 100 };

function cover(sourceOffset: number, targetOffset: number, length: number): Cover {
  return { sourceOffset, targetOffset, length };
}

/** One segment whose body has chunks: half of it is noise. */
function chunked(): VectorImages {
  const source = prose(4000, 11);
  const target = join(source.subarray(100, 3000), noise(4300, 12), source.subarray(2000));
  return {
    ...{
      ...PLAIN,
      name: 'chunked-delta',
      about: 'one segment, one chunk',
      source: { bytes: source, times: 1 },
      target,
    },
    covers: [cover(100, 0, 2900), cover(2000, 7200, 2000)],
  };
}

/** Noise between what compresses: whole blocks of it, the longest last one, the shortest one, and what is too short. */
function storedLiterals(): VectorImages {
  const source = prose(4000, 13);
  const repeats = noise(2048 + 127, 15);
  const target = join(
    ...[source.subarray(0, 3000), noise(3 * 2048, 14), repeats, prose(2500, 16), noise(4000, 17)],
    ...[source.subarray(500, 700), noise(128, 18), source.subarray(700, 900), noise(127, 19), repeats],
  );
  return {
    ...{
      ...PLAIN,
      name: 'stored-literals',
      about: 'literals that are stored, in blocks of all lengths, and one that came before',
      source: { bytes: source, times: 1 },
      target,
    },
    covers: [cover(0, 0, 3000), cover(500, 17_819, 200), cover(700, 18_147, 200)],
  };
}

/** Covers and gaps over the borders of segments and source windows, whole pages unchanged, a stored segment. */
function segmented(): VectorImages {
  const bytes = join(prose(1500, 21), noise(1500, 22));
  const source = { bytes, times: 30 };
  const whole = repeated(bytes, 30);
  const target = join(
    ...[whole.subarray(1000, 70_000), prose(900, 23), whole.subarray(3, 58_000), prose(131_072 - 69_900 - 57_997, 24)],
    noise(3000, 25),
  );
  for (const at of [5, 4099, 40_000, 40_001, 65_537, 80_000, 110_000]) target[at]! ^= 0x24;
  return {
    ...{ ...PLAIN, name: 'three-segments-delta', about: 'segments, windows, pages; the last segment is stored' },
    ...{
      source,
      target,
      covers: [cover(1000, 0, 69_000), cover(3, 69_900, 57_997)],
      sizes: { flagBits: 10, byteBits: 16 },
    },
  };
}

/** Covers of every sort: backwards, overlapping in the source, of one byte, one behind the other. */
function manyCovers(): VectorImages {
  const source = noise(3000, 31);
  const covers: Cover[] = [];
  const parts: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; i < 60; i++) {
    const gap = i % 3 === 0 ? (i * 7) % 23 : 0;
    const length = i % 5 === 0 ? 1 + (i % 4) : 4 * (3 + ((i * 11) % 40));
    const sourceOffset = i % 4 === 3 ? covers[i - 2]!.sourceOffset + 40 : (i * 577) % 2700;
    covers.push(cover(sourceOffset, at + gap, length));
    parts.push(noise(gap, 100 + i), source.subarray(sourceOffset, sourceOffset + length));
    at += gap + length;
  }
  return {
    ...{ ...PLAIN, name: 'many-covers', about: 'gaps, lengths and displacements of every sort, no layout' },
    ...{ source: { bytes: source, times: 1 }, target: join(...parts), covers },
  };
}

const MACHINES = ['a64', 'a32', 't32', 'x64', 'riscv', 'mips', 'mipsBig'] as const;

/** A program of each machine, with a table and memory that is zero at start; then all of them in one image. */
function machines(): VectorImages[] {
  const vectors = MACHINES.map((machine, i): VectorImages => {
    const { source, target, covers, pairs, high } = programOf(REGION_KIND[machine], i + 1);
    const name = `code-${machine}`;
    return {
      ...{ ...PLAIN, name, about: 'references of code, a table with bases, bss', source: { bytes: source, times: 1 } },
      ...{ target, covers, regions: { pairs, highs: [high] } },
    };
  });
  const all = together(MACHINES.map((machine, i) => programOf(REGION_KIND[machine], i + 21, 300, 0x100)));
  const { source, target, covers, pairs, highs } = all;
  return [
    ...vectors,
    {
      ...{ ...PLAIN, name: 'seven-modules', about: 'modules in another order, a region that is gone' },
      ...{ source: { bytes: source, times: 1 }, target, covers, regions: { pairs, highs } },
    },
  ];
}

/** 12 KiB of a real program's code, with a function moved and another base: pairs of instructions, stacks, registers. */
function realCode(): VectorImages {
  const file = readFileSync(joinPath(repositoryRoot(), 'corpus/small/watcher-arm64/source'));
  const at = 0x22000;
  const source = new Uint8Array(file.subarray(at, at + 12_288));
  const [head, middle] = [source.subarray(0, 4096), source.subarray(4096, 7168)];
  const target = join(head, source.subarray(7168), middle);
  for (let i = 6000; i + 4 <= 7000; i += 4) {
    // Frames that grew: LDP, STP, LDR and STR with the stack pointer.
    if ((target[i]! & 0xe0) === 0xe0 && (target[i + 1]! & 3) === 3 && target[i + 3] === 0xf9) target[i + 1]! += 4;
  }
  const region = { module: 0, kind: REGION_KIND.a64 as RegionKind, offset: 0, length: source.length };
  return {
    ...{ ...PLAIN, name: 'real-a64', about: 'a piece of a real program', source: { bytes: source, times: 1 }, target },
    covers: [cover(0, 0, 4096), cover(7168, 4096, 5120), cover(4096, 9216, 3072)],
    regions: {
      pairs: [{ source: { ...region, va: at }, target: { ...region, va: at + 0x1000 }, bases: [] }],
      highs: [[0, 0]],
    },
  };
}

/** One zstd frame (RFC 8878): a raw block, then one byte again and again. */
export function zstdFrame(first: Uint8Array, again: number, length: number): Uint8Array {
  const frame = new Uint8Array(9 + 3 + first.length + 4);
  frame.set([0x28, 0xb5, 0x2f, 0xfd, 0xa0]);
  put(frame, 5, length);
  put(frame, 9, first.length << 3, 3);
  frame.set(first, 12);
  put(frame, 12 + first.length, ((length - first.length) << 3) | (1 << 1) | 1, 3);
  frame[15 + first.length] = again;
  return frame;
}

function full(): VectorImages {
  const [first, last] = [prose(37, 41), noise(5000, 42)];
  const target = join(first, new Uint8Array(SEGMENT - 37).fill(7), first, new Uint8Array(SEGMENT - 37), last);
  const frames = [zstdFrame(first, 7, SEGMENT), zstdFrame(first, 0, SEGMENT), last];
  const about = 'zstd frames and a stored segment';
  return { ...PLAIN, name: 'three-segments-full', about, source: null, target, frames };
}

const FILL_BYTES = 2 ** 16;

/** Fills at the start, in the middle and at the end of a target, of a source that is one itself but for a block. */
function filled(): VectorImages {
  const blank = { bytes: new Uint8Array(1).fill(0xff), times: FILL_BYTES + 4096 };
  const head = prose(4096, 51);
  const tail = prose(2 * 4096, 52);
  const fill = (offset: number, value: number) => ({ offset, length: FILL_BYTES, value });
  const target = join(new Uint8Array(FILL_BYTES), head, new Uint8Array(4096 + FILL_BYTES).fill(0xff), tail);
  return {
    ...{ ...PLAIN, name: 'fills', about: 'runs of one value, which no cover and no segment is of' },
    ...{ source: blank, target, covers: [cover(0, 4096, 4096)] },
    fills: { source: [fill(4096, 0xff)], target: [fill(0, 0), fill(FILL_BYTES + 8192, 0xff)] },
  };
}

/** All of them, in the order of the file. */
export function goodImages(): VectorImages[] {
  const small = [
    ...tiny(),
    chunked(),
    storedLiterals(),
    segmented(),
    manyCovers(),
    ...machines(),
    realCode(),
    filled(),
  ];
  return [...small, full(), ...fast(small)];
}

/** The same images in the fast profile. */
function fast(images: readonly VectorImages[]): VectorImages[] {
  return images
    .filter(({ source }) => source !== null)
    .map((each) => ({ ...each, name: `fast-${each.name}`, sizes: { ...each.sizes, fast: true } }));
}
