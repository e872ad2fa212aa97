/**
 * What was downloaded and not yet decoded, on the data partition: the header, and one small file per chunk.
 *
 * Nothing here is synced: every file is checked against its digest when it is loaded, so a torn or lost file only
 * costs its own bytes again. That is cheaper than an fsync per chunk on flash, and needs no record of its own.
 * @module
 */
import { codeOfErrno, ioCode } from '../../native-free/errno.ts';
import { ioError } from '../../native-free/io-error.ts';
import type { StatusCode } from '../../native-free/status.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { bytesEqual, digestOf } from '../../native-free/hash.ts';
import type { HashFactory } from '../../native-free/io.ts';
import { readSmallFile, writePlainFile, type FileSystem } from '../platform/filesystem.ts';

const CHUNK_NAME = /^chunk-([0-9]{1,9})$/;

export interface SpoolOptions {
  readonly fs: FileSystem;
  /** Folder of all spools; each payload has its own inside. */
  readonly folder: string;
  /** Lower-case hex SHA-256 of the payload. */
  readonly payloadSha256: string;
  readonly hash: HashFactory;
}

export class Spool {
  readonly #fs: FileSystem;
  readonly #hash: HashFactory;
  readonly #parent: string;
  readonly #folder: string;

  constructor(options: SpoolOptions) {
    this.#fs = options.fs;
    this.#hash = options.hash;
    this.#parent = options.folder;
    this.#folder = `${options.folder}/${options.payloadSha256}`;
  }

  /** Make the folder, and remove the spools of payloads other than this one and those in `keep` (SHA-256, hex). */
  async prepare(keep: readonly string[] = []): Promise<void> {
    await this.#guard('prepare', async () => {
      for (const name of await this.#fs.list(this.#parent)) {
        const path = `${this.#parent}/${name}`;
        if (path !== this.#folder && !keep.includes(name)) await this.#fs.removeFolder(path);
      }
      await this.#fs.makeFolder(this.#folder);
    });
  }

  /** The header, when a whole one with this digest is there. */
  async header(digest: Uint8Array): Promise<Uint8Array | null> {
    return this.#load('header', digest, LIMITS.header_bytes_max);
  }

  async putHeader(bytes: Uint8Array): Promise<void> {
    // A power cut may have taken the folder, whose name nobody synced.
    await this.#guard('prepare', () => this.#fs.makeFolder(this.#folder));
    await this.#put('header', bytes);
  }

  /** The age header of an encrypted payload, as the server gave it: it has no digest, and shows by itself what it is. */
  async ageHeader(): Promise<Uint8Array | null> {
    const path = `${this.#folder}/age-header`;
    const read = readSmallFile(this.#fs, path, LIMITS.age_header_bytes_max);
    // A lost one is asked for again.
    return read.catch(() => null);
  }

  async putAgeHeader(bytes: Uint8Array): Promise<void> {
    await this.#guard('prepare', () => this.#fs.makeFolder(this.#folder));
    await this.#put('age-header', bytes);
  }

  /** Indexes of the chunk files that exist, whole or not. */
  async chunks(): Promise<Set<number>> {
    const names = await this.#guard('list', () => this.#fs.list(this.#folder), 'input_unreadable');
    const found = new Set<number>();
    for (const name of names) {
      const match = CHUNK_NAME.exec(name);
      if (match !== null) found.add(Number(match[1]));
    }
    return found;
  }

  /** A chunk, when a whole one with this digest is there. */
  async chunk(index: number, digest: Uint8Array): Promise<Uint8Array | null> {
    return this.#load(`chunk-${index}`, digest, LIMITS.chunk_bytes);
  }

  async putChunk(index: number, bytes: Uint8Array): Promise<void> {
    await this.#put(`chunk-${index}`, bytes);
  }

  /** Remove chunks that no segment still to be decoded needs. */
  async dropChunks(indexes: Iterable<number>): Promise<void> {
    await this.#guard('clean', async () => {
      for (const index of indexes) await this.#fs.unlink(`${this.#folder}/chunk-${index}`);
    });
  }

  /** Remove every spool. */
  async clear(): Promise<void> {
    await this.#guard('clear', () => this.#fs.removeFolder(this.#parent));
  }

  async #put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#guard(`write ${name} of`, () => writePlainFile(this.#fs, `${this.#folder}/${name}`, bytes));
  }

  async #load(name: string, digest: Uint8Array, bytesMax: number): Promise<Uint8Array | null> {
    const path = `${this.#folder}/${name}`;
    const stat = await this.#guard('look into', () => this.#fs.stat(path), 'input_unreadable');
    if (stat === null || stat.bytes > bytesMax) return null;
    let bytes: Uint8Array | null;
    try {
      bytes = await readSmallFile(this.#fs, path, bytesMax);
    } catch (error) {
      // A file on a bad block is a lost one: it is fetched again, into other blocks.
      if (codeOfErrno(ioCode(error), 'input_unreadable') !== 'storage_failed')
        throw ioError(error, 'input_unreadable', `cannot read ${path} of the spool`, { path });
      await this.#guard(`remove ${name} of`, () => this.#fs.unlink(path));
      return null;
    }
    if (bytes === null || !bytesEqual(digestOf(this.#hash, bytes), digest)) return null;
    return bytes;
  }

  async #guard<T>(verb: string, work: () => Promise<T>, code: StatusCode = 'output_unwritable'): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw ioError(error, code, `cannot ${verb} the spool ${this.#folder}`, { path: this.#folder });
    }
  }
}
