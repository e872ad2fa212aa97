/**
 * Coding of unit maps, written once with the model and read once by it: that of the source, then that of the target.
 *
 * Blocks of a file system follow each other, so most units begin where the one before ended, and most files are whole
 * units in a row and then the next bytes of the block that collects tails. Lengths of the target's files are most often
 * those of the source's, in the same order.
 * @module
 */
import type { PlanRoom } from '../../format/plan.ts';
import { CODEC_ID, type Unit, type UnitMap, type VirtualPiece } from '../../format/unit-map.ts';
import { LIMITS } from '../../limits.ts';
import { bitLength } from '../../model/hash.ts';
import type { ModelCoder } from '../../model/model-coder.ts';
import { NumberCoder } from '../../model/number-coder.ts';
import { firstWhere } from '../../search.ts';
import { badMap } from './virtual-layout.ts';

/** Kinds of numbers and flags of a map; part of the format. */
const NUMBER = {
  units: 0,
  parent: 1,
  gap: 2,
  codec: 3,
  packed: 4,
  content: 5,
  copy: 6,
  pieces: 7,
  way: 8,
  unit: 9,
  offset: 10,
  length: 11,
  zeros: 12,
} as const;
const FLAG = {
  sameParent: 0,
  continues: 1,
  sameContent: 2,
  isCopy: 3,
  joined: 4,
  sameLength: 5,
  toEnd: 6,
  zeros: 7,
} as const;

/** How a piece is found from those before it. */
const WAY = {
  /** The whole unit behind the last whole one. */
  whole: 0,
  /** Goes on where the last part of a unit ended. */
  on: 1,
  /** The beginning of the unit behind the last of which a part was taken. */
  nextPart: 2,
  /** Bytes of the image behind the last ones. */
  image: 3,
  other: 4,
} as const;

/** Pieces of the source that a length is looked for in. */
const AHEAD = 32;

/** Both maps of a payload. */
export interface UnitMaps {
  readonly source: UnitMap;
  readonly target: UnitMap;
}

export class MapCoder {
  readonly #numbers: NumberCoder;
  readonly #coder: ModelCoder;
  readonly #room: PlanRoom | undefined;

  constructor(coder: ModelCoder, room?: PlanRoom) {
    this.#coder = coder;
    this.#numbers = new NumberCoder(coder);
    this.#room = room;
  }

  /** Codes both maps; a decoder passes null. @throws UpdateError plan_malformed, payload_work */
  code(maps: UnitMaps | null): UnitMaps {
    const source = this.#map(maps?.source ?? null, null);
    return { source, target: this.#map(maps?.target ?? null, source) };
  }

  #map(map: UnitMap | null, source: UnitMap | null): UnitMap {
    const units = this.#units(map?.units ?? null, source?.units ?? null);
    return { units, pieces: this.#pieces(map?.pieces ?? null, units, source?.pieces ?? []) };
  }

  #count(count: number, kind: number, max: number, part: 'unit' | 'unitPiece'): number {
    const coded = this.#numbers.code(count, kind);
    if (coded > max) badMap(`${coded} of a kind of which ${max} may be`);
    this.#room?.take(part, coded);
    return coded;
  }

  #units(given: readonly Unit[] | null, source: readonly Unit[] | null): readonly Unit[] {
    const count = this.#count(given?.length ?? 0, NUMBER.units, LIMITS.units_max, 'unit');
    const units: Unit[] = [];
    let copied = -1;
    for (let i = 0; i < count; i++) {
      this.#coder.work.check();
      const unit = this.#unit(given?.[i] ?? null, units[i - 1] ?? null, source, copied);
      if (unit.copyOf >= 0) copied = unit.copyOf;
      units.push(unit);
    }
    return given ?? units;
  }

  #unit(unit: Unit | null, before: Unit | null, source: readonly Unit[] | null, copied: number): Unit {
    const numbers = this.#numbers;
    const isSibling = numbers.flag(unit?.parent === (before?.parent ?? -1), FLAG.sameParent);
    const parent = isSibling ? (before?.parent ?? -1) : numbers.code((unit?.parent ?? -1) + 1, NUMBER.parent) - 1;
    const from = isSibling && before !== null ? before.offset + before.packedBytes : 0;
    const codecBefore = before?.codec ?? 0;
    const codec = numbers.code(unit?.codec ?? 0, NUMBER.codec, codecBefore);
    const gap = numbers.code((unit?.offset ?? from) - from, NUMBER.gap, codec, codec === codecBefore ? 1 : 0);
    const mayContinue = codec === CODEC_ID.deflate && codec === codecBefore && isSibling && gap === 0;
    const continues = mayContinue && numbers.flag(unit?.continues ?? false, FLAG.continues);
    const sizes = (sameAs: number) => {
      const packedBytes = numbers.code(
        unit?.packedBytes ?? 0,
        NUMBER.packed,
        codec,
        bitLength(before?.packedBytes ?? 0),
      );
      const same = numbers.flag(unit?.contentBytes === sameAs, FLAG.sameContent, codec);
      const contentBytes = same ? sameAs : numbers.code(unit?.contentBytes ?? 0, NUMBER.content, codec);
      if (contentBytes > LIMITS.unit_content_bytes_max) badMap(`a unit unpacks to ${contentBytes} bytes`);
      return { packedBytes, contentBytes };
    };
    const place = { parent, offset: from + gap, codec, continues };
    if (
      source !== null &&
      numbers.flag((unit?.copyOf ?? -1) >= 0, FLAG.isCopy, codec, before !== null && before.copyOf >= 0 ? 1 : 0)
    ) {
      const copyOf = copied + 1 + numbers.signed((unit?.copyOf ?? 0) - copied - 1, NUMBER.copy);
      const original = source[copyOf];
      if (original?.codec !== codec) badMap('a unit is a copy of nothing');
      const { packedBytes, contentBytes } = original!;
      return { ...place, packedBytes, contentBytes, copyOf };
    }
    return { ...place, ...sizes(before?.contentBytes ?? 0), copyOf: -1 };
  }

  #pieces(
    given: readonly VirtualPiece[] | null,
    units: readonly Unit[],
    source: readonly VirtualPiece[],
  ): readonly VirtualPiece[] {
    const count = this.#count(given?.length ?? 0, NUMBER.pieces, LIMITS.unit_pieces_max, 'unitPiece');
    const pieces: VirtualPiece[] = [];
    const state = new PieceState(units, source);
    for (let i = 0; i < count; i++) {
      this.#coder.work.check();
      pieces.push(this.#piece(given?.[i] ?? null, state));
    }
    return given ?? pieces;
  }

  #piece(piece: VirtualPiece | null, state: PieceState): VirtualPiece {
    const numbers = this.#numbers;
    const way = numbers.code(piece === null ? 0 : state.wayOf(piece), NUMBER.way, state.ways & 7, state.ways & 511);
    let { unit, offset } = state.placeOf(way);
    if (way === WAY.other) unit = state.part + numbers.signed((piece?.unit ?? 0) - state.part, NUMBER.unit);
    if (unit < -1 || unit >= state.units.length) badMap('a piece of a unit that is not there');
    if (way === WAY.other || way === WAY.image)
      offset += numbers.signed((piece?.offset ?? 0) - offset, NUMBER.offset, way);
    if (offset < 0) badMap('a piece before the beginning');
    let length = unit < 0 ? state.toNextUnit(offset) : state.units[unit]!.contentBytes - offset;
    if (way !== WAY.whole) length = this.#length(piece, length, way, state);
    else if (state.expectedLength() === length) state.hit(length);
    const joined = numbers.flag(piece?.joined ?? false, FLAG.joined, way, state.ways & 7);
    const hasZeros = numbers.flag((piece?.zeros ?? 0) > 0, FLAG.zeros);
    const zeros = hasZeros ? numbers.code(piece?.zeros ?? 0, NUMBER.zeros) : 0;
    const coded = { unit, offset, length, joined, zeros };
    state.learn(coded, way);
    return coded;
  }

  /** `toEnd`: what is left of the unit. */
  #length(piece: VirtualPiece | null, toEnd: number, way: number, state: PieceState): number {
    const numbers = this.#numbers;
    const wanted = piece?.length ?? 0;
    const expected = state.expectedLength();
    if (expected >= 0 && numbers.flag(wanted === expected, FLAG.sameLength, way, state.hits))
      return state.hit(expected);
    if (numbers.flag(wanted === toEnd, FLAG.toEnd, way)) return state.miss(toEnd);
    return state.miss(numbers.code(wanted, NUMBER.length, way, state.ways & 7));
  }
}

/** What pieces before say of the next one. */
class PieceState {
  readonly units: readonly Unit[];
  readonly #source: readonly VirtualPiece[];
  /** The last unit that was taken whole, the last of which a part was, and where that part ended. */
  whole = -1;
  part = -1;
  #partEnd = 0;
  #imageEnd = 0;
  /** Where units of the image that follow each other end, by the first: a walk for each piece could take hours. */
  readonly #runEnds: Float64Array;
  /** Ways and hits of the last pieces, three bits and one each. */
  ways = 0;
  hits = 0;
  #next = 0;

  constructor(units: readonly Unit[], source: readonly VirtualPiece[]) {
    this.units = units;
    this.#source = source;
    this.#runEnds = new Float64Array(units.length);
    for (let i = units.length - 1; i >= 0; i--) {
      const end = units[i]!.offset + units[i]!.packedBytes;
      const next = units[i + 1];
      this.#runEnds[i] = next?.parent === -1 && next.offset === end ? this.#runEnds[i + 1]! : end;
    }
  }

  wayOf({ unit, offset, length }: VirtualPiece): number {
    if (unit < 0) return WAY.image;
    const isWhole = offset === 0 && length === this.units[unit]!.contentBytes;
    if (isWhole && unit === this.whole + 1) return WAY.whole;
    if (unit === this.part && offset === this.#partEnd) return WAY.on;
    if (unit === this.part + 1 && offset === 0) return WAY.nextPart;
    return WAY.other;
  }

  placeOf(way: number): { unit: number; offset: number } {
    if (way === WAY.whole) return { unit: this.whole + 1, offset: 0 };
    if (way === WAY.on) return { unit: this.part, offset: this.#partEnd };
    if (way === WAY.nextPart) return { unit: this.part + 1, offset: 0 };
    if (way === WAY.image) return { unit: -1, offset: this.#behindUnits() };
    if (way === WAY.other) return { unit: this.part, offset: 0 };
    return badMap('a piece that is found in no known way');
  }

  /** Where the last bytes of the image ended, or, if units begin there, where those end. */
  #behindUnits(): number {
    const next = this.#unitAt(this.#imageEnd);
    const isNext = this.units[next]?.parent === -1 && this.units[next]!.offset === this.#imageEnd;
    return isNext ? this.#runEnds[next]! : this.#imageEnd;
  }

  /** Bytes from `offset` of the image to the next unit; 0 where none follows. */
  toNextUnit(offset: number): number {
    const next = this.units[this.#unitAt(offset)];
    return next?.parent === -1 ? next.offset - offset : 0;
  }

  /** The first unit of the image that does not begin before `offset`. */
  #unitAt(offset: number): number {
    return firstWhere(0, this.units.length, (i) => this.units[i]!.parent >= 0 || this.units[i]!.offset >= offset);
  }

  /** Length of the source's piece that is due, or -1. */
  expectedLength(): number {
    return this.#source[this.#next]?.length ?? -1;
  }

  hit(length: number): number {
    this.#next++;
    this.hits = ((this.hits << 1) | 1) & 15;
    return length;
  }

  /** Goes on behind the next piece of the source that has this length. */
  miss(length: number): number {
    this.hits = (this.hits << 1) & 15;
    for (let i = 0; i < AHEAD; i++) {
      if (this.#source[this.#next + i]?.length !== length) continue;
      this.#next += i + 1;
      break;
    }
    return length;
  }

  learn({ unit, offset, length }: VirtualPiece, way: number): void {
    this.ways = ((this.ways << 3) | way) & 0xffff;
    if (unit < 0) this.#imageEnd = offset + length;
    else if (offset === 0 && length === this.units[unit]!.contentBytes) {
      this.whole = unit;
      if (way === WAY.nextPart) this.part = unit;
    } else {
      this.part = unit;
      this.#partEnd = offset + length;
    }
  }
}
