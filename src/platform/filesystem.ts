/**
 * The file system as the agent sees it, small enough to be simulated whole.
 *
 * Every byte the agent keeps goes through this interface, so that a test can cut the power, fill the disk or fail any
 * single call. Durability is explicit: nothing counts as kept before `sync`, no name before `syncFolder`.
 * @module
 */
import { ioCode } from '../../native-free/errno.ts';
import { ioError } from '../../native-free/io-error.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';

/** An open file. Offsets and lengths are bytes. */
export interface FileHandle {
  /** Read up to `into.length` bytes from `offset`; returns how many, 0 at the end of the file. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Write up to `bytes.length` bytes at `offset`; returns how many (a short write is legal). */
  write(bytes: Uint8Array, offset: number): Promise<number>;
  truncate(bytes: number): Promise<void>;
  /** Data and size reach stable storage. */
  sync(): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/**
 * `read`: must exist. `update`: must exist, read and write. `create`: emptied or made, write. `new`: must not exist, and
 * others may read what is made.
 */
export type OpenMode = 'read' | 'update' | 'create' | 'new';

export interface FileStat {
  readonly bytes: number;
  readonly kind: 'file' | 'folder' | 'block' | 'other';
  /** When it was written to, in milliseconds since 1970, where that is known. */
  readonly modifiedMs?: number;
}

export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<FileHandle>;
  /** Atomic within one file system; durable only after `syncFolder`. */
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file. Fails when `to` exists. */
  link(from: string, to: string): Promise<void>;
  /** No error when there is no such file. */
  unlink(path: string): Promise<void>;
  /** With parents; no error when it exists. `mode` is that of what is made, where modes exist. */
  makeFolder(path: string, mode?: number): Promise<void>;
  /** With all that is inside; no error when it does not exist. */
  removeFolder(path: string): Promise<void>;
  /** Names in a folder, sorted; empty when there is no such folder. */
  list(path: string): Promise<string[]>;
  /** Null when there is no such file. */
  stat(path: string): Promise<FileStat | null>;
  /** Bytes an unprivileged writer may still use where `path` is. */
  freeBytes(path: string): Promise<number>;
  /** Give `to` the mode and, where permitted, the owner of `from`; nothing where `from` does not exist. */
  copyMode?(from: string, to: string): Promise<void>;
  /** Renames, links and removals in this folder reach stable storage. */
  syncFolder(path: string): Promise<void>;
}

/**
 * Below /dev only devices are slots. A regular file there is what a write to a device that was not there has left
 * behind: it lies in memory, and is gone with the next boot. (/dev/shm is meant for files.)
 */
export const isDevicePath = (path: string): boolean => path.startsWith('/dev/') && !path.startsWith('/dev/shm/');

/** Everything before the last slash. */
export function folderOf(path: string): string {
  const at = path.lastIndexOf('/');
  if (at < 0) return '.';
  return at === 0 ? '/' : path.slice(0, at);
}

/** Write all of `bytes`, however short the single writes are. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const count = await file.write(bytes.subarray(done), offset + done);
    if (count <= 0) throw new Error(`a write of ${bytes.length - done} bytes at ${offset + done} wrote nothing`);
    done += count;
  }
}

/** Fill `into`; returns how many bytes there were (less than asked only at the end of the file). */
export async function readFully(file: FileHandle, into: Uint8Array, offset: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const count = await file.read(into.subarray(done), offset + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** A whole small file, or null when there is none. Throws `limit_exceeded` over `bytesMax`. */
export async function readSmallFile(
  fs: FileSystem,
  path: string,
  bytesMax: number = LIMITS.record_bytes_max,
): Promise<Uint8Array | null> {
  return (await fs.stat(path)) === null ? null : readFile(fs, path, bytesMax);
}

/** A whole file. Throws `limit_exceeded` over `bytesMax`. */
export async function readFile(fs: FileSystem, path: string, bytesMax = Infinity): Promise<Uint8Array> {
  const file = await fs.open(path, 'read');
  try {
    const size = await file.size();
    if (size > bytesMax) {
      throw new UpdateError('limit_exceeded', `${path} has ${size} bytes; at most ${bytesMax} are read`);
    }
    const bytes = new Uint8Array(size);
    const count = await readFully(file, bytes, 0);
    return bytes.subarray(0, count);
  } finally {
    await file.close();
  }
}

/** Write a file without any promise of durability (spool: digests tell a torn file). */
export async function writePlainFile(fs: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const file = await fs.open(path, 'create');
  try {
    await writeFully(file, bytes, 0);
  } finally {
    await file.close();
  }
}

/**
 * Replace a file so that after a power cut it is either as before or as given, never between: temporary file beside
 * it, fsync, rename, fsync of the folder.
 */
export async function writeFileAtomically(fs: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  await replaceThrough(fs, path, bytes, { temporary: `${path}.new`, mode: 'create' });
}

/**
 * As `writeFileAtomically`, through a temporary file of this name; one that is `new` has a mode of its own. What does not
 * lie in memory as it is to be is written by a function.
 */
export async function replaceThrough(
  fs: FileSystem,
  path: string,
  content: Uint8Array | ((file: FileHandle) => Promise<void>),
  { temporary, mode }: { readonly temporary: string; readonly mode: 'create' | 'new' },
): Promise<void> {
  const file = await fs.open(temporary, mode);
  try {
    await (typeof content === 'function' ? content(file) : writeFully(file, content, 0));
    // Whoever could read the earlier file can read the new one.
    if (mode === 'create') await fs.copyMode?.(path, temporary);
    await file.sync();
  } finally {
    await file.close();
  }
  await fs.rename(temporary, path);
  await fs.syncFolder(folderOf(path));
}

/** Renames, links and removals beside `path` that an earlier process made and did not sync become durable. */
export async function settleFolder(fs: FileSystem, path: string): Promise<void> {
  const folder = folderOf(path);
  try {
    await fs.syncFolder(folder);
  } catch (error) {
    // Whoever reads there says it better.
    if (ioCode(error) === 'ENOENT') return;
    throw ioError(error, 'output_unwritable', `cannot sync ${folder}`);
  }
}
