/**
 * The structure of an image, found in its own bytes: every ELF file in it is a module, wherever it lies (in an archive,
 * in a file system's image, one after the other); a firmware or kernel without such headers is judged by what its bytes
 * look like. All that is not understood is left without regions, that is, plain bytes.
 *
 * This only steers the encoder: a wrong guess costs bytes of the patch, never its correctness.
 * @module
 */
import { REGION_KIND } from '../../format/regions.ts';
import { LIMITS } from '../../limits.ts';
import type { TargetRange } from '../images.ts';
import { isElfMagic, readElf, type Budget, type ElfFile } from './elf/elf-file.ts';
import { identify } from './elf/elf-identity.ts';
import { regionsOfElf } from './elf/elf.ts';
import { inferRaw, isLinuxImage } from './raw-image.ts';
import { NO_LAYOUT, type Module, type NamedLayout, type NamedRegion } from './named-layout.ts';

/** ELF files stand at multiples of this. */
const STEP = 4;

/** An image with less than this part of it in ELF files is judged as a whole: a kernel has some within. */
const ELF_SHARE = 16;

/** Regions and modules of `image`; `parts`, in order, are images of their own within it, such as an unpacked kernel. */
export function layoutOf(image: Uint8Array, parts: readonly TargetRange[] = []): NamedLayout {
  if (parts.length === 0) return plainLayout(image);
  const regions: NamedRegion[] = [];
  const bss: NamedRegion[] = [];
  const modules: Module[] = [];
  const vaHigh: number[] = [];
  let at = 0;
  const add = (end: number): void => {
    const found = plainLayout(image.subarray(at, end));
    if (regions.length + bss.length + found.regions.length > LIMITS.regions_max) return;
    for (const region of found.regions) {
      const module = region.module + vaHigh.length;
      if (region.kind === REGION_KIND.bss) bss.push({ ...region, module });
      else regions.push({ ...region, module, offset: region.offset + at });
    }
    modules.push(...found.modules.map((module) => ({ ...module, offset: module.offset + at })));
    vaHigh.push(...found.vaHigh);
  };
  for (const { start, end } of [...parts, { start: image.length, end: image.length }]) {
    add(start);
    at = start;
    if (start < end) add(end);
    at = end;
  }
  return modules.length === 0 ? NO_LAYOUT : { regions: [...regions, ...bss], vaHigh, modules };
}

function plainLayout(image: Uint8Array): NamedLayout {
  const files = isLinuxImage(image) ? [] : findElfs(image);
  const bytes = files.reduce((sum, { length }) => sum + length, 0);
  if (files[0]?.start !== 0 && bytes * ELF_SHARE < image.length) {
    const raw = inferRaw(image);
    if (raw.modules.length > 0) return raw;
  }
  return elfLayout(image, files);
}

/** All ELF files of an image that are not part of another one. */
function findElfs(image: Uint8Array, budget: Budget = { left: image.length }): ElfFile[] {
  const files: ElfFile[] = [];
  const last = image.length - 52;
  for (let at = 0; at <= last && budget.left > 0; at += STEP) {
    if (image[at] !== 0x7f || !isElfMagic(image, at)) continue;
    const file = readElf(image, at, budget);
    if (file === null) continue;
    files.push(file);
    // A sound section table at its end says that the file lies there in one piece; without one it may be cut short.
    if (file.sections.length > 0) at += Math.max(0, Math.ceil(file.length / STEP) - 1) * STEP;
  }
  return files;
}

function elfLayout(image: Uint8Array, files: readonly ElfFile[]): NamedLayout {
  const budget = { left: image.length };
  const modules: Module[] = [];
  const vaHigh: number[] = [];
  const regions: NamedRegion[] = [];
  const bss: NamedRegion[] = [];
  files.forEach((file, i) => {
    // A file without section table ends where the next one begins.
    const end = Math.min(file.start + file.length, files[i + 1]?.start ?? image.length);
    const found = regionsOfElf(image, file, modules.length, budget);
    const own = found.regions.filter(({ offset, length }) => offset + length <= end);
    const count = own.length + found.bss.length;
    if (own.length === 0 || regions.length + bss.length + count > LIMITS.regions_max) return;
    regions.push(...own);
    bss.push(...found.bss);
    vaHigh.push(found.vaHigh);
    modules.push({ offset: file.start, length: end - file.start, ...identify(image, file, budget) });
  });
  return modules.length === 0 ? NO_LAYOUT : { regions: [...regions, ...bss], vaHigh, modules };
}
