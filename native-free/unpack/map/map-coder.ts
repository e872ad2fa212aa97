/**
 * Coding of unit maps, written once with the model and read once by it: that of the source, then that of the target.
 *
 * Blocks of a file system follow each other, so most units begin where the one before ended, and most files are whole
 * units in a row and then the next bytes of the block that collects tails. Lengths of the target's files are most often
 * those of the source's, in the same order.
 * @module
 */
import type { PlanRoom } from '../../format/plan.ts';
import { CODEC_ID, type Skip, type Unit, type UnitMap, type VirtualPiece } from '../../format/unit-map.ts';
import { LIMITS } from '../../limits.ts';
import { bitLength } from '../../model/hash.ts';
import type { ModelCoder } from '../../model/model-coder.ts';
import { NumberCoder } from '../../model/number-coder.ts';
import { badMap } from './bad-map.ts';
import { PieceState, WAY } from './piece-state.ts';
import { Skips } from './skips.ts';

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
  skips: 13,
  skipDistance: 14,
  skipLength: 15,
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
  sameDistance: 8,
  sameSkip: 9,
} as const;

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
    const skips = this.#skips(map?.skips ?? null);
    const units = this.#units(map?.units ?? null, source?.units ?? null);
    const state = new PieceState(new Skips(skips), units, source?.pieces ?? []);
    return { skips, units, pieces: this.#pieces(map?.pieces ?? null, state) };
  }

  #count(count: number, kind: number, max: number, part: 'unit' | 'unitPiece' | 'unitSkip'): number {
    const coded = this.#numbers.code(count, kind);
    if (coded > max) badMap(`${coded} of a kind of which ${max} may be`);
    this.#room?.take(part, coded);
    return coded;
  }

  /** Blocks of a flash are all alike: the next skip is as far off as the last one was, and as long. */
  #skips(given: readonly Skip[] | null): readonly Skip[] {
    const numbers = this.#numbers;
    const count = this.#count(given?.length ?? 0, NUMBER.skips, LIMITS.unit_skips_max, 'unitSkip');
    const skips: Skip[] = [];
    let [end, distance, length] = [0, 0, 0];
    for (let i = 0; i < count; i++) {
      this.#coder.work.check();
      const skip = given?.[i] ?? { offset: end, length: 0 };
      if (!numbers.flag(skip.offset - end === distance, FLAG.sameDistance))
        distance = numbers.code(skip.offset - end, NUMBER.skipDistance);
      if (!numbers.flag(skip.length === length, FLAG.sameSkip)) length = numbers.code(skip.length, NUMBER.skipLength);
      const coded = { offset: end + distance, length };
      end = coded.offset + length;
      skips.push(coded);
    }
    return given ?? skips;
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

  #pieces(given: readonly VirtualPiece[] | null, state: PieceState): readonly VirtualPiece[] {
    const count = this.#count(given?.length ?? 0, NUMBER.pieces, LIMITS.unit_pieces_max, 'unitPiece');
    const pieces: VirtualPiece[] = [];
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
    let length = unit < 0 ? state.toNext(offset) : state.units[unit]!.contentBytes - offset;
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
