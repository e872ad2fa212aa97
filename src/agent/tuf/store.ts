/**
 * The metadata that were accepted last, as files on the data partition.
 *
 * They save the link what is here already and are what newer ones are compared with. They are not believed for lying
 * here: each is verified again under the present root. The root itself and the versions are in the keystore.
 * @module
 */
import { ioError } from '../../../native-free/io-error.ts';
import type { HashFactory } from '../../../native-free/io.ts';
import { digestOf, toHex } from '../../../native-free/hash.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { readSmallFile, writeFileAtomically, type FileSystem } from '../../platform/filesystem.ts';
import { encodeName } from './fetch.ts';

export interface StoreOptions {
  readonly fs: FileSystem;
  readonly hash: HashFactory;
  readonly folder: string;
}

/** Leaves room for `.json.new` in the 255 bytes of a file's name. */
const NAME_CHARS_MAX = 200;

/** What a role or target is called as a file: where its own name is too long for one, `kind` and its digest. */
export function fileNameOf(name: string, kind: 'role' | 'target', hash: HashFactory): string {
  const encoded = encodeName(name);
  if (encoded.length <= NAME_CHARS_MAX) return encoded;
  return `${kind}-${toHex(digestOf(hash, new TextEncoder().encode(name)))}`;
}

export class MetadataStore {
  readonly #fs: FileSystem;
  readonly #hash: HashFactory;
  readonly #folder: string;
  #isMade = false;

  constructor({ fs, hash, folder }: StoreOptions) {
    this.#fs = fs;
    this.#hash = hash;
    this.#folder = folder;
  }

  /** Null also for a file that cannot be read: it is fetched again, and checked against the counters. */
  async load(role: string): Promise<Uint8Array | null> {
    return readSmallFile(this.#fs, this.#path(role), LIMITS.metadata_bytes_max).catch(() => null);
  }

  /** Durable when it resolves. */
  async save(role: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(role);
    try {
      if (!this.#isMade) await this.#fs.makeFolder(this.#folder);
      this.#isMade = true;
      await writeFileAtomically(this.#fs, path, bytes);
    } catch (error) {
      throw ioError(error, 'output_unwritable', `cannot keep metadata in ${path}`);
    }
  }

  /** Durable when it resolves. */
  async forget(roles: readonly string[]): Promise<void> {
    try {
      if ((await this.#fs.stat(this.#folder)) === null) return;
      for (const role of roles) await this.#fs.unlink(this.#path(role));
      await this.#fs.syncFolder(this.#folder);
    } catch (error) {
      throw ioError(error, 'output_unwritable', `cannot remove metadata from ${this.#folder}`);
    }
  }

  #path(role: string): string {
    return `${this.#folder}/${fileNameOf(role, 'role', this.#hash)}.json`;
  }
}
