/**
 * From what was chosen of an image to its unit map and its virtual stream.
 * @module
 */
import { ALIGNMENT, type Unit, type UnitMap, type VirtualPiece } from '../../format/unit-map.ts';
import { LIMITS } from '../../limits.ts';
import { UpdateError } from '../../status.ts';
import { Skips } from '../../unpack/map/skips.ts';
import { VirtualLayout } from '../../unpack/map/virtual-layout.ts';
import { Ranges, type Range } from '../containers/ranges.ts';
import type { TargetRange } from '../images.ts';
import type { Explored, Span } from './explored.ts';
import type { ExploredImage, Selected } from './select.ts';

/** An image as it is laid out. */
export interface LaidOut {
  readonly map: UnitMap;
  /** For each unit that was explored its index in the map, or -1. */
  readonly indexes: Int32Array;
  /** For each unit of the map that which was explored. */
  readonly origins: readonly number[];
}

/** `copies`: for each explored unit its copy's index in the source's map, or -1; null for the source itself. */
export function layOut({ explored }: ExploredImage, selected: Selected, copies: Int32Array | null): LaidOut {
  const origins = inOrder(explored, selected.units);
  const indexes = new Int32Array(explored.units.length).fill(-1);
  origins.forEach((origin, index) => (indexes[origin] = index));
  const units = origins.map((origin): Unit => {
    const { parent, offset, packedBytes, codec, continues, content } = explored.units[origin]!;
    return {
      ...{ parent: parent < 0 ? -1 : indexes[parent]!, offset, packedBytes, codec, continues },
      ...{ contentBytes: content.length, copyOf: copies?.[origin] ?? -1 },
    };
  });
  const { skips } = explored;
  const pieces = piecesFor(explored, selected, indexes, units);
  checkPieces(pieces);
  return { map: { skips, units, pieces }, indexes, origins };
}

/** Honest images may have too many files, or too much in them. @throws UpdateError limit_exceeded */
function checkPieces(pieces: readonly VirtualPiece[]): void {
  if (pieces.length > LIMITS.unit_pieces_max)
    throw new UpdateError('limit_exceeded', `contents in ${pieces.length} pieces are over ${LIMITS.unit_pieces_max}`);
  const bytes = pieces.reduce((sum, { length, zeros }) => sum + length + zeros + ALIGNMENT, 0);
  if (bytes > LIMITS.dense_bytes_max)
    throw new UpdateError('limit_exceeded', `contents of ${bytes} bytes are over ${LIMITS.dense_bytes_max}`);
}

/** Units of the image first, in its order; then those in the contents of the first, and so on. */
function inOrder({ units }: Explored, wanted: ReadonlySet<number>): number[] {
  const order: number[] = [];
  const childrenOf = new Map<number, number[]>();
  for (const unit of [...wanted].sort((a, b) => a - b)) {
    const { parent } = units[unit]!;
    const siblings = childrenOf.get(parent);
    if (siblings === undefined) childrenOf.set(parent, [unit]);
    else siblings.push(unit);
  }
  const add = (parent: number): void => {
    // One by one: a call takes no list as long as this may be.
    const children = (childrenOf.get(parent) ?? []).sort((a, b) => units[a]!.offset - units[b]!.offset);
    for (const child of children) order.push(child);
  };
  add(-1);
  for (let i = 0; i < order.length; i++) add(order[i]!);
  return order;
}

function piecesFor(
  explored: Explored,
  selected: Selected,
  indexes: Int32Array,
  units: readonly Unit[],
): VirtualPiece[] {
  const pieces: VirtualPiece[] = [];
  const claims = new Claims();
  const indexOf = (unit: number): number => (unit < 0 ? -1 : indexes[unit]!);
  const places = new Skips(explored.skips);
  for (const { parent, offset, packedBytes } of units) {
    if (parent >= 0) claims.take(parent, offset, offset + packedBytes);
    else for (const { from, to } of places.parts(offset, packedBytes)) claims.take(-1, from, to);
  }
  for (const item of selected.items)
    for (const { unit, offset, length } of explored.items[item]!.spans)
      claims.take(indexOf(unit), offset, offset + length);
  explored.items.forEach(({ isFile, spans }, item) => {
    if (selected.items.has(item)) {
      spans.forEach(({ unit, offset, length, zeros = 0 }, i) => {
        pieces.push({ unit: indexOf(unit), offset, length, joined: i > 0, zeros });
      });
    } else if (!isFile) {
      for (const span of spans)
        if (span.unit < 0 || indexOf(span.unit) >= 0) addRest(pieces, span, indexOf, claims, units);
    }
  });
  return pieces;
}

/** Which bytes of the image (-1) and of units' contents are laid out somewhere. */
class Claims {
  readonly #ranges = new Map<number, Ranges>();

  /** Claims [from, to); what of it nobody had. */
  take(unit: number, from: number, to: number): Range[] {
    let ranges = this.#ranges.get(unit);
    if (ranges === undefined) this.#ranges.set(unit, (ranges = new Ranges()));
    return ranges.take(from, to);
  }
}

/** What nothing has claimed of a span. */
function addRest(
  pieces: VirtualPiece[],
  span: Span,
  indexOf: (unit: number) => number,
  claims: Claims,
  units: readonly Unit[],
): void {
  const unit = indexOf(span.unit);
  for (const { from, to } of claims.take(unit, span.offset, span.offset + span.length)) {
    const before = pieces.at(-1);
    // Parts of one stream are one run of bytes.
    const goesOn = unit >= 0 && from === 0 && units[unit]!.continues && before?.unit === unit - 1;
    const joined = goesOn && before.offset + before.length === units[unit - 1]!.contentBytes;
    pieces.push({ unit, offset: from, length: to - from, joined, zeros: 0 });
  }
}

/** Contents of at least this, and this share of all, are looked at as images of their own. */
const STREAM_BYTES_MIN = 64 * 1024;
const STREAM_SHARE = 8;

/** Where the virtual stream has the whole content of a stream in one run. */
export function streamsIn({ pieces, starts, units, bytes }: VirtualLayout): TargetRange[] {
  const least = Math.max(STREAM_BYTES_MIN, bytes / STREAM_SHARE);
  const streams: TargetRange[] = [];
  for (let i = 0; i < pieces.length;) {
    const { unit, offset } = pieces[i]!;
    const first = i;
    if (unit >= 0 && offset === 0 && !units[unit]!.continues && pieces[i]!.length === units[unit]!.contentBytes) {
      let last = unit;
      while (pieces[i + 1]?.unit === last + 1 && pieces[i + 1]!.joined && units[last + 1]!.continues) {
        if (pieces[i + 1]!.length !== units[last + 1]!.contentBytes) break;
        last++;
        i++;
      }
      const end = starts[i]! + pieces[i]!.length;
      const isWhole = units[last + 1]?.continues !== true;
      // Blocks of a file system follow each other as well, but none is joined by the file behind it.
      if (isWhole && end - starts[first]! >= least && isAlone(pieces, first, i))
        streams.push({ start: starts[first]!, end });
    }
    i++;
  }
  return streams;
}

/** No piece before or behind belongs to the same file. */
function isAlone(pieces: readonly VirtualPiece[], first: number, last: number): boolean {
  return !pieces[first]!.joined && pieces[last + 1]?.joined !== true;
}

/** The virtual stream of a laid out image. */
export function virtualImage(
  { image, explored }: ExploredImage,
  { map, origins }: LaidOut,
  allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): { readonly bytes: Uint8Array; readonly layout: VirtualLayout } {
  const layout = new VirtualLayout(map, image.length);
  const bytes = allocate(layout.bytes);
  map.pieces.forEach(({ unit, offset, length }, i) => {
    const from = unit < 0 ? image : explored.units[origins[unit]!]!.content;
    bytes.set(from.subarray(offset, offset + length), layout.starts[i]);
  });
  return { bytes, layout };
}
