/**
 * How a file of the repository is written: beside its place, synced, renamed into it, and its folder synced. A reader
 * sees the file before or the file after, never a part. Publishers share folders, so that no two take one name for what
 * is not finished.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { writeError } from '../platform/files/io-errors.ts';
import { replaceThrough, type FileSystem } from '../platform/filesystem.ts';

/** Temporary files carry this in their names, so that a server never hands one out and a later run may sweep them. */
export const TEMPORARY_MARK = '.engraft-part-';

/**
 * Puts bytes, or what a function writes, under `path`, whole or not at all. Replaces what was there.
 * @throws UpdateError output_unwritable, disk_full
 */
export async function writeAtomically(
  files: FileSystem,
  path: string,
  content: Parameters<typeof replaceThrough>[2],
): Promise<void> {
  const name = `${TEMPORARY_MARK}${basename(path)}-${randomBytes(6).toString('hex')}`;
  const temporary = join(dirname(path), name);
  try {
    await replaceThrough(files, path, content, { temporary, mode: 'new' });
  } catch (cause) {
    await files.unlink(temporary).catch(() => undefined);
    throw writeError(cause, path);
  }
}

/** Milliseconds since the last change; 0 where that is not known. */
export async function ageOf(files: FileSystem, path: string): Promise<number> {
  const modifiedMs = (await files.stat(path))?.modifiedMs;
  return modifiedMs === undefined ? 0 : Date.now() - modifiedMs;
}
