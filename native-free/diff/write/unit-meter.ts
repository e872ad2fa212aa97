/**
 * What each unit of a segment costs, to find those that are better left as they are. Told by the bytes that the coder has
 * written: on a unit's own account a few bytes wrong, all together right.
 * @module
 */
import type { ModelCoder } from '../../model/model-coder.ts';
import type { VirtualLayout } from '../../unpack/map/virtual-layout.ts';

/** Bytes by unit; units that cost something, in no order. */
export interface UnitCosts {
  readonly units: Uint32Array;
  readonly bytes: Float64Array;
}

export class UnitMeter {
  readonly #coder: ModelCoder;
  readonly #layout: VirtualLayout;
  readonly #bytes = new Map<number, number>();
  #written = 0;

  /** Begins where the coder's stream does. */
  constructor(coder: ModelCoder, layout: VirtualLayout) {
    this.#coder = coder;
    this.#layout = layout;
  }

  get costs(): UnitCosts {
    return { units: Uint32Array.from(this.#bytes.keys()), bytes: Float64Array.from(this.#bytes.values()) };
  }

  /** Bytes [offset, offset + length) of the virtual stream were coded: shared out to the units that have them. */
  content(offset: number, length: number): void {
    const spent = this.#spent();
    if (spent === 0) return;
    const { pieces, starts } = this.#layout;
    const end = offset + length;
    for (let i = this.#layout.pieceAt(offset); i < pieces.length && starts[i]! < end; i++) {
      const bytes = Math.min(end, starts[i]! + pieces[i]!.length) - Math.max(offset, starts[i]!);
      this.#add(pieces[i]!.unit, (spent * bytes) / length);
    }
  }

  /** The tokens and params of a unit were coded. */
  unit(index: number): void {
    this.#add(index, this.#spent());
  }

  #spent(): number {
    const spent = this.#coder.written - this.#written;
    this.#written += spent;
    return spent;
  }

  #add(unit: number, bytes: number): void {
    if (unit >= 0 && bytes > 0) this.#bytes.set(unit, (this.#bytes.get(unit) ?? 0) + bytes);
  }
}
