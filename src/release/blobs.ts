/**
 * Content-addressed files: `blobs/sha256/<hex>`. Never changed once written, so that any cache and any CDN may hold
 * them, and writing one twice, or from two processes at once, is harmless.
 * @module
 */
import { join } from 'node:path';
import {
  digestOfImage,
  sparseImage,
  type ImageLike,
  type SparseImage,
} from '../../native-free/diff/fills/sparse-image.ts';
import { fillPieces, imageRuns } from '../../native-free/format/fill-map.ts';
import { toHex } from '../../native-free/hash.ts';
import { ioError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { readFully, writeFully, type FileHandle, type FileSystem } from '../platform/filesystem.ts';
import { hashSource, sha256Node } from '../platform/hash.ts';
import { writeAtomically } from './files.ts';

export class BlobFolder {
  readonly #folder: string;
  readonly #files: FileSystem;
  readonly #mode: number | undefined;

  /** @param mode of the folder, where it is made */
  constructor(folder: string, files: FileSystem, mode?: number) {
    this.#folder = folder;
    this.#mode = mode;
    this.#files = files;
  }

  /** Where the blob with this digest is, or would be. `sha256`: 64 lower-case hexadecimal digits. */
  path(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new UpdateError('usage_invalid', `'${sha256}' is not a SHA-256 digest`);
    return join(this.#folder, sha256);
  }

  /**
   * Stores an image or other bytes under their digest.
   * @returns the digest, in hexadecimal
   * @throws UpdateError output_unwritable, disk_full
   */
  async add(content: ImageLike): Promise<string> {
    const image = sparseImage(content, 'content');
    const sha256 = toHex(digestOfImage(sha256Node, image));
    if (await this.#holds(sha256, image.map.imageBytes)) return sha256;
    try {
      await this.#files.makeFolder(this.#folder, this.#mode);
    } catch (cause) {
      throw ioError(cause, 'output_unwritable', `cannot make ${this.#folder}`);
    }
    await writeAtomically(this.#files, this.path(sha256), (file) => writeImage(file, image));
    return sha256;
  }

  /**
   * Takes over a file that lies on the same file system and was checked to have this digest. The file is gone then.
   * @throws UpdateError output_unwritable, disk_full
   */
  async adopt(path: string, sha256: string, bytes: number): Promise<void> {
    try {
      if (await this.#holds(sha256, bytes)) return await this.#files.unlink(path);
      await this.#files.makeFolder(this.#folder, this.#mode);
      await this.#files.rename(path, this.path(sha256));
      await this.#files.syncFolder(this.#folder);
    } catch (cause) {
      throw ioError(cause, 'output_unwritable', `cannot take ${path} among the blobs`);
    }
  }

  /** A blob that is there but damaged (a disk that lied) is written again rather than trusted by its name. */
  async #holds(sha256: string, bytes: number): Promise<boolean> {
    if ((await this.#files.stat(this.path(sha256)))?.bytes !== bytes) return false;
    const file = await this.#files.open(this.path(sha256), 'read');
    try {
      const source = {
        size: bytes,
        read: async (at: number, into: Uint8Array) => void (await readFully(file, into, at)),
      };
      return toHex(await hashSource(source)) === sha256;
    } finally {
      await file.close();
    }
  }
}

/** Zeros in fills become holes. */
async function writeImage(file: FileHandle, { map, dense }: SparseImage): Promise<void> {
  for (const { offset, length, dense: at, value } of imageRuns(map, 0, map.denseBytes)) {
    if (at !== null) await writeFully(file, dense.subarray(at, at + length), offset);
    else if (value === 0) await file.truncate(offset + length);
    else await writePieces(file, offset, fillPieces({ length, value }));
  }
}

async function writePieces(file: FileHandle, offset: number, pieces: Iterable<Uint8Array>): Promise<void> {
  let at = offset;
  for (const piece of pieces) {
    await writeFully(file, piece, at);
    at += piece.length;
  }
}
