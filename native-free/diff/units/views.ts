/**
 * Bytes that are searched for containers, and where they lie: a file's may be all over the contents of units.
 * @module
 */
import type { Span } from './explored.ts';

/** One span behind the other. */
export interface Place {
  readonly spans: readonly Span[];
}

/** Where bytes [from, to) lie. */
export function spansIn({ spans }: Place, from: number, to: number): Span[] {
  const found: Span[] = [];
  let at = 0;
  for (const { unit, offset, length } of spans) {
    const start = Math.max(from, at);
    const end = Math.min(to, at + length);
    if (start < end) found.push({ unit, offset: offset + start - at, length: end - start });
    at += length;
    if (at >= to) break;
  }
  return found;
}

/** Which byte is the one at `offset` of a unit's content or of the image; null where it is not there. */
export function placeIn({ spans }: Place, unit: number, offset: number): number | null {
  let at = 0;
  for (const span of spans) {
    if (span.unit === unit && offset >= span.offset && offset < span.offset + span.length)
      return at + offset - span.offset;
    at += span.length;
  }
  return null;
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
