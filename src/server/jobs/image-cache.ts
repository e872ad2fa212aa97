/**
 * Images that were read and checked, kept between the jobs that need them: deltas from several sources have one target,
 * and a source is often that of the next release as well.
 * @module
 */
import type { SparseImage } from '../../../native-free/diff/fills/sparse-image.ts';
import { readCheckedImage } from '../../release/checked-image.ts';

export class ImageCache {
  readonly #pathOf: (sha256: string) => string;
  readonly #bytesMax: number;
  /** The one that was asked for least recently stands first. */
  readonly #images = new Map<string, SparseImage>();
  #bytes = 0;

  /** @param bytesMax of what is kept, fills not counted */
  constructor(pathOf: (sha256: string) => string, bytesMax: number) {
    this.#pathOf = pathOf;
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The image with this digest, in shared memory.
   * @throws UpdateError input_unreadable, limit_exceeded, source_digest for a file that is damaged
   */
  read(sha256: string): SparseImage {
    const kept = this.#images.get(sha256);
    if (kept !== undefined) {
      this.#images.delete(sha256);
      this.#images.set(sha256, kept);
      return kept;
    }
    const image = readCheckedImage(this.#pathOf(sha256), sha256);
    this.#keep(sha256, image);
    return image;
  }

  #keep(sha256: string, image: SparseImage): void {
    const bytes = image.dense.length;
    if (bytes > this.#bytesMax) return;
    for (const [oldest, { dense }] of this.#images) {
      if (this.#bytes + bytes <= this.#bytesMax) break;
      this.#images.delete(oldest);
      this.#bytes -= dense.length;
    }
    this.#images.set(sha256, image);
    this.#bytes += bytes;
  }
}
