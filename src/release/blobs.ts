/**
 * Content-addressed files: `blobs/sha256/<hex>`. Never changed once written, so that any cache and any CDN may hold
 * them, and writing one twice, or from two processes at once, is harmless.
 * @module
 */
import { ioError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { readFile, type FileSystem } from '../platform/filesystem.ts';
import { sha256Hex } from '../platform/hash.ts';
import { writeAtomically } from './files.ts';
import type { RepositoryLayout } from './layout.ts';

export class BlobFolder {
  readonly #layout: RepositoryLayout;
  readonly #files: FileSystem;

  constructor(layout: RepositoryLayout, files: FileSystem) {
    this.#layout = layout;
    this.#files = files;
  }

  /** Where the blob with this digest is, or would be. `sha256`: 64 lower-case hexadecimal digits. */
  path(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new UpdateError('usage_invalid', `'${sha256}' is not a SHA-256 digest`);
    return this.#layout.blob(sha256);
  }

  /**
   * Stores bytes under their digest.
   * @returns the digest, in hexadecimal
   * @throws UpdateError output_unwritable, disk_full
   */
  async add(bytes: Uint8Array): Promise<string> {
    const sha256 = sha256Hex(bytes);
    if (await this.#holds(sha256, bytes.length)) return sha256;
    try {
      await this.#files.makeFolder(this.#layout.blobs);
    } catch (cause) {
      throw ioError(cause, 'output_unwritable', `cannot make ${this.#layout.blobs}`);
    }
    await writeAtomically(this.#files, this.path(sha256), bytes);
    return sha256;
  }

  /** A blob that is there but damaged (a disk that lied) is written again rather than trusted by its name. */
  async #holds(sha256: string, bytes: number): Promise<boolean> {
    if ((await this.#files.stat(this.path(sha256)))?.bytes !== bytes) return false;
    return sha256Hex(await readFile(this.#files, this.path(sha256))) === sha256;
  }
}
