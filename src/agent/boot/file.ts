/**
 * Boot control in a file: `NAME=value` lines replaced atomically, for boot loaders that read files, for containers,
 * and for every test. The boot loader says in a second file which slot it chose (`slot=B`) and which boot this is
 * (`boot_id=...`); the agent never writes that one.
 * @module
 */
import { orIoError } from '../../../native-free/io-error.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { readSmallFile, settleFolder, writeFileAtomically, type FileSystem } from '../../platform/filesystem.ts';
import type { BootVariables } from './control.ts';

export interface FileBootOptions {
  readonly fs: FileSystem;
  readonly stateFile: string;
  readonly choiceFile: string;
}

/** `NAME=value` lines; blank lines and those beginning with # are skipped. */
export function parseVariables(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0 && !line.startsWith('#')) variables.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return variables;
}

export function formatVariables(variables: ReadonlyMap<string, string>): string {
  return [...variables].map(([name, value]) => `${name}=${value}\n`).join('');
}

export class FileBootVariables implements BootVariables {
  readonly #options: FileBootOptions;

  constructor(options: FileBootOptions) {
    this.#options = options;
  }

  async read(): Promise<Map<string, string>> {
    return parseVariables(await this.#text(this.#options.stateFile));
  }

  async write(values: ReadonlyMap<string, string>): Promise<void> {
    const { fs, stateFile } = this.#options;
    const variables = new Map([...(await this.read()), ...values]);
    const bytes = new TextEncoder().encode(formatVariables(variables));
    await orIoError(writeFileAtomically(fs, stateFile, bytes), 'boot_unwritable', `cannot write ${stateFile}`);
  }

  settle(): Promise<void> {
    return settleFolder(this.#options.fs, this.#options.stateFile);
  }

  async chosen(): Promise<{ slot: string; bootId: string }> {
    const { choiceFile } = this.#options;
    const choice = parseVariables(await this.#text(choiceFile));
    const slot = choice.get('slot');
    const bootId = choice.get('boot_id');
    if (slot === undefined || bootId === undefined) {
      throw new UpdateError('boot_unreadable', `${choiceFile} does not name a slot and a boot_id`);
    }
    return { slot, bootId };
  }

  async #text(path: string): Promise<string> {
    const read = readSmallFile(this.#options.fs, path, LIMITS.record_bytes_max);
    const bytes = await orIoError(read, 'boot_unreadable', `cannot read ${path}`);
    if (bytes === null) throw new UpdateError('boot_unreadable', `${path} does not exist`, { detail: { path } });
    return new TextDecoder().decode(bytes);
  }
}
