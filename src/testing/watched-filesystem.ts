/**
 * A file system that reports every call before it happens, so that a test can count it, fail it, shorten it or cut the
 * power in it.
 * @module
 */
import type { FileHandle, FileSystem, OpenMode } from '../platform/filesystem.ts';
import { errnoError } from './errno-error.ts';
import type { Power } from './power.ts';

export interface FileCall {
  readonly name: keyof FileSystem | keyof FileHandle;
  readonly path: string;
  /** Of reads and writes. */
  readonly offset?: number;
  readonly bytes?: number;
  /** Of `open`. */
  readonly mode?: OpenMode;
}

/** May throw (the call fails), or return how many bytes a write may take at most. */
export type FileWatcher = (call: FileCall) => number | void;

function watchHandle(file: FileHandle, path: string, watch: FileWatcher): FileHandle {
  return {
    read: async (into, offset) => {
      watch({ name: 'read', path, offset, bytes: into.length });
      return file.read(into, offset);
    },
    write: async (bytes, offset) => {
      const most = watch({ name: 'write', path, offset, bytes: bytes.length });
      return file.write(typeof most === 'number' ? bytes.subarray(0, Math.max(1, most)) : bytes, offset);
    },
    truncate: async (bytes) => {
      watch({ name: 'truncate', path, bytes });
      return file.truncate(bytes);
    },
    sync: async () => {
      watch({ name: 'sync', path });
      return file.sync();
    },
    size: () => file.size(),
    // Closing frees memory and is no operation on storage.
    close: () => file.close(),
  };
}

export function watchFileSystem(fs: FileSystem, watch: FileWatcher): FileSystem {
  const one = <T>(name: keyof FileSystem, path: string, work: () => Promise<T>, mode?: OpenMode): Promise<T> => {
    try {
      watch(mode === undefined ? { name, path } : { name, path, mode });
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return work();
  };
  return {
    open: (path: string, mode: OpenMode) =>
      one('open', path, async () => watchHandle(await fs.open(path, mode), path, watch), mode),
    rename: (from, to) => one('rename', to, () => fs.rename(from, to)),
    link: (from, to) => one('link', to, () => fs.link(from, to)),
    unlink: (path) => one('unlink', path, () => fs.unlink(path)),
    makeFolder: (path) => one('makeFolder', path, () => fs.makeFolder(path)),
    removeFolder: (path) => one('removeFolder', path, () => fs.removeFolder(path)),
    list: (path) => one('list', path, () => fs.list(path)),
    stat: (path) => one('stat', path, () => fs.stat(path)),
    freeBytes: (path) => one('freeBytes', path, () => fs.freeBytes(path)),
    syncFolder: (path) => one('syncFolder', path, () => fs.syncFolder(path)),
  };
}

/** Every call uses power. */
export function poweredFileSystem(fs: FileSystem, power: Power): FileSystem {
  return watchFileSystem(fs, ({ name, path }) => power.use(`${name} ${path}`));
}

/** Which calls fail, and how. Counted from 1 over the calls that `matches`. */
export interface FileFault {
  readonly matches?: (call: FileCall) => boolean;
  readonly at: number;
  readonly code: 'EIO' | 'ENOSPC' | 'EROFS' | 'EMFILE' | 'EACCES' | 'EDQUOT' | 'ENFILE' | 'EUCLEAN';
  /** From `at` on every matching call fails; default only that one. */
  readonly forEver?: boolean;
}

/** A watcher that fails calls; `count()` tells how many matched. */
export function faultyWatcher({ matches, at, code, forEver = false }: FileFault): FileWatcher & { count(): number } {
  let count = 0;
  const watch: FileWatcher = (call) => {
    if (matches !== undefined && !matches(call)) return;
    count++;
    if (count === at || (forEver && count > at)) throw errnoError(code, `injected into ${call.name} of ${call.path}`);
  };
  return Object.assign(watch, { count: () => count });
}
