/**
 * The virtual stream of the source: covers name bytes in it, wherever they lie in the image.
 * @module
 */
import type { RandomSource } from '../../io.ts';
import type { VirtualLayout } from '../map/virtual-layout.ts';
import type { UnitCache } from './unit-cache.ts';

/** Bytes that are wanted from `offset` of the virtual stream. */
export interface VirtualRead {
  readonly offset: number;
  readonly into: Uint8Array;
}

/** Part of a read that lies in one unit, or (-1) in the image. */
interface PartRead {
  readonly unit: number;
  readonly offset: number;
  readonly into: Uint8Array;
}

export class VirtualSource {
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

  /** Performs all reads, unit by unit. `into` is zeros before. */
  async readAll(reads: readonly VirtualRead[], pause?: () => Promise<void>): Promise<void> {
    const parts = reads.flatMap((read) => this.#partsOf(read));
    parts.sort((a, b) => a.unit - b.unit);
    for (let at = 0; at < parts.length;) {
      const { unit, offset, into } = parts[at]!;
      const first = at++;
      if (unit < 0) {
        await this.#image.read(offset, into);
        continue;
      }
      while (parts[at]?.unit === unit) at++;
      await pause?.();
      await this.#units.read(unit, (content) => {
        for (const part of parts.slice(first, at))
          part.into.set(content.subarray(part.offset, part.offset + part.into.length));
      });
    }
  }

  /** What lies between two pieces are zeros. */
  #partsOf({ offset, into }: VirtualRead): PartRead[] {
    const { pieces, starts } = this.#layout;
    const end = offset + into.length;
    const parts: PartRead[] = [];
    for (let i = this.#layout.pieceAt(offset); i < pieces.length && starts[i]! < end; i++) {
      const piece = pieces[i]!;
      const from = Math.max(offset, starts[i]!);
      const to = Math.min(end, starts[i]! + piece.length);
      if (from >= to) continue;
      const own = into.subarray(from - offset, to - offset);
      parts.push({ unit: piece.unit, offset: piece.offset + from - starts[i]!, into: own });
    }
    return parts;
  }
}
