/**
 * Blobs in a repository's folder.
 * @module
 */
import { open, type FileHandle } from 'node:fs/promises';
import { ioCode } from '../../../native-free/errno.ts';
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { nodeFileSystem } from '../../platform/node-filesystem.ts';
import { writeFully } from '../../platform/filesystem.ts';
import { writeAtomically } from '../../release/files.ts';
import { RepositoryLayout } from '../../release/layout.ts';
import type { ByteRange } from '../ranges.ts';
import type { BlobSource, BlobStore, StoredBlob } from './blob-store.ts';
import { checkedSource, PART_BYTES } from './source.ts';

export class FolderBlobs implements BlobStore {
  readonly #layout: RepositoryLayout;

  /** @param repo the repository's folder */
  constructor(repo: string) {
    this.#layout = new RepositoryLayout(repo);
  }

  async open(sha256: string): Promise<StoredBlob | null> {
    try {
      const file = await open(this.#layout.blob(sha256), 'r');
      const { size } = await file.stat();
      return { size, read: (range, pieceBytes) => piecesOf(file, range, pieceBytes), close: () => file.close() };
    } catch (cause) {
      if (ioCode(cause) === 'ENOENT') return null;
      throw ioError(cause, 'input_unreadable', `cannot open blob ${sha256}`);
    }
  }

  async put(sha256: string, source: BlobSource): Promise<void> {
    const path = this.#layout.blob(sha256);
    if ((await nodeFileSystem.stat(path))?.bytes === source.size) return;
    await checkedSource(sha256, source);
    await nodeFileSystem.makeFolder(this.#layout.blobs);
    await writeAtomically(nodeFileSystem, path, async (file) => {
      for (let at = 0; at < source.size; at += PART_BYTES) {
        await writeFully(file, await source.read(at, Math.min(PART_BYTES, source.size - at)), at);
      }
    });
  }

  async link(): Promise<null> {
    return null;
  }
}

async function* piecesOf(file: FileHandle, range: ByteRange, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = range.first; at <= range.last;) {
    const piece = new Uint8Array(Math.min(pieceBytes, range.last + 1 - at));
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    // The length is promised already; an early end must break the connection, not look like one.
    if (bytesRead === 0) throw new UpdateError('input_unreadable', 'a blob became shorter while it was sent');
    yield piece.subarray(0, bytesRead);
    at += bytesRead;
  }
}
