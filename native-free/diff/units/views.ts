/**
 * Bytes that are searched for containers, and where they lie: a file's may be all over the contents of units.
 * @module
 */
import { firstWhere } from '../../search.ts';
import type { Span } from './explored.ts';

/** One span behind the other. */
export class Place {
  readonly spans: readonly Span[];
  /** Where each span begins among the bytes. */
  readonly #starts: Float64Array;
  readonly #units: ReadonlySet<number>;

  constructor(spans: readonly Span[]) {
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

/** All parts one behind the other; no copy where they lie so already. */
export function joined(parts: readonly Uint8Array[], allocate: (bytes: number) => Uint8Array): Uint8Array {
  const first = parts[0]!;
  let length = 0;
  let isOneRun = true;
  for (const part of parts) {
    isOneRun &&= part.buffer === first.buffer && part.byteOffset === first.byteOffset + length;
    length += part.length;
  }
  if (isOneRun) return new Uint8Array(first.buffer, first.byteOffset, length);
  const bytes = allocate(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
