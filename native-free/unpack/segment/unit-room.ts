/**
 * Memory of the units of a segment while they are made, one behind the other: an encoder, which makes none, counts as a
 * decoder does.
 * @module
 */
import { HISTORY_BYTES } from '../../format/unit-map.ts';
import { codecOf } from '../codecs/list.ts';
import type { VirtualLayout } from '../map/virtual-layout.ts';
import type { UnitMemory } from '../source/unit-memory.ts';
import { TOKEN_BYTES } from '../tokens.ts';
import type { SegmentParts } from './parts.ts';
import type { UnitChoices } from './unit-replay.ts';

export class UnitRoom {
  readonly #memory: UnitMemory;
  readonly #layout: VirtualLayout;
  readonly #parts: SegmentParts;
  /** The segment's content, as long as it is there. */
  #contentBytes: number;

  /** Takes room for the segment's content. */
  constructor(memory: UnitMemory, layout: VirtualLayout, parts: SegmentParts) {
    this.#memory = memory;
    this.#layout = layout;
    this.#parts = parts;
    this.#contentBytes = parts.contentBytes;
    memory.take(parts.contentBytes);
  }

  /** A copy is read: it is in the image at once, or waits for the unit that it lies in. */
  copy(index: number): void {
    const { packedBytes, parent } = this.#layout.units[index]!;
    this.#memory.take(packedBytes);
    if (parent < 0) this.#memory.take(-packedBytes);
  }

  /** Content of a unit, and what stood before it, are put together. */
  begin(index: number): void {
    this.#memory.take(this.#ownBytes(index));
  }

  /** They are: the units in it are not needed any more, and, if it is the last, nor is the segment's content. */
  gathered(index: number): void {
    const { first, end } = this.#layout.unitsIn(index);
    for (let child = first; child < end; child++) this.#memory.take(-this.#layout.units[child]!.packedBytes);
    if (this.isLast(index)) this.#release();
  }

  isLast(index: number): boolean {
    return index === this.#parts.units.at(-1);
  }

  /** Its tokens are there: it is packed, which takes as much once more until the bytes are in one piece. */
  packs(index: number, { tokens, params }: UnitChoices): void {
    const { codec, packedBytes, contentBytes, parent } = this.#layout.units[index]!;
    const { isFiltered, headOf } = codecOf(codec);
    const passing = packedBytes + (isFiltered(headOf(params)) ? contentBytes : 0);
    this.#memory.take(packedBytes + passing);
    this.#memory.take(-(passing + TOKEN_BYTES * tokens.count + this.#ownBytes(index)));
    if (parent < 0) this.#memory.take(-packedBytes);
  }

  /** All units are made. */
  end(): void {
    this.#release();
  }

  #release(): void {
    this.#memory.take(-this.#contentBytes);
    this.#contentBytes = 0;
  }

  #ownBytes(index: number): number {
    const { contentBytes, continues } = this.#layout.units[index]!;
    return contentBytes + (continues ? HISTORY_BYTES : 0);
  }
}
