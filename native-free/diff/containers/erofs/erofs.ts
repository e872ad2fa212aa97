/**
 * erofs images: files whole, out of the clusters that they are compressed to, in the order of their paths.
 *
 * What of a file is no longer than a block's rest stands behind its inode. Such a file stays there, among inodes and
 * indexes, which are small and alike in all versions; only the end of a longer file is put to the file's other bytes.
 * @module
 */
import { UpdateError } from '../../../status.ts';
import { ContainerBuilder, IMAGE } from '../builder.ts';
import type { Container, ContainerFinder } from '../container.ts';
import { Fields } from '../fields.ts';
import type { Range } from '../ranges.ts';
import { Budget } from './budget.ts';
import { ExtentReader, type FileExtents } from './extents.ts';
import { InodeReader, LAYOUT, type Inode } from './inodes.ts';
import { Packs } from './packs.ts';
import { filesInOrder } from './tree.ts';
import { KIND, looksLikeErofs, readSuperblock, type Superblock } from './superblock.ts';

export const erofs: ContainerFinder = {
  kind: KIND,
  at(bytes, offset) {
    if (!looksLikeErofs(bytes, offset)) return null;
    try {
      return readImage(bytes.subarray(offset), offset);
    } catch (error) {
      if (error instanceof UpdateError && error.code === 'unit_malformed') return null;
      throw error;
    }
  },
};

/** A file as it is stored, or as it is compressed. */
type Found = { readonly ranges: readonly Range[] } | { readonly packed: FileExtents };

function readImage(bytes: Uint8Array, base: number): Container {
  const superblock = readSuperblock(new Fields(bytes, KIND));
  const image = new Fields(bytes.subarray(0, superblock.bytes), KIND);
  // Indexes take two bytes at least, entries of directories twelve.
  const budget = new Budget(KIND, image.length / 2);
  const inodes = new InodeReader(image, superblock, budget);
  const extents = new ExtentReader(image, superblock, budget);
  const files = filesInOrder(image, superblock, inodes, budget);
  const fragments = superblock.packed === null ? null : readFragments(inodes, extents, superblock.packed);
  const found = files.map((file) => findFile(superblock, inodes, extents, file)).filter((file) => file !== null);
  const builder = new ContainerBuilder(KIND);
  const packs = new Packs(image, superblock, builder);
  for (const file of found) if ('packed' in file) packs.note(file.packed);
  if (fragments !== null) packs.note(fragments);
  for (const file of found) {
    if ('ranges' in file) for (const { from, to } of file.ranges) builder.name(IMAGE, from, to - from);
    else packs.name(file.packed, fragments);
    builder.endFile();
  }
  return builder.finish(base, superblock.bytes);
}

const isCompressed = ({ layout }: Inode): boolean => layout === LAYOUT.fullIndex || layout === LAYOUT.compactIndex;

function findFile(superblock: Superblock, inodes: InodeReader, extents: ExtentReader, file: Inode): Found | null {
  if (isCompressed(file)) return { packed: extents.read(file) };
  const isAllInline = file.layout === LAYOUT.inline && file.bytes <= superblock.blockBytes;
  const ranges = isAllInline ? null : inodes.storedRanges(file);
  return ranges === null ? null : { ranges };
}

/** The inode with the ends of files, compressed like a file. */
function readFragments(inodes: InodeReader, extents: ExtentReader, number: number): FileExtents | null {
  const inode = inodes.read(number);
  return isCompressed(inode) && inode.bytes > 0 ? extents.read(inode) : null;
}
