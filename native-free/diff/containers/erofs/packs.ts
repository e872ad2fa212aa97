/**
 * Packed extents as units: whose content may be of several files, and may be more than any one of them has.
 * @module
 */
import { firstWhere } from '../../../search.ts';
import { CODEC_ID } from '../../../format/unit-map.ts';
import { IMAGE, type ContainerBuilder } from '../builder.ts';
import type { Fields } from '../fields.ts';
import type { Extent, FileExtents, PackedExtent } from './extents.ts';
import { measureLz4, type Lz4Length } from './lz4-length.ts';
import type { Superblock } from './superblock.ts';

interface Pack {
  readonly extent: PackedExtent;
  /** The most that a file takes, and whether that is all. */
  bytes: number;
  isWhole: boolean;
  /** Its number in the container; null: it is none. */
  unit: number | null | undefined;
}

/**
 * An extent may have more content than any file takes of it: its last bytes are stored a second time, so that what follows
 * them begins with a block (old kernels' images), or other files' ends differ (deduplicated ones). At most this much more.
 */
const UNTAKEN_BYTES_MAX = 2 ** 20;

export class Packs {
  readonly #packs = new Map<number, Pack>();
  readonly #image: Fields;
  readonly #superblock: Superblock;
  readonly #builder: ContainerBuilder;

  constructor(image: Fields, superblock: Superblock, builder: ContainerBuilder) {
    this.#image = image;
    this.#superblock = superblock;
    this.#builder = builder;
  }

  /** To be called for all files before the first is named. */
  note({ extents }: FileExtents): void {
    for (const extent of extents) {
      if (extent.stored !== null) continue;
      const pack = this.#packs.get(extent.offset);
      if (pack === undefined) {
        this.#packs.set(extent.offset, { extent, bytes: extent.bytes, isWhole: !extent.isPartial, unit: undefined });
      } else {
        pack.bytes = Math.max(pack.bytes, extent.bytes);
        pack.isWhole ||= !extent.isPartial;
      }
    }
  }

  name({ extents, fragment }: FileExtents, fragments: FileExtents | null): void {
    for (const extent of extents) this.#nameExtent(extent, 0, extent.bytes);
    if (fragment === null || fragments === null) return;
    const end = fragment.at + fragment.bytes;
    for (let i = lastFrom(fragments.extents, fragment.at); i < fragments.extents.length; i++) {
      const extent = fragments.extents[i]!;
      if (extent.from >= end) break;
      const from = Math.max(0, fragment.at - extent.from);
      const to = Math.min(extent.bytes, end - extent.from);
      if (from < to) this.#nameExtent(extent, from, to);
    }
  }

  /** Bytes [from, to) of an extent. */
  #nameExtent(extent: Extent, from: number, to: number): void {
    if (extent.stored === null) {
      const unit = this.#unitOf(this.#packs.get(extent.offset)!);
      if (unit !== null) this.#builder.name(unit, from, to - from);
      return;
    }
    let at = 0;
    for (const range of extent.stored) {
      const length = range.to - range.from;
      const [first, last] = [Math.max(0, from - at), Math.min(length, to - at)];
      if (first < last) this.#builder.name(IMAGE, range.from + first, last - first);
      at += length;
    }
  }

  #unitOf(pack: Pack): number | null {
    if (pack.unit !== undefined) return pack.unit;
    const { offset, codec } = pack.extent;
    const size = this.#sizeOf(pack);
    pack.unit = size === null ? null : this.#builder.unit({ offset, codec, ...size });
    return pack.unit;
  }

  /** Null: it cannot be told. */
  #sizeOf({ extent, bytes, isWhole }: Pack): Lz4Length | null {
    const { offset, packedBytes, codec } = extent;
    const hasEnd = codec !== CODEC_ID.lz4 || this.#superblock.hasZeroPadding;
    if (hasEnd && isWhole) return { packedBytes, contentBytes: bytes };
    if (codec !== CODEC_ID.lz4) return null;
    const length = measureLz4(this.#image.slice(offset, packedBytes), bytes, bytes + UNTAKEN_BYTES_MAX);
    return hasEnd && length?.packedBytes !== packedBytes ? null : length;
  }
}

/** The last extent that begins at or before `position`. */
function lastFrom(extents: readonly Extent[], position: number): number {
  return Math.max(0, firstWhere(0, extents.length, (i) => extents[i]!.from > position) - 1);
}
