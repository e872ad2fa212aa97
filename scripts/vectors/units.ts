/**
 * Vectors of images with compressed streams: each codec, streams in parts and in streams, copies, files of several pieces.
 * @module
 */
import { assembleDelta, type DeltaParts } from '../../native-free/diff/write/assemble.ts';
import { encodeUnitSegment } from '../../native-free/diff/write/encode-unit-segment.ts';
import { unitImages, unitPayloadParts, type UnpackedPair } from '../../native-free/diff/units/unpack-pair.ts';
import { concat } from '../../native-free/format/bytes.ts';
import { coverListOf, type Cover } from '../../native-free/format/cover.ts';
import type { ModelSizes } from '../../native-free/format/model-sizes.ts';
import type { SegmentSpan } from '../../native-free/format/payload-header.ts';
import { CODEC_ID, type Skip, type Unit, type VirtualPiece } from '../../native-free/format/unit-map.ts';
import { MixCoder, referenceModels } from '../../native-free/model/mix-coder.ts';
import type { ModelCoderFactory } from '../../native-free/model/model-coder.ts';
import { decodePlan, encodePlan, needsOf } from '../../native-free/model/plan-coder.ts';
import { MapCoder, type UnitMaps } from '../../native-free/unpack/map/map-coder.ts';
import { Skips } from '../../native-free/unpack/map/skips.ts';
import { VirtualLayout } from '../../native-free/unpack/map/virtual-layout.ts';
import { gzipTrailer } from '../../native-free/unpack/deflate/wrappers.ts';
import { join, noise, prose, repeated, text } from './bytes.ts';
import { sha256 } from './payloads.ts';
import { deflated, lz4ed, lzmaed, lzoed, microLzmaed, xzed, zlibbed, zstded } from './streams.ts';

/** A stream, and what is in it. */
interface Stream {
  readonly codec: number;
  readonly packed: Uint8Array;
  readonly content: Uint8Array;
  /** Streams in its content: where they begin. */
  readonly inner?: readonly (Stream & { readonly at: number })[];
  readonly continues?: boolean;
  /** Index in the source's map. */
  readonly copyOf?: number;
}

/** An image of a vector: units by parent and offset, pieces in the order of the virtual stream. */
export interface UnitImage {
  readonly image: Uint8Array;
  readonly skips: readonly Skip[];
  readonly units: readonly Unit[];
  readonly contents: readonly Uint8Array[];
  readonly pieces: readonly VirtualPiece[];
}

export interface UnitVectorImages {
  readonly name: string;
  readonly about: string;
  readonly source: UnitImage;
  readonly target: UnitImage;
  /** Where segments of the target end, besides at its end. */
  readonly ends: readonly number[];
  /** Default: UNIT_SIZES. */
  readonly sizes?: ModelSizes;
}

export const UNIT_SIZES: ModelSizes = { flagBits: 12, byteBits: 14 };
const SEGMENT_BYTES = 2 ** 24;

/** Streams and bytes between them, one behind the other, and laid out like that. */
function imageOf(...parts: readonly (Stream | Uint8Array)[]): UnitImage {
  const image = concat(parts.map((part) => (part instanceof Uint8Array ? part : part.packed)));
  const units: Unit[] = [];
  const streams: Stream[] = [];
  const add = (stream: Stream, parent: number, offset: number): void => {
    const { codec, packed, content, continues = false, copyOf = -1 } = stream;
    units.push({ parent, offset, packedBytes: packed.length, contentBytes: content.length, codec, continues, copyOf });
    streams.push(stream);
  };
  let at = 0;
  for (const part of parts) {
    if (!(part instanceof Uint8Array)) add(part, -1, at);
    at += part instanceof Uint8Array ? part.length : part.packed.length;
  }
  for (let i = 0; i < streams.length; i++) for (const inner of streams[i]!.inner ?? []) add(inner, i, inner.at);
  const contents = streams.map(({ content }) => content);
  return { image, skips: [], units, contents, pieces: piecesBetween(units, image.length, []) };
}

/** The image with bytes put into it that its units skip: each behind so many of its own. */
function cutBy(
  laid: UnitImage,
  ...skipped: readonly { readonly behind: number; readonly bytes: Uint8Array }[]
): UnitImage {
  const { units, contents } = laid;
  const parts: Uint8Array[] = [];
  const skips: Skip[] = [];
  let [at, passed] = [0, 0];
  for (const { behind, bytes } of skipped) {
    parts.push(laid.image.subarray(at, behind), bytes);
    skips.push({ offset: behind + passed, length: bytes.length });
    passed += bytes.length;
    at = behind;
  }
  const image = concat([...parts, laid.image.subarray(at)]);
  return { image, skips, units, contents, pieces: piecesBetween(units, image.length, skips) };
}

/** All that no unit has, of the image and then of each content. */
function piecesBetween(units: readonly Unit[], imageBytes: number, skips: readonly Skip[]): VirtualPiece[] {
  const places = new Skips(skips);
  const pieces: VirtualPiece[] = [];
  for (let unit = -1; unit < units.length; unit++) {
    if (unit >= 0 && units[unit]!.copyOf >= 0) continue;
    const children = units
      .filter(({ parent }) => parent === unit)
      .flatMap(({ offset, packedBytes }) =>
        unit < 0 ? [...places.parts(offset, packedBytes)] : [{ from: offset, to: offset + packedBytes }],
      );
    const ends = [...children.map(({ from }) => from), unit < 0 ? imageBytes : units[unit]!.contentBytes];
    ends.forEach((end, i) => {
      const before = children[i - 1];
      const offset = before?.to ?? 0;
      const joined = offset === 0 && (units[unit]?.continues ?? false);
      if (end > offset) pieces.push({ unit, offset, length: end - offset, joined, zeros: 0 });
    });
  }
  return pieces;
}

function virtualOf({ image, skips, units, contents, pieces }: UnitImage): Uint8Array {
  const layout = new VirtualLayout({ skips, units, pieces }, image.length);
  const bytes = new Uint8Array(layout.bytes);
  pieces.forEach(({ unit, offset, length }, i) => {
    const from = unit < 0 ? image : contents[unit]!;
    bytes.set(from.subarray(offset, offset + length), layout.starts[i]);
  });
  return bytes;
}

const SEED = 12;

/** Equal bytes, found by the first place in the source that has the next twelve. */
function coversOf(source: Uint8Array, target: Uint8Array): Cover[] {
  const places = new Map<string, number>();
  const keyAt = (bytes: Uint8Array, at: number): string => bytes.subarray(at, at + SEED).join();
  for (let at = source.length - SEED; at >= 0; at--) places.set(keyAt(source, at), at);
  const covers: Cover[] = [];
  for (let at = 0; at + SEED <= target.length;) {
    const last = covers.at(-1);
    // What goes on behind a change of a few bytes belongs to the same place.
    const straight = last === undefined ? 0 : last.sourceOffset - last.targetOffset + at;
    const isStraight = keyAt(source, straight) === keyAt(target, at);
    const sourceOffset = isStraight ? straight : (places.get(keyAt(target, at)) ?? -1);
    let length = 0;
    while (sourceOffset >= 0 && at + length < target.length && source[sourceOffset + length] === target[at + length])
      length++;
    if (length > 0) covers.push({ sourceOffset, targetOffset: at, length });
    at += Math.max(1, length);
  }
  return covers;
}

function spansOf(target: Uint8Array, ends: readonly number[]): SegmentSpan[] {
  const borders = [0, ...ends, target.length];
  return ends.concat(target.length).map((end, i) => ({ offset: borders[i]!, length: end - borders[i]! }));
}

/** The parts of a delta, so that bad vectors can be made of bad parts. */
export async function unitDeltaParts(
  { source, target, ends, sizes = UNIT_SIZES }: UnitVectorImages,
  models: ModelCoderFactory = referenceModels,
): Promise<DeltaParts> {
  const virtual = { source: virtualOf(source), target: virtualOf(target) };
  const maps = { source, target };
  const pair: UnpackedPair = { maps, virtual, parts: { source: [], target: [] }, origins: [] };
  const images = { source: source.image, target: target.image };
  const lengths = { sourceBytes: virtual.source.length, targetBytes: virtual.target.length };
  const covers = coverListOf(coversOf(virtual.source, virtual.target));
  const bytes = encodePlan(covers, undefined, lengths, undefined, sizes);
  const decoder = models(false, sizes);
  const plan = decodePlan(bytes, lengths, undefined, decoder);
  const finished = {
    ...{ plan, bytes, modelSizes: sizes, needs: needsOf(plan, decoder), segmentBytes: SEGMENT_BYTES },
    costs: { covers: 0, regions: 0 },
  };
  const all = unitImages(images, pair);
  const spans = spansOf(images.target, ends);
  const segments = [];
  for (const { offset, length } of spans)
    segments.push(await encodeUnitSegment(all, finished, { start: offset, end: offset + length }, { models }));
  return {
    ...{ sourceBytes: images.source.length, sourceDigest: sha256(images.source) },
    ...{ targetBytes: images.target.length, targetDigest: sha256(images.target), modelSizes: sizes },
    segmentDigests: spans.map(({ offset, length }) => sha256(images.target.subarray(offset, offset + length))),
    ...unitPayloadParts(pair, finished, spans, segments),
  };
}

export async function unitPayloadOf(images: UnitVectorImages, models?: ModelCoderFactory): Promise<Uint8Array> {
  return assembleDelta(await unitDeltaParts(images, models));
}

/** Maps as they stand in a plan section; nothing of them is checked. */
export function mapBytesOf(maps: UnitMaps): Uint8Array {
  const coder = new MixCoder(true, UNIT_SIZES);
  coder.start(null);
  new MapCoder(coder).code(maps);
  return coder.finish();
}

const OLD = prose(2600, 61);
const NEW = join(
  OLD.subarray(0, 900),
  text('Three words more stand here. '),
  OLD.subarray(900, 2000),
  OLD.subarray(2090),
);
const HEAD = text('an image with a stream: ');
const TAIL = text(' and this is where it ends.\n');

/** `pack` of two versions of a text between bytes that are none of it. */
function pairOf(
  name: string,
  codec: number,
  pack: (content: Uint8Array, version: number) => Uint8Array,
  about = 'one stream, its content changed',
): UnitVectorImages {
  const [source, target] = [OLD, NEW].map((content, version) =>
    imageOf(HEAD, { codec, packed: pack(content, version), content }, TAIL),
  ) as [UnitImage, UnitImage];
  return { name, about, source, target, ends: [] };
}

const X86 = join(...Array.from({ length: 40 }, (_, i) => Uint8Array.of(0xe8, i * 5, i & 3, 0, 0, 0x90, 0x48, 0x89, i)));

function eachCodec(): UnitVectorImages[] {
  const code = (content: Uint8Array): Uint8Array => join(content, X86);
  const both = (version: number): readonly number[] =>
    version === 0 ? [OLD.length + X86.length] : [1200, NEW.length - 1200 + X86.length];
  const xz = pairOf('units-xz', CODEC_ID.xz, (content) => content, 'a branch filter; one block becomes two');
  const xzImage = (content: Uint8Array, version: number): UnitImage =>
    imageOf(
      HEAD,
      { codec: CODEC_ID.xz, packed: xzed(code(content), both(version), true), content: code(content) },
      TAIL,
    );
  return [
    pairOf('units-zlib', CODEC_ID.zlib, (content, version) =>
      zlibbed(content, version === 0 ? [0x78, 0x9c] : [0x78, 0xda]),
    ),
    pairOf(
      'units-deflate-blocks',
      CODEC_ID.deflate,
      (content, version) => deflated(content, 700, version === 1),
      'blocks of all types',
    ),
    { ...xz, source: xzImage(OLD, 0), target: xzImage(NEW, 1) },
    pairOf('units-lzma', CODEC_ID.lzma, lzmaed),
    pairOf('units-lz4', CODEC_ID.lz4, lz4ed),
    pairOf('units-lzo', CODEC_ID.lzo, lzoed),
    pairOf('units-micro-lzma', CODEC_ID.microLzma, microLzmaed),
    pairOf('units-zstd', CODEC_ID.zstd, (content) => zstded(content, 2 ** 17, false), 'all as libzstd would do it'),
    pairOf(
      'units-zstd-foreign',
      CODEC_ID.zstd,
      (content, version) => zstded(content, 800, version === 1),
      'blocks and modes that libzstd would not make',
    ),
  ];
}

/** Two gzip files, the first of which is the same; headers and trailers are bytes of the image. */
function twoFiles(): UnitVectorImages {
  const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
  const file = (content: Uint8Array, copyOf = -1): (Stream | Uint8Array)[] => [
    header,
    { codec: CODEC_ID.deflate, packed: deflated(content, Infinity), content, copyOf },
    gzipTrailer(content),
  ];
  const same = prose(700, 62);
  const source = imageOf(...file(same), ...file(OLD));
  const target = imageOf(...file(NEW), ...file(same, 0));
  const { offset, packedBytes } = target.units[0]!;
  const about = 'two gzip files; one is copied, and a segment ends between them';
  return { name: 'units-copy', about, source, target, ends: [offset + packedBytes + 8] };
}

/** A zlib stream in an LZ4 block. */
function nested(): UnitVectorImages {
  const image = (content: Uint8Array, before: string): UnitImage => {
    const inner = { codec: CODEC_ID.zlib, packed: zlibbed(content), content, at: before.length };
    const outer = join(text(before), inner.packed, TAIL);
    return imageOf(HEAD, { codec: CODEC_ID.lz4, packed: lz4ed(outer), content: outer, inner: [inner] });
  };
  const about = 'a stream in a stream';
  return { name: 'units-nested', about, source: image(OLD, 'so it was: '), target: image(NEW, 'so it is: '), ends: [] };
}

/** Blocks of a file in one run with their end from a block of tails, a hole in it, and another order than the image's. */
function scattered(): UnitVectorImages {
  const image = (content: Uint8Array): UnitImage => {
    const [a, b] = [content.subarray(0, 1024), content.subarray(1024, 2048)];
    const tails = join(text('another file.\n'), content.subarray(2048));
    const laid = imageOf(
      ...[HEAD, { codec: CODEC_ID.lz4, packed: lz4ed(b), content: b }],
      ...[
        { codec: CODEC_ID.lz4, packed: lz4ed(a), content: a },
        { codec: CODEC_ID.lz4, packed: lz4ed(tails), content: tails },
      ],
      TAIL,
    );
    const piece = (unit: number, offset: number, length: number, joined: boolean, zeros = 0): VirtualPiece => ({
      ...{ unit, offset, length, joined, zeros },
    });
    const raw = laid.pieces.filter(({ unit }) => unit < 0);
    const file = [piece(1, 0, 1024, false), piece(0, 0, 1024, true, 512), piece(2, 14, tails.length - 14, true)];
    return { ...laid, pieces: [...file, piece(2, 0, 14, false), ...raw] };
  };
  const about = 'a file of two blocks and a tail, with a hole, in another order than in the image';
  return { name: 'units-scattered', about, source: image(OLD), target: image(NEW), ends: [] };
}

/** A stream of which the second half is a unit of its own, in another segment. */
function inParts(): UnitVectorImages {
  const image = (content: Uint8Array): UnitImage => {
    const packed = deflated(content, 34_000);
    // The first block by itself: its whole bytes are the first unit.
    const first = deflated(content.subarray(0, 34_000), Infinity);
    const border = firstPartBytes(packed, first);
    const codec = CODEC_ID.deflate;
    return imageOf(
      { codec, packed: packed.subarray(0, border), content: content.subarray(0, 34_000) },
      { codec, packed: packed.subarray(border), content: content.subarray(34_000), continues: true },
    );
  };
  const source = image(repeated(OLD, 15));
  const target = image(join(repeated(OLD, 13), NEW, OLD));
  const about = 'a stream of two units and two segments: the last 32 KiB of the first are coded again with the second';
  return { name: 'units-parts', about, source, target, ends: [target.units[0]!.packedBytes] };
}

/** The same block ends a stream in `first` and does not in `packed`: its bits are as many, but for those that fill the last byte. */
function firstPartBytes(packed: Uint8Array, first: Uint8Array): number {
  let equal = 1;
  while (packed[equal] === first[equal]) equal++;
  return equal;
}

/** Streams in blocks of a flash: what stands at the start of each is skipped, by units of one, two and three parts. */
function inBlocks(): UnitVectorImages {
  const image = (content: Uint8Array, version: number): UnitImage => {
    const codec = CODEC_ID.lz4;
    const random = noise(2600, version === 0 ? 63 : 64);
    const stored = join(random.subarray(0, 1300), noise(1300, 65));
    const laid = imageOf(
      HEAD,
      { codec, packed: lz4ed(content), content },
      { codec, packed: lz4ed(stored), content: stored },
      { codec: CODEC_ID.zlib, packed: zlibbed(content), content },
      TAIL,
    );
    const behind = (block: number): number => 1100 * block - 37;
    const skipped = Array.from({ length: Math.floor((laid.image.length + 37) / 1100) }, (_, i) => ({
      behind: behind(i + 1),
      bytes: text(`block ${i + 1}, made by version ${version}, and so on`),
    }));
    return cutBy(laid, ...skipped);
  };
  const [source, target] = [image(OLD, 0), image(NEW, 1)];
  const { offset, packedBytes } = target.units[0]!;
  const ends = [new Skips(target.skips).imageAt(offset + packedBytes)];
  const about = 'streams over the ends of blocks, whose heads they skip; a segment ends between two streams';
  return { name: 'units-skips', about, source, target, ends };
}

/** Those that are there in the fast profile too: tokens of two kinds, a copy, segments that end within a stream. */
const FAST = ['units-zlib', 'units-zstd-foreign', 'units-copy', 'units-parts'];

/** All of them, in the order of the file. */
export function unitVectorImages(): UnitVectorImages[] {
  const all = [...eachCodec(), twoFiles(), nested(), scattered(), inParts(), inBlocks()];
  const sizes = { ...UNIT_SIZES, fast: true };
  const fast = all.filter(({ name }) => FAST.includes(name));
  return [...all, ...fast.map((each) => ({ ...each, name: `fast-${each.name}`, sizes }))];
}
