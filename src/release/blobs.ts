/**
 * Content-addressed files: `blobs/sha256/<hex>`. Never changed once written, so that any cache and any CDN may hold
 * them, and writing one twice, or from two processes at once, is harmless.
 * @module
 */
import { join } from 'node:path';
import { ioError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { sha256Hex } from './digests.ts';
import { writeAtomically, type RepositoryFiles } from './files.ts';

export class BlobFolder {
  readonly folder: string;
  readonly #files: RepositoryFiles;

  /** @param repository the repository's folder */
  constructor(repository: string, files: RepositoryFiles) {
    this.folder = join(repository, 'blobs', 'sha256');
    this.#files = files;
  }

  /** Where the blob with this digest is, or would be. `sha256`: 64 lower-case hexadecimal digits. */
  path(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new UpdateError('usage_invalid', `'${sha256}' is not a SHA-256 digest`);
    return join(this.folder, sha256);
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
      await this.#files.makeFolder(this.folder);
    } catch (cause) {
      throw ioError(cause, 'output_unwritable', `cannot make ${this.folder}`);
    }
    await writeAtomically(this.#files, this.path(sha256), bytes);
    return sha256;
  }

  /** A blob that is there but damaged (a disk that lied) is written again rather than trusted by its name. */
  async #holds(sha256: string, bytes: number): Promise<boolean> {
    if ((await this.#files.size(this.path(sha256))) !== bytes) return false;
    return sha256Hex(await this.#files.read(this.path(sha256))) === sha256;
  }
}
