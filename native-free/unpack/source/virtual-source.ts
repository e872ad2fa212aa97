/**
 * The virtual stream of the source: covers name bytes in it, wherever they lie in the image.
 * @module
 */
import type { RandomSource } from '../../io.ts';
import type { VirtualLayout } from '../map/virtual-layout.ts';
import type { UnitCache } from './unit-cache.ts';

export class VirtualSource implements RandomSource {
  readonly size: number;
  readonly #layout: VirtualLayout;
  readonly #units: UnitCache;
  readonly #image: RandomSource;

  constructor(units: UnitCache, image: RandomSource) {
    this.#layout = units.layout;
    this.#units = units;
    this.#image = image;
    this.size = this.#layout.bytes;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    const { pieces, starts } = this.#layout;
    let at = 0;
    for (let i = this.#layout.pieceAt(offset); at < into.length; i++) {
      const from = Math.min(into.length, Math.max(at, (starts[i] ?? Infinity) - offset));
      into.fill(0, at, from); // between two pieces
      at = from;
      const piece = pieces[i];
      if (piece === undefined) break;
      const skipped = offset + at - starts[i]!;
      const length = Math.min(into.length - at, piece.length - skipped);
      if (length <= 0) continue;
      const bytes = into.subarray(at, at + length);
      if (piece.unit < 0) await this.#image.read(piece.offset + skipped, bytes);
      else {
        const { content } = await this.#units.unit(piece.unit);
        bytes.set(content.subarray(piece.offset + skipped, piece.offset + skipped + length));
      }
      at += length;
    }
  }
}
