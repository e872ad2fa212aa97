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
  readonly length: number;
}

/** Part of a read that lies in one unit, or (-1) in the image; it goes to `at` of all that is read. */
interface PartRead {
  readonly unit: number;
  readonly offset: number;
  readonly at: number;
  readonly length: number;
}

/** Memory of a part while all are read. */
const PART_BYTES = 28;

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

  /**
   * Performs all reads, which are listed more than once, unit by unit. Their bytes stand one behind the other, and stay
   * taken of the units' memory.
   */
  async readAll(reads: () => Iterable<VirtualRead>, pause?: () => Promise<void>): Promise<Uint8Array> {
    const { memory } = this.#units;
    let bytes = 0;
    let count = 0;
    for (const read of reads()) bytes += read.length;
    for (const _ of this.#partsOf(reads())) count++;
    memory.take(bytes + PART_BYTES * count);
    const into = new Uint8Array(bytes);
    const parts = new PartTable(count, this.#partsOf(reads()));
    for (let i = 0; i < count;) {
      const { unit, offset, at, length } = parts.inOrder(i);
      if (unit < 0) {
        await this.#image.read(offset, into.subarray(at, at + length));
        i++;
        continue;
      }
      await pause?.();
      await this.#units.read(unit, (content) => {
        for (; i < count; i++) {
          const part = parts.inOrder(i);
          if (part.unit !== unit) break;
          into.set(content.subarray(part.offset, part.offset + part.length), part.at);
        }
      });
    }
    memory.take(-PART_BYTES * count);
    return into;
  }

  /** What lies between two pieces are zeros. */
  *#partsOf(reads: Iterable<VirtualRead>): Generator<PartRead> {
    const { pieces, starts } = this.#layout;
    let at = 0;
    for (const { offset, length } of reads) {
      const end = offset + length;
      for (let i = this.#layout.pieceAt(offset); i < pieces.length && starts[i]! < end; i++) {
        const piece = pieces[i]!;
        const from = Math.max(offset, starts[i]!);
        const to = Math.min(end, starts[i]! + piece.length);
        if (from >= to) continue;
        yield {
          ...{ unit: piece.unit, offset: piece.offset + from - starts[i]! },
          ...{ at: at + from - offset, length: to - from },
        };
      }
      at += length;
    }
  }
}

/** Parts in columns, and the order in which they are read: by unit. */
class PartTable {
  /** (unit + 1) · count + index: sorted in place, and of equal units in order. */
  readonly #keys: Float64Array;
  readonly #offset: Float64Array;
  readonly #at: Float64Array;
  readonly #length: Uint32Array;

  constructor(count: number, parts: Iterable<PartRead>) {
    this.#keys = new Float64Array(count);
    this.#offset = new Float64Array(count);
    this.#at = new Float64Array(count);
    this.#length = new Uint32Array(count);
    let i = 0;
    for (const { unit, offset, at, length } of parts) {
      this.#keys[i] = (unit + 1) * count + i;
      this.#offset[i] = offset;
      this.#at[i] = at;
      this.#length[i] = length;
      i++;
    }
    this.#keys.sort();
  }

  inOrder(i: number): PartRead {
    const count = this.#keys.length;
    const key = this.#keys[i]!;
    const index = key % count;
    return {
      ...{ unit: (key - index) / count - 1, offset: this.#offset[index]! },
      ...{ at: this.#at[index]!, length: this.#length[index]! },
    };
  }
}
