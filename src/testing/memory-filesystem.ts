/**
 * A file system in memory that knows the difference between written and durable.
 *
 * Contents become durable by `sync`, names by `syncFolder`. `crash` throws away what was not durable, or keeps it all:
 * real storage may do either. Folders are durable when made (a simplification: the agent makes them once).
 * @module
 */
import { UNNAMED } from '../../native-free/errno.ts';
import type { FileHandle, FileStat, FileSystem, OpenMode } from '../platform/filesystem.ts';

const folderOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

class Inode {
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  durable: Uint8Array = new Uint8Array(0);

  reserve(length: number): void {
    if (length <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(length, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  content(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** An error as node:fs throws them, also where Node has no name for it. */
export function errnoError(code: string, what: string): Error {
  const unnamed = Object.keys(UNNAMED).find((number) => UNNAMED[Number(number)]?.[0] === code);
  if (unnamed !== undefined) {
    const said = `Unknown system error -${unnamed}`;
    return Object.assign(new Error(`${said}: ${said}, ${what}`), { code: said, errno: -Number(unnamed) });
  }
  return Object.assign(new Error(`${code}: ${what}`), { code });
}

export class MemoryFileSystem implements FileSystem {
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  readonly #folders = new Set<string>(['/']);
  /** What `freeBytes` starts from; files count against it. */
  capacityBytes = 2 ** 40;

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    let inode = this.#names.get(path);
    if (inode === undefined) {
      if (mode !== 'create' && mode !== 'new') throw errnoError('ENOENT', `no such file: ${path}`);
      if (!this.#folders.has(folderOf(path))) throw errnoError('ENOENT', `no such folder: ${folderOf(path)}`);
      inode = new Inode();
      this.#names.set(path, inode);
    } else if (mode === 'new') throw errnoError('EEXIST', `there is ${path}`);
    else if (mode === 'create') inode.length = 0;
    return this.#handle(inode, mode !== 'read');
  }

  async rename(from: string, to: string): Promise<void> {
    const inode = this.#names.get(from);
    if (inode === undefined) throw errnoError('ENOENT', `rename ${from}`);
    this.#names.delete(from);
    this.#names.set(to, inode);
  }

  async link(from: string, to: string): Promise<void> {
    const inode = this.#names.get(from);
    if (inode === undefined) throw errnoError('ENOENT', `link ${from}`);
    if (this.#names.has(to)) throw errnoError('EEXIST', `link ${to}`);
    this.#names.set(to, inode);
  }

  async unlink(path: string): Promise<void> {
    this.#names.delete(path);
  }

  async makeFolder(path: string): Promise<void> {
    for (let folder = path; folder !== '/' && folder !== '.'; folder = folderOf(folder)) this.#folders.add(folder);
  }

  async removeFolder(path: string): Promise<void> {
    for (const name of [...this.#names.keys()]) if (name.startsWith(`${path}/`)) this.#names.delete(name);
    for (const name of [...this.#folders]) if (name === path || name.startsWith(`${path}/`)) this.#folders.delete(name);
  }

  async list(path: string): Promise<string[]> {
    const found = new Set<string>();
    for (const name of [...this.#names.keys(), ...this.#folders]) {
      if (name.startsWith(`${path}/`)) found.add(name.slice(path.length + 1).split('/')[0]!);
    }
    return [...found].sort();
  }

  async stat(path: string): Promise<FileStat | null> {
    const inode = this.#names.get(path);
    if (inode !== undefined) return { bytes: inode.length, kind: 'file' };
    return this.#folders.has(path) ? { bytes: 0, kind: 'folder' } : null;
  }

  async freeBytes(): Promise<number> {
    let used = 0;
    for (const inode of this.#names.values()) used += inode.length;
    return Math.max(0, this.capacityBytes - used);
  }

  async syncFolder(path: string): Promise<void> {
    for (const name of [...this.#durableNames.keys()]) {
      if (folderOf(name) === path && !this.#names.has(name)) this.#durableNames.delete(name);
    }
    for (const [name, inode] of this.#names) if (folderOf(name) === path) this.#durableNames.set(name, inode);
  }

  /** The power was cut: unsynced writes and names are all `kept` or all `lost`. */
  crash(unsynced: 'kept' | 'lost'): void {
    if (unsynced === 'kept') return;
    this.#names = new Map(this.#durableNames);
    for (const inode of this.#names.values()) {
      inode.bytes = inode.durable.slice();
      inode.length = inode.durable.length;
    }
  }

  /** A file's content, or null. For tests; no operation of the device. */
  peek(path: string): Uint8Array | null {
    return this.#names.get(path)?.content() ?? null;
  }

  /** Put a durable file there. For tests; no operation of the device. */
  place(path: string, bytes: Uint8Array): void {
    for (let folder = folderOf(path); folder !== '/' && folder !== '.'; folder = folderOf(folder)) {
      this.#folders.add(folder);
    }
    const inode = new Inode();
    inode.bytes = bytes.slice();
    inode.length = bytes.length;
    inode.durable = bytes.slice();
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  #handle(inode: Inode, writable: boolean): FileHandle {
    const mustWrite = (): void => {
      if (!writable) throw errnoError('EBADF', 'not open for writing');
    };
    return {
      read: async (into, offset) => {
        const count = Math.max(0, Math.min(into.length, inode.length - offset));
        into.set(inode.bytes.subarray(offset, offset + count));
        return count;
      },
      write: async (bytes, offset) => {
        mustWrite();
        inode.reserve(offset + bytes.length);
        if (offset > inode.length) inode.bytes.fill(0, inode.length, offset);
        inode.bytes.set(bytes, offset);
        inode.length = Math.max(inode.length, offset + bytes.length);
        return bytes.length;
      },
      truncate: async (bytes) => {
        mustWrite();
        inode.reserve(bytes);
        if (bytes > inode.length) inode.bytes.fill(0, inode.length, bytes);
        inode.length = bytes;
      },
      sync: async () => {
        inode.durable = inode.content();
      },
      size: async () => inode.length,
      close: async () => undefined,
    };
  }
}
