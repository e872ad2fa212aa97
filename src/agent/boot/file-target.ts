/**
 * A device without a second slot: one file, replaced by write-temp + fsync + rename, through the same machine.
 *
 * The file's content is "slot" A or B in turn. The running one is at `path`; the other one is written to
 * `path.staged`. Arming links `path` to `path.previous-<running>` and renames the staged file over `path`: at no
 * moment is there no file. Committing writes the new name into the state file and removes the previous file; rolling
 * back renames the previous file over `path`. Which slot is running follows from which of these files exist.
 * @module
 */
import { ioError } from '../../../native-free/io-error.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError, type StatusCode } from '../../../native-free/status.ts';
import {
  folderOf,
  readSmallFile,
  settleFolder,
  writeFileAtomically,
  type FileSystem,
} from '../../platform/filesystem.ts';
import type { BootControl, BootState } from './control.ts';
import { formatVariables, parseVariables } from './file.ts';
import { cutFile, openSink, openSource, type OpenSink, type OpenSource, type SlotSet } from '../slots/slots.ts';

export interface FileTargetOptions {
  readonly fs: FileSystem;
  /** The file that is updated. */
  readonly path: string;
  /** Where it is kept which of A and B is committed. */
  readonly stateFile: string;
}

const other = (slot: string): string => (slot === 'A' ? 'B' : 'A');

export class FileTarget implements BootControl, SlotSet {
  readonly slots: readonly string[] = ['A', 'B'];
  readonly needsReboot = false;
  readonly triesMax = 1;
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #stateFile: string;

  constructor(options: FileTargetOptions) {
    this.#fs = options.fs;
    this.#path = options.path;
    this.#stateFile = options.stateFile;
  }

  get #staged(): string {
    return `${this.#path}.staged`;
  }

  #previous(slot: string): string {
    return `${this.#path}.previous-${slot}`;
  }

  async read(): Promise<BootState> {
    const committed = await this.#committed();
    const armed = (await this.#exists(this.#previous(committed))) && !(await this.#exists(this.#staged));
    const running = armed ? other(committed) : committed;
    return {
      running,
      bootId: 'none',
      order: [running, other(running)],
      // A file that was switched to has used its one try up, until it is confirmed.
      tries: { [running]: armed ? 0 : this.triesMax, [other(running)]: armed ? this.triesMax : 0 },
    };
  }

  async settle(): Promise<void> {
    for (const path of [this.#path, this.#stateFile]) await settleFolder(this.#fs, path);
  }

  /** Nothing chooses the staged file before it is renamed. */
  async markUnbootable(slot: string): Promise<void> {
    const { running } = await this.read();
    if (running === slot) throw new UpdateError('slot_active', `${this.#path} is in use: it is not written in place`);
    if (await this.#exists(this.#staged)) return;
    await this.#guard(async () => {
      const file = await this.#fs.open(this.#staged, 'create');
      await file.close();
      await this.#fs.copyMode?.(this.#path, this.#staged);
      // Segments are synced into this file: its name must be durable before the first of them counts.
      await this.#fs.syncFolder(folderOf(this.#path));
    });
  }

  async arm(slot: string): Promise<void> {
    const { running } = await this.read();
    if (running === slot) return;
    await this.#guard(async () => {
      const previous = this.#previous(running);
      // One left over from long ago would make the next commit look armed.
      await this.#fs.unlink(this.#previous(slot));
      if (!(await this.#exists(previous))) await this.#fs.link(this.#path, previous);
      await this.#fs.syncFolder(folderOf(this.#path));
      await this.#fs.rename(this.#staged, this.#path);
      await this.#fs.syncFolder(folderOf(this.#path));
    });
  }

  async markGood(slot: string): Promise<void> {
    await this.#guard(async () => {
      if ((await this.#committed()) !== slot) await this.#commit(slot);
      await this.#fs.unlink(this.#previous(other(slot)));
      await this.#fs.syncFolder(folderOf(this.#path));
    });
  }

  async rollBack(from: string, to: string): Promise<void> {
    await this.#guard(async () => {
      const { running } = await this.read();
      if (running === from) await this.#fs.rename(this.#previous(to), this.#path);
      else await this.#fs.unlink(this.#previous(to));
      await this.#fs.unlink(this.#staged);
      await this.#fs.syncFolder(folderOf(this.#path));
    });
  }

  pathOf(slot: string, running: string): string {
    return slot === running ? this.#path : this.#staged;
  }

  async check(slot: string): Promise<void> {
    const { running } = await this.read();
    if (slot !== running || (await this.#exists(this.#path))) return;
    throw new UpdateError('slot_missing', `${this.#path} does not exist`, { detail: { path: this.#path } });
  }

  async growthBytes(_slot: string, imageBytes: number): Promise<number> {
    const stat = await this.#guard(() => this.#fs.stat(this.#staged), 'boot_unreadable');
    return Math.max(0, imageBytes - (stat?.bytes ?? 0));
  }

  async source(slot: string): Promise<OpenSource> {
    const { running } = await this.read();
    return openSource(this.#fs, this.pathOf(slot, running), slot);
  }

  async sink(slot: string, running: string): Promise<OpenSink> {
    if (slot === running) throw new UpdateError('slot_active', `${this.#path} is not written in place`);
    return openSink(this.#fs, this.#staged, slot);
  }

  async finish(slot: string, running: string, imageBytes: number): Promise<void> {
    if (slot !== running) await cutFile(this.#fs, this.#staged, imageBytes);
  }

  /**
   * The earlier file says it, where there is one: it was committed, and the state file is in the data folder, which may
   * be lost or another one's. Only without it the state file is asked, and then A and B are no more than names.
   */
  async #committed(): Promise<string> {
    const kept = [];
    for (const slot of this.slots) if (await this.#exists(this.#previous(slot))) kept.push(slot);
    if (kept.length === 1) return kept[0]!;
    const read = (): Promise<Uint8Array | null> => readSmallFile(this.#fs, this.#stateFile, LIMITS.record_bytes_max);
    const bytes = await this.#guard(read, 'boot_unreadable', `cannot read ${this.#stateFile}`);
    if (bytes === null) return 'A';
    return parseVariables(new TextDecoder().decode(bytes)).get('COMMITTED') === 'B' ? 'B' : 'A';
  }

  async #commit(slot: string): Promise<void> {
    const text = formatVariables(new Map([['COMMITTED', slot]]));
    await writeFileAtomically(this.#fs, this.#stateFile, new TextEncoder().encode(text));
  }

  async #exists(path: string): Promise<boolean> {
    return (await this.#guard(() => this.#fs.stat(path), 'boot_unreadable', `cannot look at ${path}`)) !== null;
  }

  async #guard<T>(
    work: () => Promise<T>,
    code: StatusCode = 'boot_unwritable',
    what = `cannot switch ${this.#path}`,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw ioError(error, code, what, { path: this.#path });
    }
  }
}
