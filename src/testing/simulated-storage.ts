/**
 * A device's storage with a volatile cache, for power cuts: files, folders and block devices.
 *
 * Data become durable by a handle's `sync`, names (creating, renaming, linking, removing) by `syncFolder`. What was not
 * synced when the power fails survives by one of four policies:
 *
 * - `none`: nothing. `all`: everything.
 * - `random`: any subset of the sectors written (512 or 4096 bytes), in any order; of the changes of names in one
 *   folder a first part, in order, as a journaling file system does. Names and data are independent: a rename may
 *   survive and the renamed file's data not, and the other way round.
 * - `torn`: everything, except that one write (most often the last one) was written in part.
 * @module
 */
import type { FileHandle, FileStat, FileSystem, OpenMode } from '../platform/filesystem.ts';
import { errnoError } from './errno-error.ts';
import { below } from './seeded-random.ts';
import { SimulatedFile } from './simulated-file.ts';

export type CutPolicy = 'none' | 'all' | 'random' | 'torn';

/** A file's inode, or null for a folder. */
type Entry = SimulatedFile | null;

/** One change of names, atomic: some paths lose their entry, one may get one. */
interface NameChange {
  readonly folder: string;
  readonly gone: string | null;
  readonly path: string | null;
  readonly entry: Entry;
}

const folderOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

const SECTORS = [512, 4096] as const;
/** Shares of the sectors that survive. */
const SURVIVAL = [0.1, 0.5, 0.9, 1] as const;

export class SimulatedStorage implements FileSystem {
  #names = new Map<string, Entry>();
  #durableNames = new Map<string, Entry>();
  #changes: NameChange[] = [];
  /** What `freeBytes` starts from; files count against it. */
  capacityBytes = 2 ** 32;

  /** An independent copy, cache and all. */
  fork(): SimulatedStorage {
    const twin = new SimulatedStorage();
    const twins = new Map<SimulatedFile, SimulatedFile>();
    const copy = (entry: Entry): Entry => {
      if (entry === null) return null;
      const known = twins.get(entry) ?? entry.fork();
      twins.set(entry, known);
      return known;
    };
    for (const [path, entry] of this.#names) twin.#names.set(path, copy(entry));
    for (const [path, entry] of this.#durableNames) twin.#durableNames.set(path, copy(entry));
    twin.#changes = this.#changes.map((change) => ({ ...change, entry: copy(change.entry) }));
    twin.capacityBytes = this.capacityBytes;
    return twin;
  }

  /** Put something durable there, with its folders. For the set-up of a test; no operation of the device. */
  place(path: string, bytes: Uint8Array, kind: 'file' | 'block' = 'file'): void {
    this.placeFolder(folderOf(path));
    const file = new SimulatedFile(kind === 'block', bytes.slice());
    this.#names.set(path, file);
    this.#durableNames.set(path, file);
  }

  /** A durable folder with its parents. */
  placeFolder(path: string): void {
    for (let folder = path; folder !== '/' && folder !== '.'; folder = folderOf(folder)) {
      this.#names.set(folder, null);
      this.#durableNames.set(folder, null);
    }
  }

  /** Take a file, or a folder with all that is inside, away for good. For tests; no operation of the device. */
  remove(path: string): void {
    const inside = (name: string): boolean => name === path || name.startsWith(`${path}/`);
    for (const names of [this.#names, this.#durableNames]) {
      for (const name of [...names.keys()].filter(inside)) names.delete(name);
    }
  }

  /** Files in a folder and below, by path. For tests; no operation of the device. */
  filesIn(folder: string): Map<string, Uint8Array> {
    const found = [...this.#names].filter(([path, file]) => file !== null && path.startsWith(`${folder}/`));
    return new Map(found.map(([path, file]) => [path, file!.content()]));
  }

  /** A file's content, or null; not to be changed. For tests; no operation of the device. */
  peek(path: string): Uint8Array | null {
    return this.#names.get(path)?.content() ?? null;
  }

  /** Is there a file or a folder? */
  holds(path: string): boolean {
    return this.#names.has(path);
  }

  /** What would be there if every unsynced change were lost. */
  durable(path: string): Uint8Array | null {
    return this.#durableNames.get(path)?.durable() ?? null;
  }

  /** Another program's fsync of a file, while the agent is not looking. */
  settle(path: string): void {
    this.#names.get(path)?.sync();
  }

  /** A sync failed: what was written to a block device is not there, and is not read back either. */
  lose(path: string): void {
    this.#names.get(path)?.loseAll();
  }

  /** Unsynced changes of data and names. */
  get pending(): number {
    let sum = this.#changes.length;
    for (const file of this.#files()) sum += file.pending;
    return sum;
  }

  /** The power fails. */
  cut(policy: CutPolicy, random: () => number): void {
    const files = [...this.#files()];
    const sectorBytes = SECTORS[below(random, SECTORS.length)]!;
    const keepNames: (count: number) => number =
      policy === 'none' ? () => 0 : policy === 'random' ? (count) => below(random, count + 1) : (count) => count;
    this.#cutNames(keepNames);
    if (policy === 'torn') tearOne(files, random, sectorBytes);
    const survival = SURVIVAL[below(random, SURVIVAL.length)]!;
    for (const file of files) {
      if (policy === 'none') file.loseAll();
      else if (policy === 'random') file.loseSome(random, sectorBytes, survival);
      else file.sync();
    }
  }

  open(path: string, mode: OpenMode): Promise<FileHandle> {
    let file = this.#names.get(path);
    if (file === null) return Promise.reject(errnoError('EISDIR', `is a folder: ${path}`));
    if (file === undefined) {
      if (mode !== 'create' && mode !== 'new') return Promise.reject(errnoError('ENOENT', `no such file: ${path}`));
      const problem = this.#parentProblem(path);
      if (problem !== null) return Promise.reject(problem);
      file = new SimulatedFile(false);
      this.#change({ folder: folderOf(path), gone: null, path, entry: file });
    } else if (mode === 'new') return Promise.reject(errnoError('EEXIST', `there is ${path}`));
    else if (mode === 'create' && !file.block) file.resize(0);
    return Promise.resolve(handleOf(file, mode !== 'read'));
  }

  async rename(from: string, to: string): Promise<void> {
    const entry = this.#names.get(from);
    if (entry === undefined) throw errnoError('ENOENT', `rename ${from}`);
    if (entry === null || this.#names.get(to) === null) throw errnoError('EISDIR', `rename ${from}`);
    if (folderOf(from) !== folderOf(to)) throw errnoError('EXDEV', `rename ${from} to another folder: not simulated`);
    this.#change({ folder: folderOf(to), gone: from, path: to, entry });
  }

  async link(from: string, to: string): Promise<void> {
    const entry = this.#names.get(from);
    if (!entry) throw errnoError('ENOENT', `link ${from}`);
    if (this.#names.has(to)) throw errnoError('EEXIST', `link ${to}`);
    this.#change({ folder: folderOf(to), gone: null, path: to, entry });
  }

  async unlink(path: string): Promise<void> {
    const entry = this.#names.get(path);
    if (entry === null) throw errnoError('EISDIR', `unlink ${path}`);
    if (entry !== undefined) this.#change({ folder: folderOf(path), gone: path, path: null, entry: null });
  }

  async makeFolder(path: string): Promise<void> {
    const missing: string[] = [];
    for (let folder = path; folder !== '/' && folder !== '.'; folder = folderOf(folder)) {
      const entry = this.#names.get(folder);
      if (entry) throw errnoError('EEXIST', `is a file: ${folder}`);
      if (entry === undefined) missing.unshift(folder);
    }
    for (const folder of missing) this.#change({ folder: folderOf(folder), gone: null, path: folder, entry: null });
  }

  /** File by file, folder by folder, the innermost first. */
  async removeFolder(path: string): Promise<void> {
    const inside = [...this.#names.keys()].filter((name) => name === path || name.startsWith(`${path}/`));
    for (const name of inside.sort().reverse()) {
      this.#change({ folder: folderOf(name), gone: name, path: null, entry: null });
    }
  }

  async list(path: string): Promise<string[]> {
    const found: string[] = [];
    for (const name of this.#names.keys()) if (folderOf(name) === path) found.push(name.slice(path.length + 1));
    return found.sort();
  }

  async stat(path: string): Promise<FileStat | null> {
    const entry = this.#names.get(path);
    if (entry === undefined) return null;
    if (entry === null) return { bytes: 0, kind: 'folder' };
    // As stat does: a block device has no size of its own.
    return entry.block ? { bytes: 0, kind: 'block' } : { bytes: entry.size, kind: 'file' };
  }

  async freeBytes(): Promise<number> {
    let used = 0;
    for (const entry of this.#names.values()) if (entry && !entry.block) used += entry.size;
    return Math.max(0, this.capacityBytes - used);
  }

  async syncFolder(path: string): Promise<void> {
    if (path !== '/' && this.#names.get(path) !== null) throw errnoError('ENOENT', `no such folder: ${path}`);
    const others: NameChange[] = [];
    for (const change of this.#changes) {
      if (change.folder === path) applyChange(this.#durableNames, change);
      else others.push(change);
    }
    this.#changes = others;
  }

  #change(change: NameChange): void {
    applyChange(this.#names, change);
    this.#changes.push(change);
  }

  #parentProblem(path: string): Error | null {
    const folder = folderOf(path);
    if (folder === '/' || this.#names.get(folder) === null) return null;
    return errnoError(this.#names.has(folder) ? 'ENOTDIR' : 'ENOENT', `no such folder: ${folder}`);
  }

  /** In each folder the first changes survive, as many as `keep` says. */
  #cutNames(keep: (count: number) => number): void {
    const byFolder = new Map<string, NameChange[]>();
    for (const change of this.#changes) {
      const known = byFolder.get(change.folder);
      if (known === undefined) byFolder.set(change.folder, [change]);
      else known.push(change);
    }
    for (const changes of byFolder.values()) {
      for (const change of changes.slice(0, keep(changes.length))) applyChange(this.#durableNames, change);
    }
    // What was in a folder that was lost is lost with it. Parents sort before what is in them.
    for (const name of [...this.#durableNames.keys()].sort()) {
      const folder = folderOf(name);
      if (folder !== '/' && this.#durableNames.get(folder) !== null) this.#durableNames.delete(name);
    }
    this.#names = new Map(this.#durableNames);
    this.#changes = [];
  }

  /** Every file that has a name, or had one in what is durable. */
  #files(): Set<SimulatedFile> {
    const files = new Set<SimulatedFile>();
    for (const names of [this.#names, this.#durableNames]) {
      for (const entry of names.values()) if (entry !== null) files.add(entry);
    }
    return files;
  }
}

function applyChange(names: Map<string, Entry>, { gone, path, entry }: NameChange): void {
  if (gone !== null) names.delete(gone);
  if (path !== null) names.set(path, entry);
}

/** One of the unsynced writes was written in part: in two of three cases the last one of its file. */
function tearOne(files: readonly SimulatedFile[], random: () => number, sectorBytes: number): void {
  const dirty = files.filter((file) => file.pendingWrites.length > 0);
  if (dirty.length === 0) return;
  const file = dirty[below(random, dirty.length)]!;
  const writes = file.pendingWrites;
  const torn = random() < 2 / 3 ? writes.at(-1)! : writes[below(random, writes.length)]!;
  file.tear(random, sectorBytes, torn);
}

function handleOf(file: SimulatedFile, writable: boolean): FileHandle {
  const mustWrite = (): void => {
    if (!writable) throw errnoError('EBADF', 'not open for writing');
  };
  return {
    read: async (into, offset) => file.read(into, offset),
    write: async (bytes, offset) => {
      mustWrite();
      const room = file.block ? Math.max(0, Math.min(bytes.length, file.size - offset)) : bytes.length;
      if (room === 0 && bytes.length > 0) throw errnoError('ENOSPC', 'the end of the device');
      file.write(bytes.subarray(0, room), offset);
      return room;
    },
    truncate: async (bytes) => {
      mustWrite();
      if (file.block) throw errnoError('EINVAL', 'a block device cannot be cut');
      file.resize(bytes);
    },
    sync: async () => file.sync(),
    size: async () => file.size,
    close: async () => undefined,
  };
}
