/**
 * Type information of Linux kernels and their modules (BTF: "BPF Type Format", Documentation/bpf/btf.rst): words, and
 * then the strings that these name by their offset. Told apart, the words can be understood as distances.
 * @module
 */
import { REGION_KIND, type RegionKind } from '../../format/regions.ts';
import { Fields } from './fields.ts';

const HEADER_BYTES = 24;
const TYPES_BYTES_MIN = 1024;

interface Btf {
  /** From the start of the header: where strings begin, and where they end. */
  readonly strings: number;
  readonly end: number;
}

/** Type information whose header is at `at`, or null. */
export function readBtf(image: Uint8Array, at: number): Btf | null {
  if (image[at] !== 0x9f || image[at + 1] !== 0xeb || image[at + 2] !== 1) return null;
  const fields = new Fields(image, true);
  const [header, typesAt, typesBytes, stringsAt, stringsBytes] = [4, 8, 12, 16, 20].map((field) =>
    fields.u32(at + field),
  );
  const strings = header! + stringsAt!;
  const end = strings + stringsBytes!;
  const isSound = header === HEADER_BYTES && typesAt === 0 && typesBytes! <= stringsAt! && stringsBytes! > 0;
  if (!isSound || at + end > image.length || image[at + end - 1] !== 0) return null;
  return { strings, end };
}

/** A stretch of the image of one kind. */
export interface Stretch {
  readonly kind: RegionKind;
  readonly offset: number;
  readonly length: number;
  readonly name: string;
}

/** `stretches`, which are in order, with the first type information that stands in the image apart from the rest. */
export function carveBtf(image: Uint8Array, stretches: readonly Stretch[], kind: RegionKind): readonly Stretch[] {
  for (let at = 0; at + HEADER_BYTES < image.length; at += 4) {
    const btf = image[at] === 0x9f ? readBtf(image, at) : null;
    if (btf === null || btf.strings < TYPES_BYTES_MIN) continue;
    const end = at + btf.end;
    return [
      ...stretches.flatMap((stretch) => clipped(stretch, 0, at)),
      { kind, offset: at, length: btf.strings, name: '.BTF' },
      { kind: REGION_KIND.raw, offset: at + btf.strings, length: btf.end - btf.strings, name: '.BTF strings' },
      ...stretches.flatMap((stretch) => clipped(stretch, end, image.length)),
    ];
  }
  return stretches;
}

function clipped(stretch: Stretch, start: number, end: number): Stretch[] {
  const first = Math.max(start, stretch.offset);
  const length = Math.min(end, stretch.offset + stretch.length) - first;
  return length > 0 ? [{ ...stretch, offset: first, length }] : [];
}
