/**
 * Where everything of an image with units lies: in the virtual stream, in contents, in the image.
 * @module
 */
import {
  ALIGNMENT,
  HISTORY_BYTES,
  SKIPS_APART_BYTES,
  UNIT_DEPTH_MAX,
  type Skip,
  type Unit,
  type UnitMap,
  type VirtualPiece,
} from '../../format/unit-map.ts';
import { LIMITS } from '../../limits.ts';
import { firstWhere } from '../../search.ts';
import { badMap } from './bad-map.ts';
import { Skips, type StretchPart } from './skips.ts';

/** A map with the places that follow from it. */
export class VirtualLayout {
  readonly units: readonly Unit[];
  readonly pieces: readonly VirtualPiece[];
  /** Offset of each piece in the virtual stream, and, last, the stream's length. */
  readonly starts: Float64Array;
  readonly imageBytes: number;
  readonly skips: Skips;
  /** Indexes of pieces by unit, then by offset; those of unit u from `#firstOf[u + 1]`. */
  readonly #byPlace: Int32Array;
  readonly #firstOf: Int32Array;
  /** Units by parent: they are in this order already; those of unit u from `#childrenOf[u + 1]`. */
  readonly #childrenOf: Int32Array;

  /** @throws UpdateError plan_malformed where skips, units or pieces leave what they lie in, or nest too deep */
  constructor(map: UnitMap, imageBytes: number) {
    this.units = map.units;
    this.pieces = map.pieces;
    this.imageBytes = imageBytes;
    checkSkips(map.skips, imageBytes);
    this.skips = new Skips(map.skips);
    this.#childrenOf = this.#checkUnits();
    this.starts = this.#layOut();
    const order = Int32Array.from(map.pieces.keys());
    const { pieces } = this;
    this.#byPlace = order.sort((a, b) => pieces[a]!.unit - pieces[b]!.unit || pieces[a]!.offset - pieces[b]!.offset);
    this.#firstOf = new Int32Array(map.units.length + 2);
    for (const { unit } of map.pieces) this.#firstOf[unit + 2]!++;
    for (let i = 1; i < this.#firstOf.length; i++) this.#firstOf[i]! += this.#firstOf[i - 1]!;
  }

  /** Length of the virtual stream. */
  get bytes(): number {
    return this.starts[this.pieces.length]!;
  }

  /** Bytes of what has index `unit`: a unit's content, or (-1) the image. */
  lengthOf(unit: number): number {
    return unit < 0 ? this.imageBytes : this.units[unit]!.contentBytes;
  }

  /** Bytes that units may lie in: a unit's content, or (-1) the image without what is skipped. */
  roomIn(unit: number): number {
    return unit < 0 ? this.imageBytes - this.skips.bytes : this.lengthOf(unit);
  }

  /** Image bytes [start, end) from the first byte of a unit of the image to its last, with what it skips. */
  extentOf(unit: number): { readonly start: number; readonly end: number } {
    const { offset, packedBytes } = this.units[unit]!;
    const start = this.skips.imageAt(offset);
    return { start, end: packedBytes === 0 ? start : this.skips.imageAt(offset + packedBytes - 1) + 1 };
  }

  /** Where a unit's packed bytes lie in what it is a unit of. */
  *partsOf(unit: number): Generator<StretchPart> {
    const { parent, offset, packedBytes } = this.units[unit]!;
    if (parent < 0) yield* this.skips.parts(offset, packedBytes);
    else yield { from: offset, to: offset + packedBytes, at: 0 };
  }

  /** Indexes of the pieces of a unit's content, or (-1) of the image, by offset. */
  piecesOf(unit: number): Int32Array {
    return this.#byPlace.subarray(this.#firstOf[unit + 1], this.#firstOf[unit + 2]);
  }

  /** Indexes [first, end) of the units in the content of a unit, or (-1) in the image. */
  unitsIn(unit: number): { first: number; end: number } {
    return { first: this.#childrenOf[unit + 1]!, end: this.#childrenOf[unit + 2]! };
  }

  /** Index of the piece that holds `offset` of the virtual stream, or of the first behind it. */
  pieceAt(offset: number): number {
    return firstWhere(0, this.pieces.length, (i) => this.starts[i]! + this.pieces[i]!.length > offset);
  }

  /** Where the virtual stream has the byte at `offset` of what a piece is a piece of. */
  placeOf(piece: number, offset: number): number {
    return this.starts[piece]! + offset - this.pieces[piece]!.offset;
  }

  #checkUnits(): Int32Array {
    const { units } = this;
    const first = new Int32Array(units.length + 2);
    const depth = new Uint8Array(units.length);
    let total = 0;
    units.forEach((unit, i) => {
      const before = units[i - 1];
      const { parent } = unit;
      if (parent < -1 || parent >= i || (before !== undefined && before.parent > parent))
        badMap(`unit ${i} is out of order`);
      const isSibling = before?.parent === parent;
      const from = isSibling ? before.offset + before.packedBytes : 0;
      if (unit.offset < from || unit.offset + unit.packedBytes > this.roomIn(parent))
        badMap(`unit ${i} leaves its place`);
      depth[i] = parent < 0 ? 1 : depth[parent]! + 1;
      if (depth[i]! > UNIT_DEPTH_MAX) badMap(`unit ${i} lies deeper than ${UNIT_DEPTH_MAX}`);
      const goesOn = isSibling && before.codec === unit.codec && before.offset + before.packedBytes === unit.offset;
      if (unit.continues && !goesOn) badMap(`unit ${i} continues nothing`);
      if (unit.packedBytes > LIMITS.unit_packed_bytes_max) badMap(`unit ${i} has ${unit.packedBytes} packed bytes`);
      total += unit.contentBytes;
      first[parent + 2]!++;
    });
    if (total > LIMITS.dense_bytes_max) badMap(`units unpack to ${total} bytes`);
    for (let i = 1; i < first.length; i++) first[i]! += first[i - 1]!;
    return first;
  }

  #layOut(): Float64Array {
    const starts = new Float64Array(this.pieces.length + 1);
    let at = 0;
    this.pieces.forEach(({ unit, offset, length, joined, zeros }, i) => {
      // Walks over pieces are paid for by their bytes.
      if (length < 1) badMap(`piece ${i} is empty`);
      if (unit >= this.units.length || offset + length > this.lengthOf(unit)) badMap(`piece ${i} leaves its place`);
      // Bytes of the image keep their place within a word; contents begin words.
      const phase = unit < 0 ? offset % ALIGNMENT : 0;
      if (!joined) at += (phase + ALIGNMENT - (at % ALIGNMENT)) % ALIGNMENT;
      at += zeros;
      starts[i] = at;
      at += length;
    });
    if (at > LIMITS.dense_bytes_max) badMap(`the contents have ${at} bytes`);
    starts[this.pieces.length] = at;
    return starts;
  }
}

function checkSkips(skips: readonly Skip[], imageBytes: number): void {
  let least = 0;
  skips.forEach(({ offset, length }, i) => {
    if (offset < least || length < 1) badMap(`skip ${i} is empty or too close to the one before`);
    if (offset + length > imageBytes) badMap(`skip ${i} leaves the image`);
    least = offset + length + SKIPS_APART_BYTES;
  });
}

/** Places where streams of an image may be entered. */
export function countHistories({ units }: UnitMap): number {
  return units.reduce((count, { continues }) => count + (continues ? 1 : 0), 0);
}

/** Bytes of the units in a unit's content, or (-1) in the image, in order. */
function* childPartsIn(layout: VirtualLayout, unit: number): Generator<StretchPart, undefined> {
  const { first, end } = layout.unitsIn(unit);
  for (let child = first; child < end; child++) yield* layout.partsOf(child);
  return undefined;
}

/** A unit that continues another one has all the history that it may refer to. */
function checkHistory(layout: VirtualLayout, unit: number): void {
  const before = layout.units[unit - 1]!;
  const start = before.contentBytes - HISTORY_BYTES;
  const { first, end } = layout.unitsIn(unit - 1);
  const last = first < end ? layout.units[end - 1]! : null;
  let known = 0;
  for (const piece of layout.piecesOf(unit - 1)) {
    const { offset, length } = layout.pieces[piece]!;
    known += Math.max(0, Math.min(length, offset + length - start));
  }
  if (start < 0 || known < HISTORY_BYTES || (last !== null && last.offset + last.packedBytes > start))
    badMap(`what unit ${unit} continues is not known`);
}

/**
 * Checks that pieces and units make all of an image, and of the content of each unit that is made, exactly once.
 * @throws UpdateError plan_malformed
 */
export function checkComplete(layout: VirtualLayout): void {
  for (let unit = -1; unit < layout.units.length; unit++) {
    if (unit >= 0 && layout.units[unit]!.copyOf >= 0) continue;
    if (unit >= 0 && layout.units[unit]!.continues) checkHistory(layout, unit);
    const pieces = layout.piecesOf(unit);
    const children = childPartsIn(layout, unit);
    let child = children.next();
    let at = 0;
    for (let p = 0; p < pieces.length || child.done !== true;) {
      const piece = p < pieces.length ? layout.pieces[pieces[p]!]! : null;
      const isPiece = piece !== null && (child.done === true || piece.offset < child.value.from);
      const offset = isPiece ? piece.offset : child.value!.from;
      if (offset !== at) badMap(`byte ${at} of unit ${unit} is made ${offset < at ? 'twice' : 'by nothing'}`);
      at += isPiece ? piece.length : child.value!.to - child.value!.from;
      if (isPiece) p++;
      else child = children.next();
    }
    if (at !== layout.lengthOf(unit)) badMap(`byte ${at} of unit ${unit} is made by nothing`);
  }
}
