/**
 * Branch filter of IA-64: bundles of 16 bytes with three instructions of 41 bits.
 *
 * After section 5.3.2 of the xz file format 1.1.0 and the definition of liblzma 5.4 (Pavlov, Collin).
 * @module
 */
import { moved, type BranchFilter } from './words.ts';

const BUNDLE_BYTES = 16;
const TEMPLATE_BITS = 5;
const SLOT_BITS = 41;
/** By the bundle's template: the slots that may hold a branch, as bits. */
const BRANCH_SLOTS = Uint8Array.of(
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[4, 4, 6, 6, 0, 0, 7, 7, 4, 4, 0, 0, 4, 4, 0, 0],
);
const BR_CALL = 5;

/** br.call, relative: a sign of one bit and 20 bits of bundles. */
export const ia64Filter: BranchFilter = (bytes, position, encode) => {
  for (let at = 0; at + BUNDLE_BYTES <= bytes.length; at += BUNDLE_BYTES) {
    const slots = BRANCH_SLOTS[bytes[at]! & 31]!;
    if (slots === 0) continue;
    for (let slot = 0; slot < 3; slot++) {
      if (((slots >> slot) & 1) === 0) continue;
      const first = TEMPLATE_BITS + SLOT_BITS * slot;
      if (field(bytes, at, first + 37, 4) !== BR_CALL || field(bytes, at, first + 9, 3) !== 0) continue;
      const bundles = field(bytes, at, first + 13, 20) | (field(bytes, at, first + 36, 1) << 20);
      const target = moved(bundles << 4, position + at, encode) >>> 4;
      setField(bytes, at, first + 13, 20, target & 0xfffff);
      setField(bytes, at, first + 36, 1, (target >>> 20) & 1);
    }
  }
};

/** `count` bits, at most 20, from the bit `first` of a bundle on. */
function field(bytes: Uint8Array, bundle: number, first: number, count: number): number {
  let value = 0;
  for (let byte = first >> 3, shift = 0; byte <= (first + count - 1) >> 3; byte++, shift += 8)
    value |= bytes[bundle + byte]! << shift;
  return (value >>> (first & 7)) & ((1 << count) - 1);
}

function setField(bytes: Uint8Array, bundle: number, first: number, count: number, value: number): void {
  const mask = ((1 << count) - 1) << (first & 7);
  const bits = value << (first & 7);
  for (let byte = first >> 3, shift = 0; byte <= (first + count - 1) >> 3; byte++, shift += 8)
    bytes[bundle + byte] = (bytes[bundle + byte]! & ~(mask >>> shift)) | (bits >>> shift);
}
