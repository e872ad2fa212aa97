/**
 * Literals of the fast profile: as in literals/literal-coder.ts, by four contexts a byte: three of what stands before, and
 * the match, or a fourth where there is none.
 * @module
 */
import type { InstructionSet } from '../../predict/isa/instruction-set.ts';
import { instructionSetOf } from '../../predict/isa/list.ts';
import { STREAM, type CostMeter } from '../costs.ts';
import { contextHash } from '../hash.ts';
import type { LiteralRun } from '../literals/literal-models.ts';
import { blockEnd, StoredBlocks } from '../literals/stored-blocks.ts';
import type { ModelCoder } from '../model-coder.ts';
import type { LiteralLoop } from '../unit-loop.ts';
import { FAST_BYTE_SETS_OF, FAST_TAGS } from './fast-contexts.ts';
import type { FastModels } from './fast-models.ts';
import { LiteralMatch } from './literal-match.ts';
import { fastLiteralUnits, type FastLiteralUnits } from './literal-units.ts';

const { literal: LITERAL, literalHalfwords: HALFWORDS, literalMatch: MATCH } = FAST_TAGS;
const { word: WORD, wordMatch: WORD_MATCH } = FAST_TAGS;
const ONE = [0];
/** Every so many bytes of a stored block are a place where a match may begin. */
const STORED_STEP = 16;

export class FastLiterals implements LiteralLoop {
  readonly #coder: ModelCoder;
  readonly #models: FastModels;
  readonly #meter: CostMeter;
  readonly #blocks: StoredBlocks;
  readonly #match = new LiteralMatch();
  #set: InstructionSet | null = null;
  #units: FastLiteralUnits = fastLiteralUnits(null);
  #kind = 0;

  constructor(coder: ModelCoder, models: FastModels, meter: CostMeter) {
    this.#coder = coder;
    this.#models = models;
    this.#meter = meter;
    this.#blocks = new StoredBlocks(coder);
  }

  reset(): void {
    this.#match.reset();
    this.#blocks.reset();
  }

  code({ target, start, end, kind, va, follow }: LiteralRun): void {
    this.#meter.stream(STREAM.literals);
    this.#kind = kind;
    this.#set = instructionSetOf(kind);
    this.#units = fastLiteralUnits(this.#set);
    this.#match.begin(target, start, follow);
    for (let at = start; at < end;) {
      const from = at;
      const to = blockEnd(at, end);
      if (this.#blocks.code(target, from, to, () => false)) {
        this.#stored(target, from, to);
        at = to;
        continue;
      }
      while (at < to) at += this.#unit(target, at, end, va + at - start);
      this.#blocks.modelled(at - from);
    }
  }

  #stored(target: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at++) {
      this.#match.put(target[at]!);
      if ((at - from) % STORED_STEP === STORED_STEP - 1) this.#match.stored();
    }
    this.#match.stored();
  }

  /** One unit at `at`, address `va`; returns its length. */
  #unit(target: Uint8Array, at: number, end: number, va: number): number {
    if (this.#units.by === 'words' && (va & 3) === 0 && at + 4 <= end) {
      this.#word(target, at, va);
      return 4;
    }
    const most = Math.min(end - at, this.#units.most(this.#match.last & 255, va));
    return this.#bytes(target, at, most === 3 ? 2 : most, va);
  }

  /** At most `most` bytes: those of an instruction, in the order in which they tell most of the following ones, or one. */
  #bytes(target: Uint8Array, at: number, most: number, va: number): number {
    const match = this.#match;
    const has = match.has(most);
    const set = most === 4 ? this.#set : null;
    const actual = this.#coder.encoding ? bytesAt(target, at, most) : 0;
    const coded = set?.absolute(actual, va, 1) ?? actual;
    const seen = has ? match.bytes(most) : 0;
    const expected = set?.absolute(seen, va, 1) ?? seen;
    let order = most === 1 ? ONE : this.#units.order(most, -1);
    let value = 0;
    let holds = has;
    let { last } = match;
    for (let i = 0; i < order.length; i++) {
      const shift = 8 * order[i]!;
      const e = holds ? (expected >>> shift) & 255 : -1;
      const phase = most === 1 ? va & 3 : (i + order.length) & 7;
      const byte = this.#byte((coded >>> shift) & 255, phase, e, last);
      value |= byte << shift;
      last = (last << 8) | byte;
      if (byte !== e) holds = false;
      if (i === 0 && most > 1) order = this.#units.order(most, byte);
    }
    const length = order.length;
    const plain = length === 4 ? this.#set!.absolute(value >>> 0, va, -1) : value;
    this.#place(target, at, length, plain);
    match.followed(length, holds);
    return length;
  }

  /** One byte behind the bytes `last`; `expected` is what the match says, or -1. */
  #byte(value: number, phase: number, expected: number, last: number): number {
    const { held, trouble } = this.#match;
    const kind = this.#kind;
    const byHalves = this.#units.by === 'halfwords';
    const set = (kind << 6) + (phase << 3) + (expected < 0 ? 0 : 1 + Math.min(6, held >> 1));
    return this.#models.byte(
      value,
      FAST_BYTE_SETS_OF.literal + set,
      contextHash(LITERAL, kind, ((last & 0xff) << 3) | phase),
      byHalves
        ? contextHash(HALFWORDS, kind, ((last & 0xffff) << 3) | phase)
        : contextHash(LITERAL + 1, kind, last & 0xffff),
      byHalves
        ? contextHash(HALFWORDS + 1, kind, last & 0xff00ff00, phase)
        : contextHash(LITERAL + 2, kind, last & 0xffffff),
      expected < 0
        ? contextHash(LITERAL + 3, kind, ((last >>> 24) << 3) | phase)
        : contextHash(MATCH, (Math.min(24, held) << 8) | expected, Math.min(7, trouble >> 2)),
    );
  }

  /** A word of code of fixed width, most significant byte first, since that is where the opcode is. */
  #word(target: Uint8Array, at: number, va: number): void {
    const match = this.#match;
    const set = this.#set!;
    const has = match.has(4);
    const expected = has ? set.absolute(match.bytes(4), va, 1) : 0;
    const actual = this.#coder.encoding ? set.absolute(bytesAt(target, at, 4), va, 1) : 0;
    const { last, older, held, trouble } = match;
    const tops = ((last & 255) << 8) | (older & 255);
    const kind = this.#kind;
    let value = 0;
    let holds = has;
    for (let left = 3; left >= 0; left--) {
      const shift = 8 * left;
      const e = (expected >>> shift) & 255;
      const tag = (kind << 2) | left;
      const weights = (kind << 5) + (left << 3) + (holds ? 1 + Math.min(6, held >> 2) : 0);
      const byte = this.#models.byte(
        (actual >>> shift) & 255,
        FAST_BYTE_SETS_OF.word + weights,
        contextHash(WORD, tag, value, last),
        contextHash(WORD + 1, tag, value & 255, (last >>> (24 - shift)) & 255),
        contextHash(WORD + 2, tag, value, tops),
        holds
          ? contextHash(WORD_MATCH, tag, (Math.min(16, held) << 8) | e, Math.min(7, trouble >> 2))
          : contextHash(WORD_MATCH + 1, tag, value),
      );
      if (byte !== e) holds = false;
      value = (value << 8) | byte;
    }
    this.#place(target, at, 4, set.absolute(value >>> 0, va, -1));
    match.followed(4, holds);
  }

  #place(target: Uint8Array, at: number, length: number, value: number): void {
    for (let i = 0; i < length; i++) {
      const byte = this.#coder.encoding ? target[at + i]! : (value >>> (8 * i)) & 255;
      target[at + i] = byte;
      this.#match.put(byte);
    }
  }
}

/** `count` bytes from `at` as a number, least significant first. */
function bytesAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value |= bytes[at + i]! << (8 * i);
  return value >>> 0;
}
