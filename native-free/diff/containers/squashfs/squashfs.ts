/**
 * Squashfs 4.0 images: files whole, each with its tail out of the block that it shares with others' tails, then tables.
 *
 * Files stand in the order of the inode table. mksquashfs writes inodes as it walks the tree, names sorted, however many
 * threads pack the data: it is the order of paths (or of its -sort), which stays as it is where files come and go, and
 * needs no directory to be read (decision 0129).
 * @module
 */
import { UpdateError } from '../../../status.ts';
import { ContainerBuilder } from '../builder.ts';
import type { Container, ContainerFinder } from '../container.ts';
import { Fields } from '../fields.ts';
import { Blocks, FRAGMENT_BYTES, Fragments } from './blocks.ts';
import { COMPRESSORS } from './compressors.ts';
import { readInodes } from './inodes.ts';
import { MetadataReader, type Table } from './metadata.ts';
import { KIND, looksLikeSquashfs, readSuperblock, type Superblock } from './superblock.ts';

const ID_BYTES = 4;
const EXPORT_BYTES = 8;
const XATTR_ID_BYTES = 16;
const XATTR_HEAD_BYTES = 16;
/** Files below this have no code that minds where it begins. */
const SMALL_BYTES = 4096;

export const squashfs: ContainerFinder = {
  kind: KIND,
  at(bytes, offset) {
    if (!looksLikeSquashfs(bytes, offset)) return null;
    try {
      return readImage(bytes.subarray(offset), offset);
    } catch (error) {
      if (error instanceof UpdateError && error.code === 'unit_malformed') return null;
      throw error;
    }
  },
};

function readImage(bytes: Uint8Array, base: number): Container | null {
  const superblock = readSuperblock(new Fields(bytes, KIND));
  const compressor = COMPRESSORS[superblock.compressor];
  if (compressor === undefined) return null;
  const image = new Fields(bytes.subarray(0, superblock.bytes), KIND);
  const metadata = new MetadataReader(image, compressor);
  const tables = readTables(image, superblock, metadata);
  const inodes = new Fields(tables.inodes.content, KIND);
  const files = readInodes(inodes, superblock.blockBytes);
  const builder = new ContainerBuilder(KIND);
  const blocks = new Blocks(builder, superblock, compressor.codec, inodes);
  const fragmentTable = new Fields(tables.fragments?.content ?? new Uint8Array(0), KIND);
  const fragments = new Fragments(fragmentTable, files, superblock.blockBytes, builder, blocks);
  for (const file of files) {
    blocks.name(file);
    fragments.name(file);
    builder.endFile(SMALL_BYTES);
  }
  for (const table of [tables.inodes, tables.directories, tables.fragments, ...tables.others])
    if (table !== null) metadata.put(builder, table);
  return builder.finish(base, superblock.bytes);
}

interface Tables {
  readonly inodes: Table;
  readonly directories: Table;
  readonly fragments: Table | null;
  readonly others: readonly Table[];
}

function readTables(image: Fields, superblock: Superblock, metadata: MetadataReader): Tables {
  const { fragmentCount, inodeCount, idCount } = superblock;
  const fragments =
    superblock.fragments === null ? null : metadata.listed(superblock.fragments, fragmentCount * FRAGMENT_BYTES);
  const exports = superblock.exports === null ? [] : [metadata.listed(superblock.exports, inodeCount * EXPORT_BYTES)];
  const ids = metadata.listed(superblock.ids, idCount * ID_BYTES);
  const xattrs = superblock.xattrs === null ? [] : readXattrs(image, superblock.xattrs, metadata);
  const others = [...exports, ids, ...xattrs];
  // Nothing says where the directories end: it is where the first of the others begins.
  const starts = [fragments, ...others].map((table) => table?.start ?? Infinity);
  const { inodes, directories } = superblock;
  return {
    inodes: metadata.between(inodes, directories),
    directories: metadata.between(directories, Math.min(...starts)),
    fragments,
    others,
  };
}

/** Names and values, then for each set of them where it is. */
function readXattrs(image: Fields, at: number, metadata: MetadataReader): Table[] {
  const start = image.u64(at);
  const ids = metadata.listed(at + XATTR_HEAD_BYTES, image.u32(at + 8) * XATTR_ID_BYTES);
  if (start > ids.start) image.fault('extended attributes behind their list');
  return [metadata.between(start, ids.start), ids];
}
