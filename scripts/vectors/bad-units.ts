/**
 * Vectors of images with compressed streams that are refused: maps that contradict themselves, headers that do not fit them,
 * tokens that nobody would choose.
 * @module
 */
import { assembleDelta, type DeltaParts } from '../../native-free/diff/write/assemble.ts';
import { concat } from '../../native-free/format/bytes.ts';
import { parseHeader } from '../../native-free/format/payload-header.ts';
import { CODEC_ID, type Unit, type UnitMap, type VirtualPiece } from '../../native-free/format/unit-map.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { MixCoder } from '../../native-free/model/mix-coder.ts';
import { NumberCoder } from '../../native-free/model/number-coder.ts';
import type { StatusCode } from '../../native-free/status.ts';
import { VirtualLayout } from '../../native-free/unpack/map/virtual-layout.ts';
import type { BadVector } from './bad.ts';
import { noise } from './bytes.ts';
import { mapBytesOf, UNIT_SIZES, unitDeltaParts, type UnitImage, type UnitVectorImages } from './units.ts';

const BASE = 'units-zlib';
/** What a map may need that nobody can read. */
const PLENTY = { memoryBytes: 500_000, work: 2 ** 22 };

/** All of them; `payloads` are the good vectors' by name. */
export async function badUnitVectors(
  images: readonly UnitVectorImages[],
  payloads: ReadonlyMap<string, Uint8Array>,
): Promise<BadVector[]> {
  const base = images.find(({ name }) => name === BASE)!;
  const copying = images.find(({ name }) => name === 'units-copy')!;
  const parts = await unitDeltaParts(base);
  return [
    ...headers(payloads.get(BASE)!, payloads.get('units-copy')!),
    ...maps(base, parts),
    ...continued(images.find(({ name }) => name === 'units-parts')!),
    ...needs(parts),
    ...segments(base, parts),
    ...(await withoutBorder(copying)),
  ];
}

function payload(parts: DeltaParts): string {
  return Buffer.from(assembleDelta(parts)).toString('base64');
}

/** Where a field is behind so many varints, and the bytes of the table sizes and of the profile. */
function placeOf(bytes: Uint8Array, varints: number): number {
  let at = 16;
  for (let i = 0; i < varints; i++) {
    if (i === 5) at += 2;
    while (bytes[at]! >= 128) at++;
    at++;
  }
  return at + (varints === 5 ? 2 : 0);
}

/** Fields of the header, whose numbers are memory, sizes of target, source and plan, work, and then those of units. */
function headers(one: Uint8Array, two: Uint8Array): BadVector[] {
  const bad = (name: string, base: string, at: number, value: number, error: StatusCode): BadVector => ({
    ...{ name, base, edits: [[at, value]], error },
  });
  const { planBytes } = parseHeader(one);
  const [map, count] = [placeOf(one, 5), placeOf(one, 8)];
  const [first, firstCoded] = [placeOf(two, 9), placeOf(two, 10)];
  return [
    bad('unit maps larger than the plan section', BASE, map, planBytes + 1, 'payload_malformed'),
    bad('unit maps one byte shorter', BASE, map, one[map]! - 1, 'plan_malformed'),
    bad('virtual source of another size', BASE, placeOf(one, 6), one[placeOf(one, 6)]! ^ 1, 'plan_malformed'),
    bad('virtual target of another size', BASE, placeOf(one, 7), one[placeOf(one, 7)]! ^ 1, 'plan_malformed'),
    bad('no segment for a target with units', BASE, count, 0, 'payload_malformed'),
    bad('more segments than the header has room for', BASE, count, 127, 'payload_malformed'),
    bad('segments that do not add up to the target', 'units-copy', first, two[first]! ^ 1, 'payload_malformed'),
    bad('segment with units coded larger than it is', 'units-copy', firstCoded, 255, 'payload_malformed'),
    bad('codec of images without units', BASE, 10, 3, 'payload_malformed'),
  ];
}

const unit = (fields: Partial<Unit>): Unit => ({
  ...{ parent: -1, offset: 0, packedBytes: 8, contentBytes: 16, codec: CODEC_ID.zlib, continues: false, copyOf: -1 },
  ...fields,
});
const piece = (of: number, offset: number, length: number, zeros = 0): VirtualPiece => ({
  ...{ unit: of, offset, length, joined: false, zeros },
});

/** What the header has to say for a map that can be laid out, so that it is refused for nothing else; else anything. */
function virtualBytesOf(map: UnitMap, { image }: UnitImage): number {
  try {
    return new VirtualLayout(map, image.length).bytes;
  } catch {
    return 0;
  }
}

/** Maps in place of those of `base`. */
function maps(base: UnitVectorImages, parts: DeltaParts): BadVector[] {
  const { source, target } = base;
  const planBytes = parts.plan.subarray(parts.units!.mapBytes);
  const made = (name: string, map: Uint8Array, targetBytes = parts.units!.targetBytes): BadVector => {
    const more = { planNeeds: PLENTY, units: { ...parts.units!, mapBytes: map.length, targetBytes } };
    const payloadBase64 = payload({ ...parts, plan: concat([map, planBytes]), ...more });
    return { name, base: BASE, payloadBase64, error: 'plan_malformed' };
  };
  const of = (name: string, map: UnitMap): BadVector =>
    made(name, mapBytesOf({ source, target: map }), virtualBytesOf(map, target));
  const units = (name: string, ...list: Unit[]): BadVector => of(name, { skips: [], units: list, pieces: [] });
  const pieces = (name: string, ...list: VirtualPiece[]): BadVector =>
    of(name, { skips: [], units: target.units, pieces: list });
  const skips = (name: string, ...list: [number, number][]): BadVector =>
    of(name, { ...target, skips: list.map(([offset, length]) => ({ offset, length })) });
  const changed = (fields: Partial<Unit>): UnitMap => ({
    skips: [],
    units: target.units.map((one) => ({ ...one, ...fields })),
    pieces: target.pieces,
  });
  const { contentBytes } = target.units[0]!;
  return [
    units('unit in itself', unit({ parent: 0 })),
    units('units in each other', unit({ parent: 1 }), unit({ parent: 0 })),
    units('units out of order', unit({}), unit({ parent: 0 }), unit({ offset: 20 })),
    units('units four deep', ...[-1, 0, 1, 2].map((parent) => unit({ parent, contentBytes: 64 }))),
    units('unit outside of the image', unit({ offset: target.image.length - 7 })),
    units('unit outside of its parent', unit({}), unit({ parent: 0, offset: 9 })),
    made(
      'unit of more content than one may have',
      numbersOf((numbers) => {
        numbers.code(0, 13);
        numbers.code(1, 0);
        writePlace(numbers, CODEC_ID.zlib);
        numbers.code(8, 4, CODEC_ID.zlib);
        numbers.flag(false, 2, CODEC_ID.zlib);
        numbers.code(LIMITS.unit_content_bytes_max + 1, 5, CODEC_ID.zlib);
      }),
    ),
    units(
      'units of more content than an image',
      ...Array.from({ length: 129 }, (_, i) =>
        unit({ offset: 5 * i, packedBytes: 5, contentBytes: LIMITS.unit_content_bytes_max }),
      ),
    ),
    made(
      'copy of a unit that is not there',
      numbersOf((numbers) => {
        for (const kind of [13, 0, 7]) numbers.code(0, kind);
        writeCopy(numbers, CODEC_ID.zlib);
      }),
    ),
    made(
      'copy of a unit of another codec',
      numbersOf((numbers) => {
        numbers.code(0, 13);
        numbers.code(1, 0);
        writePlace(numbers, CODEC_ID.zlib);
        numbers.code(8, 4, CODEC_ID.zlib);
        numbers.flag(true, 2, CODEC_ID.zlib);
        numbers.code(0, 7);
        writeCopy(numbers, CODEC_ID.lz4);
      }),
    ),
    of('unit of an unknown codec', changed({ codec: 9 })),
    made(
      'more units than there may be',
      numbersOf((numbers) => {
        numbers.code(0, 13);
        numbers.code(LIMITS.units_max + 1, 0);
      }),
    ),
    made(
      'more skips than there may be',
      numbersOf((numbers) => void numbers.code(LIMITS.unit_skips_max + 1, 13)),
    ),
    made(
      'more pieces than there may be',
      numbersOf((numbers) => {
        for (const kind of [13, 0]) numbers.code(0, kind);
        numbers.code(LIMITS.unit_pieces_max + 1, 7);
      }),
    ),
    made(
      'piece found in no known way',
      numbersOf((numbers) => {
        for (const kind of [13, 0]) numbers.code(0, kind);
        numbers.code(1, 7);
        numbers.code(5, 8);
      }),
    ),
    made(
      'piece of a unit that is not there',
      numbersOf((numbers) => {
        for (const kind of [13, 0]) numbers.code(0, kind);
        numbers.code(1, 7);
        numbers.code(0, 8);
      }),
    ),
    pieces('piece outside of its unit', ...target.pieces, piece(0, contentBytes - 3, 4)),
    made(
      'piece before the image',
      numbersOf((numbers) => {
        for (const kind of [13, 0, 7, 13, 0]) numbers.code(0, kind);
        numbers.code(1, 7);
        numbers.code(3, 8);
        numbers.signed(-4, 10, 3);
      }),
    ),
    skips('skip of nothing', [8, 0]),
    skips('skips that touch', [8, 4], [12, 4]),
    skips('skips that are too close', [0, 4], [4 + 1023, 4]),
    skips('skip over the end of the image', [target.image.length - 3, 4]),
    skips('skip far behind the image', [2 ** 50, 4]),
    skips('skip that leaves a unit no room', [0, target.image.length - 60]),
    skips('skip that moves a unit', [4, 4]),
    pieces('zeros over all bounds', piece(-1, 0, 8, 2 ** 40)),
    pieces('byte that is made twice', ...target.pieces, piece(0, 8, 8)),
    pieces('byte that is made by nothing', ...target.pieces.slice(0, -1)),
    pieces('byte of a unit that is a piece of the image', piece(-1, 0, target.image.length)),
    made('noise for unit maps', noise(60, 71)),
  ];
}

/** A unit that continues what is not known. */
function continued({ source, target, name }: UnitVectorImages): BadVector[] {
  const [first, second] = target.units as [Unit, Unit];
  const spanned = { offset: 0, length: target.image.length };
  const made = (about: string, map: UnitMap): BadVector => {
    const bytes = mapBytesOf({ source, target: map });
    const sizes = { sourceBytes: virtualBytesOf(source, source), targetBytes: virtualBytesOf(map, target) };
    const parts: DeltaParts = {
      ...{ sourceBytes: source.image.length, sourceDigest: new Uint8Array(32), targetBytes: spanned.length },
      ...{ targetDigest: new Uint8Array(32), segmentBytes: 2 ** 24, segments: [noise(9, 72)] },
      ...{
        segmentDigests: [new Uint8Array(32)],
        plan: bytes,
        modelSizes: UNIT_SIZES,
        planNeeds: PLENTY,
        segmentWork: 0,
      },
      units: { ...sizes, mapBytes: bytes.length, spans: [spanned], memoryBytes: 0 },
    };
    return { name: about, base: name, payloadBase64: payload(parts), error: 'plan_malformed' };
  };
  const { pieces } = target;
  return [
    made('unit that continues less than 32 KiB', {
      skips: [],
      units: [{ ...first, contentBytes: 32_767 }, second],
      pieces: [piece(0, 0, 32_767), pieces[1]!],
    }),
  ];
}

function numbersOf(write: (numbers: NumberCoder) => void): Uint8Array {
  const coder = new MixCoder(true, UNIT_SIZES);
  coder.start(null);
  write(new NumberCoder(coder));
  return coder.finish();
}

/** The first unit of a map: at the beginning of the image. */
function writePlace(numbers: NumberCoder, codec: number): void {
  numbers.flag(true, 0);
  numbers.code(codec, 3);
  numbers.code(0, 2, codec);
}

/** A target's map of one unit, that is a copy of the source's first. */
function writeCopy(numbers: NumberCoder, codec: number): void {
  numbers.code(0, 13);
  numbers.code(1, 0);
  writePlace(numbers, codec);
  numbers.flag(true, 3, codec);
  numbers.signed(0, 6);
}

/** Less declared than it takes. */
function needs(parts: DeltaParts): BadVector[] {
  const made = (name: string, error: StatusCode, more: Partial<DeltaParts>): BadVector => ({
    ...{ name, base: BASE, error },
    payloadBase64: payload({ ...parts, ...more }),
  });
  return [
    made('units that take more memory than is declared', 'segment_digest', {
      units: { ...parts.units!, memoryBytes: 4096 },
    }),
    made('unit maps that take more memory than is declared', 'plan_malformed', {
      planNeeds: { ...parts.planNeeds, memoryBytes: 0 },
      units: { ...parts.units!, memoryBytes: 0 },
    }),
    made('units that take more work than is declared', 'payload_work', {
      planNeeds: { ...PLENTY, work: 0 },
      segmentWork: 0,
    }),
  ];
}

/** Segments that decode to what cannot be packed, or is something else. */
function segments({ target, source }: UnitVectorImages, parts: DeltaParts): BadVector[] {
  const ample = { planNeeds: PLENTY, segmentWork: 2 ** 24 };
  const made = (name: string, segment: Uint8Array): BadVector => ({
    ...{ name, base: BASE, error: 'segment_digest' },
    payloadBase64: payload({ ...parts, ...ample, segments: [segment] }),
  });
  const edited = (at: number): BadVector['sourceEdits'] => [[at, source.image[at]! ^ 0x55]];
  const { offset, packedBytes } = source.units[0]!;
  return [
    made('noise for a segment with units', noise(60, 73)),
    { ...made('number of 53 bits in a segment', new Uint8Array(0)), error: 'segment_digest' },
    made(
      'segment whose tokens are others',
      parts.segments[0]!.map((byte, i, { length }) => (i === length - 2 ? byte ^ 1 : byte)),
    ),
    {
      name: 'another stream in the source',
      base: BASE,
      sourceEdits: edited(offset + (packedBytes >> 1)),
      error: 'segment_digest',
    },
    { name: 'no stream in the source', base: BASE, sourceEdits: edited(offset), error: 'segment_digest' },
    {
      name: 'another checksum in the source',
      base: BASE,
      sourceEdits: edited(offset + packedBytes - 1),
      error: 'segment_digest',
    },
    {
      name: 'another byte behind the stream of the source',
      base: BASE,
      sourceEdits: edited(target.image.length - 9),
      error: 'segment_digest',
    },
  ];
}

/** A segment that ends within a unit. */
async function withoutBorder(images: UnitVectorImages): Promise<BadVector[]> {
  const parts = await unitDeltaParts(images);
  const spans = parts.units!.spans.map(({ offset, length }, i) =>
    i === 0 ? { offset, length: length - 10 } : { offset: offset - 10, length: length + 10 },
  );
  const payloadBase64 = payload({ ...parts, units: { ...parts.units!, spans } });
  return [{ name: 'segment that ends within a unit', base: images.name, payloadBase64, error: 'plan_malformed' }];
}
