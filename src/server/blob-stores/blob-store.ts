/**
 * Where blobs are kept: a folder of one machine, or an object store that many share. A blob is named by its SHA-256 and
 * never changes.
 * @module
 */
import type { ByteRange } from '../ranges.ts';

/** A blob that is there. */
export interface StoredBlob {
  readonly size: number;
  /** Bytes from `first` to `last`, both included, in pieces; fails where there are fewer. Pieces are at most that long. */
  read(range: ByteRange, pieceBytes: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** What is to be kept. `read` gives exactly the bytes asked for. */
export interface BlobSource {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface BlobStore {
  /** Null when there is none. `sha256`: 64 lower-case hexadecimal digits. Throws UpdateError store_failed, input_unreadable. */
  open(sha256: string): Promise<StoredBlob | null>;
  /**
   * Keeps a blob; nothing is done where one of its size is.
   * @throws UpdateError metadata_mismatch for bytes of another digest, store_failed, disk_full, output_unwritable
   */
  put(sha256: string, source: BlobSource): Promise<void>;
  /** Where a client may fetch the blob by itself for a while; null where it cannot. */
  link(sha256: string): Promise<string | null>;
}
