/**
 * The few file operations of a repository, behind an interface: a test cuts publishing short at every one of them and
 * looks at what a client then sees.
 *
 * Every file is written beside its place, synced, renamed into it, and its folder synced: a reader sees the file
 * before or the file after, never a part.
 * @module
 */
import { ioCode } from '../../native-free/errno.ts';
import { ioError } from '../../native-free/io-error.ts';
import { makeFolders } from '../engine/files/files.ts';
import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** What a repository asks of a file system. Paths are absolute or relative to the process; errors are Node's. */
export interface RepositoryFiles {
  makeFolder(path: string): Promise<void>;
  /** Creates `path`, which must not exist, with these bytes, and syncs it. */
  writeNew(path: string, bytes: Uint8Array): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  read(path: string): Promise<Uint8Array>;
  /** Size in bytes, or null when there is no such file. */
  size(path: string): Promise<number | null>;
  /** Milliseconds since the last change; 0 when there is no such file. */
  age(path: string): Promise<number>;
  /** Names in a folder; none when the folder does not exist. */
  list(path: string): Promise<string[]>;
}

const missing = (error: unknown): boolean => ioCode(error) === 'ENOENT';

/** Node's file system. */
export const nodeFiles: RepositoryFiles = {
  makeFolder: (path) => makeFolders(path),
  async writeNew(path, bytes) {
    const file = await open(path, 'wx', 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  rename: (from, to) => rename(from, to),
  async syncFolder(path) {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  remove: (path) => unlink(path),
  read: (path) => readFile(path),
  async size(path) {
    try {
      return (await stat(path)).size;
    } catch (error) {
      if (missing(error)) return null;
      throw error;
    }
  },
  async age(path) {
    try {
      return Date.now() - (await stat(path)).mtimeMs;
    } catch (error) {
      if (missing(error)) return 0;
      throw error;
    }
  },
  async list(path) {
    try {
      return await readdir(path);
    } catch (error) {
      if (missing(error)) return [];
      throw error;
    }
  },
};

/** Temporary files carry this in their names, so that a server never hands one out and a later run may sweep them. */
export const TEMPORARY_MARK = '.engraft-part-';

/**
 * Puts `bytes` under `path`, whole or not at all. Replaces what was there.
 * @throws UpdateError output_unwritable, disk_full
 */
export async function writeAtomically(files: RepositoryFiles, path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `${TEMPORARY_MARK}${basename(path)}-${randomBytes(6).toString('hex')}`);
  try {
    await files.writeNew(temporary, bytes);
    await files.rename(temporary, path);
    await files.syncFolder(folder);
  } catch (cause) {
    await files.remove(temporary).catch(() => undefined);
    throw ioError(cause, 'output_unwritable', `cannot write ${path}`, { path });
  }
}
