/**
 * GRUB's environment block, through `grub-editenv`.
 *
 * The tool empties the file and writes it anew, which a power cut would leave empty. So it is given a copy beside the
 * block, and the copy is synced and renamed over it: the block is as before or as it should be. GRUB finds the new
 * blocks by name at the next boot.
 * @module
 */
import { ioError, orIoError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import {
  readSmallFile,
  settleFolder,
  writeFileAtomically,
  writePlainFile,
  type FileSystem,
} from '../../platform/filesystem.ts';
import type { BootVariables } from './control.ts';
import { runningSlot, type RunningOptions } from './running-slot.ts';
import { readVariables, runTool, type BootTool } from './tool.ts';

export interface GrubOptions {
  readonly fs: FileSystem;
  readonly editenv: BootTool;
  /** The environment block, such as `/boot/grub/grubenv`. */
  readonly blockFile: string;
  readonly running: RunningOptions;
}

/** GRUB's are 1024; other sizes are legal. */
const BLOCK_BYTES_MAX = 64 * 1024;

export class GrubVariables implements BootVariables {
  readonly #options: GrubOptions;

  constructor(options: GrubOptions) {
    this.#options = options;
  }

  /** A block that was just made has none. For a missing one the tool would make one that GRUB never reads. */
  async read(): Promise<Map<string, string>> {
    const { editenv, blockFile } = this.#options;
    const block = new TextDecoder().decode(await this.#block(blockFile));
    const variables = await readVariables(editenv, [blockFile, 'list']);
    // No variables would mean that no slot is bootable: only a block without any may say so.
    if (variables.size > 0 || !/^[A-Za-z0-9_]+=/m.test(block)) return variables;
    throw new UpdateError('boot_unreadable', `'${editenv.argv.join(' ')}' lists nothing of what is in ${blockFile}`);
  }

  async write(values: ReadonlyMap<string, string>): Promise<void> {
    const { fs, editenv, blockFile } = this.#options;
    const copy = `${blockFile}.engraft`;
    const block = await this.#block(blockFile);
    await orIoError(writePlainFile(fs, copy, block), 'boot_unwritable', `cannot write ${copy}`);
    await runTool(editenv, [copy, 'set', ...[...values].map(([name, value]) => `${name}=${value}`)]);
    const edited = await this.#block(copy);
    try {
      await writeFileAtomically(fs, blockFile, edited);
      await fs.unlink(copy);
    } catch (error) {
      throw ioError(error, 'boot_unwritable', `cannot write ${blockFile}`);
    }
  }

  settle(): Promise<void> {
    return settleFolder(this.#options.fs, this.#options.blockFile);
  }

  chosen(): Promise<{ slot: string; bootId: string }> {
    return runningSlot(this.#options.running);
  }

  async #block(path: string): Promise<Uint8Array> {
    const read = readSmallFile(this.#options.fs, path, BLOCK_BYTES_MAX);
    const bytes = await orIoError(read, 'boot_unreadable', `cannot read ${path}`);
    if (bytes !== null && bytes.length > 0) return bytes;
    const message = `${path} is missing or empty: make it with 'grub-editenv ${path} create'`;
    throw new UpdateError('boot_unreadable', message);
  }
}
