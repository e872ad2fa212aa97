/**
 * Bytes that are searched for containers, and where they lie: parts of the image and of contents, one behind the other.
 * @module
 */
import { firstWhere } from '../../search.ts';
import type { Span } from './explored.ts';

export class View {
  readonly bytes: Uint8Array;
  readonly spans: readonly Span[];
  /** Where each span begins in `bytes`. */
  readonly #starts: Float64Array;
  readonly #units: ReadonlySet<number>;

  constructor(bytes: Uint8Array, spans: readonly Span[]) {
    this.bytes = bytes;
    this.spans = spans;
    this.#starts = new Float64Array(spans.length);
    this.#units = new Set(spans.map(({ unit }) => unit));
    for (let i = 1; i < spans.length; i++) this.#starts[i] = this.#starts[i - 1]! + spans[i - 1]!.length;
  }

  /** Where bytes [from, to) lie. */
  spansIn(from: number, to: number): Span[] {
    const found: Span[] = [];
    let i = firstWhere(0, this.spans.length, (i) => this.#starts[i]! + this.spans[i]!.length > from);
    for (; i < this.spans.length && this.#starts[i]! < to; i++) {
      const { unit, offset, length } = this.spans[i]!;
      const start = Math.max(from, this.#starts[i]!);
      const end = Math.min(to, this.#starts[i]! + length);
      if (start < end) found.push({ unit, offset: offset + start - this.#starts[i]!, length: end - start });
    }
    return found;
  }

  /** Where byte `offset` of a unit's content or of the image is; null where it is not. */
  offsetOf(unit: number, offset: number): number | null {
    if (!this.#units.has(unit)) return null;
    const i = this.spans.findIndex(
      (span) => span.unit === unit && offset >= span.offset && offset < span.offset + span.length,
    );
    return i < 0 ? null : this.#starts[i]! + offset - this.spans[i]!.offset;
  }
}
