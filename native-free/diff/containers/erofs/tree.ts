/**
 * All files of an image in the order of their paths.
 *
 * Names in a directory are sorted, so it is the order in which mkfs.erofs meets the files; numbers of inodes are not, as
 * small ones fill what gaps are left in blocks of inodes.
 * @module
 */
import { LIMITS } from '../../../limits.ts';
import type { Fields } from '../fields.ts';
import type { Budget } from './budget.ts';
import type { Inode, InodeReader } from './inodes.ts';
import type { Superblock } from './superblock.ts';

const ENTRY_BYTES = 12;

/** @throws UpdateError unit_malformed */
export function filesInOrder(image: Fields, superblock: Superblock, inodes: InodeReader, budget: Budget): Inode[] {
  const files: Inode[] = [];
  const seen = new Set([superblock.root]);
  const open = [entriesOf(image, superblock, inodes, inodes.read(superblock.root), budget)];
  while (open.length > 0) {
    const number = open.at(-1)!.pop();
    if (number === undefined) {
      open.pop();
      continue;
    }
    // A directory and the one above it are in it as well, and have been seen.
    if (seen.has(number)) continue;
    if (seen.size > LIMITS.container_files_max) image.fault(`it has more than ${seen.size} files`);
    seen.add(number);
    const inode = inodes.read(number);
    if (inode.isDirectory) open.push(entriesOf(image, superblock, inodes, inode, budget));
    else if (inode.isFile && inode.bytes > 0) files.push(inode);
  }
  return files;
}

/** Numbers of the inodes in a directory, the last one first. */
function entriesOf(
  image: Fields,
  { blockBytes }: Superblock,
  inodes: InodeReader,
  directory: Inode,
  budget: Budget,
): number[] {
  const ranges = directory.isDirectory ? inodes.storedRanges(directory) : null;
  if (ranges === null) image.fault('a directory that is none, or is stored in another way');
  const numbers: number[] = [];
  for (const { from, to } of ranges) {
    for (let at = from; at < to; at += blockBytes) readBlock(image, at, Math.min(blockBytes, to - at), numbers, budget);
  }
  return numbers.reverse();
}

/** Names follow the entries, and the first entry says where its name is. */
function readBlock(image: Fields, at: number, length: number, numbers: number[], budget: Budget): void {
  const namesAt = image.u16(at + 8);
  if (namesAt === 0 || namesAt % ENTRY_BYTES !== 0 || namesAt > length) image.fault(`names at ${namesAt} of ${length}`);
  budget.spend(namesAt / ENTRY_BYTES);
  for (let entry = 0; entry < namesAt; entry += ENTRY_BYTES) numbers.push(image.u64(at + entry));
}
