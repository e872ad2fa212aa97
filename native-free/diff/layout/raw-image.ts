/**
 * The structure of an image without headers: kernels, boot loaders, firmware of microcontrollers. Its bytes are code of
 * one instruction set, words of tables, or other bytes, such as text.
 * @module
 */
import { REGION_KIND, type RegionKind } from '../../format/regions.ts';
import { LIMITS } from '../../limits.ts';
import { carveBtf, type Stretch } from './btf.ts';
import { BLOCK_BYTES, takeCensus } from './census.ts';
import { Fields } from './fields.ts';
import { dataKindOf, loadAddress } from './load-address.ts';
import { NO_LAYOUT, type NamedLayout, type NamedRegion } from './named-layout.ts';
import { twoStates } from './two-states.ts';

/** Address of an image that tells none: far from what numbers usually are. */
const UNKNOWN_VA = 0xd0000000;

/** In words, at least so many of a hundred have the most significant byte of one of the two words before. */
const LIKE_BEFORE = 25;
const SCORE_MAX = 100;
const PRICE = 400;

/** Regions by what the bytes look like; none when nothing looks like code. */
export function inferRaw(image: Uint8Array): NamedLayout {
  const census = takeCensus(image);
  if (census === null) return NO_LAYOUT;
  const { set, isCode } = census;
  const base = loadAddress(image, census);
  const low = base?.low ?? UNKNOWN_VA;
  if (low + image.length > 2 ** 32) return NO_LAYOUT;
  const dataKind = dataKindOf(set, base?.isWide ?? !set.addresses.widths.includes(32));
  const kinds = kindsOfBlocks(image, isCode, set.kind, dataKind);
  const stretches = carveBtf(image, stretchesOf(kinds, image.length), dataKind);
  const regions: NamedRegion[] = stretches.map((stretch) => ({ ...stretch, module: 0, va: low + stretch.offset }));
  regions.push(...bssOf(image, low));
  if (regions.length > LIMITS.regions_max) return NO_LAYOUT;
  const module = { offset: 0, length: image.length, name: '', build: '', sketch: new Uint32Array(0) };
  return { regions, vaHigh: [base?.high ?? 0], modules: [module] };
}

/** Blocks of one kind that follow each other. */
function stretchesOf(kinds: readonly RegionKind[], bytes: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (let start = 0; start < kinds.length;) {
    const kind = kinds[start]!;
    let end = start + 1;
    while (end < kinds.length && kinds[end] === kind) end++;
    const offset = start * BLOCK_BYTES;
    stretches.push({ kind, offset, length: Math.min(end * BLOCK_BYTES, bytes) - offset, name: nameOf(kind) });
    start = end;
  }
  return stretches;
}

function kindsOfBlocks(image: Uint8Array, isCode: Uint8Array, code: RegionKind, data: RegionKind): RegionKind[] {
  // Code between tables is no evidence of either.
  const scores = Int32Array.from(isCode, (is, block) => (is !== 0 ? 0 : wordScore(image, block)));
  const isWords = twoStates(scores, PRICE);
  return Array.from(isCode, (is, block) => (is !== 0 ? code : isWords[block] !== 0 ? data : REGION_KIND.raw));
}

/** How much a block looks like words: neighbours differ in their lower bytes first. */
function wordScore(image: Uint8Array, block: number): number {
  const start = block * BLOCK_BYTES;
  const end = Math.min(start + BLOCK_BYTES, image.length - 11);
  let alike = 0;
  for (let at = start; at < end; at += 4) {
    const top = image[at + 11]!;
    if (top === image[at + 7] || top === image[at + 3]) alike++;
  }
  const score = 4 * (Math.floor((alike * 400) / BLOCK_BYTES) - LIKE_BEFORE);
  return Math.max(-SCORE_MAX, Math.min(SCORE_MAX, score));
}

function nameOf(kind: RegionKind): string {
  if (kind === REGION_KIND.raw) return 'bytes';
  return kind === REGION_KIND.data32 || kind === REGION_KIND.data64 ? 'data' : 'code';
}

/** Whether this is Linux for 64-bit Arm or RISC-V ("Booting AArch64 Linux", section 4): "ARM\x64" or "RSC\x05" at 56. */
export function isLinuxImage(image: Uint8Array): boolean {
  const magic = new Fields(image, true).u32(56);
  return magic === 0x644d5241 || magic === 0x05435352;
}

/** The kernel's header tells how much memory it takes, that behind the image included. */
function bssOf(image: Uint8Array, low: number): NamedRegion[] {
  const length = isLinuxImage(image) ? new Fields(image, true).u64(16) - image.length : 0;
  const va = low + image.length;
  if (length <= 0 || va + length > 2 ** 32) return [];
  return [{ module: 0, kind: REGION_KIND.bss, offset: -1, length, va, name: 'bss' }];
}
