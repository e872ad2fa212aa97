/**
 * Literals as models see them: the reference of LiteralModels.
 *
 * A byte is predicted by the bytes before it, by its place in a word, and by a match: the place where a literal is most
 * likely continued, first the source just behind the last cover, later wherever the last bytes occurred before. Words of
 * fixed-width code come most significant byte first, since that is where the opcode is.
 * @module
 */
import { loadWord } from '../../format/words.ts';
import { REGION_KIND, type RegionKind } from '../../format/regions.ts';
import { LITERAL_BYTES, type InstructionSet, type LiteralUnits } from '../../predict/isa/instruction-set.ts';
import { instructionSetOf } from '../../predict/isa/list.ts';
import { PART, STEP_BYTES, X64Parts } from '../../predict/isa/x64-parts.ts';
import { BYTE_SETS_OF, CONTEXT_TAGS, NEAR_SETS_OF } from '../contexts.ts';
import { contextHash } from '../hash.ts';
import type { ModelCoder } from '../model-coder.ts';
import type { LiteralModels, LiteralRun } from './literal-models.ts';
import { MATCH_CONTEXT, PART_CONTEXTS, setPartContexts } from './part-contexts.ts';

const { literal: LITERAL, literalBytes: BYTES, literalMatch: MATCH } = CONTEXT_TAGS;
const { literalHalfwords: HALFWORDS, literalNear: NEAR, word: WORD } = CONTEXT_TAGS;

const MATCH_BITS = 16;
const MATCH_BYTES = 6;
const MATCH_BYTES_MIN = 5;
const ONE = [0];
/** A match that was wrong this often in its recent past is dropped. */
const TROUBLE_MAX = 24;
const TROUBLE = 8;
/** Every so many bytes of a stored block are a place where a match may begin. */
const STORED_STEP = 16;
/** As many equal bytes are no chance. */
const KNOWN_BYTES = 8;

export class ReferenceLiterals implements LiteralModels {
  readonly #coder: ModelCoder;
  /** Last place in the target of each hash of MATCH_BYTES bytes, plus one. */
  readonly #places = new Int32Array(1 << MATCH_BITS);
  /** Whether blocks were stored in this segment. */
  #hasStored = false;
  /** What the literals at hand are: code of this instruction set, and its units; null for other bytes. */
  #set: InstructionSet | null = null;
  #units: LiteralUnits = LITERAL_BYTES;
  readonly #parts = new X64Parts();
  #kind: RegionKind = REGION_KIND.raw;
  #target: Uint8Array = new Uint8Array(0);
  #end = 0;
  /** Address of the run's first byte, less its place in the target. */
  #ahead = 0;
  #match: Uint8Array = new Uint8Array(0);
  /** Where the match continues, or -1; how long it has held; how much it erred. */
  #matchAt = -1;
  #matched = 0;
  #trouble = 0;
  /** The last eight bytes as they were coded, the newest lowest in #last. */
  #last = 0;
  #older = 0;

  constructor(coder: ModelCoder) {
    this.#coder = coder;
  }

  reset(): void {
    this.#places.fill(0);
    this.#hasStored = false;
  }

  begin({ target, start, end, kind, va, follow }: LiteralRun): void {
    this.#set = instructionSetOf(kind);
    this.#units = this.#set?.literals ?? LITERAL_BYTES;
    this.#kind = kind;
    this.#target = target;
    this.#end = end;
    this.#ahead = va - start;
    this.#match = follow;
    this.#matchAt = follow.length > 0 ? 0 : -1;
    this.#matched = 0;
    this.#trouble = 0;
    this.#remember(start);
  }

  /** What comes before `at` is not coded by models. */
  #remember(at: number): void {
    const target = this.#target;
    this.#last = history(target, at);
    this.#older = history(target, at - 4);
    if (this.#units.by !== 'instructions') return;
    this.#parts.begin();
    for (let i = Math.max(0, at - STEP_BYTES); i < at; i++) this.#parts.next(target[i]!);
  }

  code(from: number, to: number): number {
    let at = from;
    while (at < to) {
      const place = at + this.#ahead;
      if (this.#units.by === 'words' && (place & 3) === 0 && at + 4 <= this.#end) {
        this.#word(at, place);
        at += 4;
        continue;
      }
      if (this.#units.by === 'instructions') at += this.#part(at, place);
      else at += this.#unit(at, Math.min(this.#units.most(place), this.#end - at), place);
    }
    return at;
  }

  stored(at: number, end: number): void {
    const target = this.#target;
    for (let next = at + STORED_STEP; next <= end; next += STORED_STEP) {
      this.#note(target, next);
    }
    this.#hasStored = true;
    this.#matchAt = -1;
    this.#matched = 0;
    this.#trouble = 0;
    this.#remember(end);
  }

  isKnown(at: number, end: number): boolean {
    const target = this.#target;
    for (let next = at + KNOWN_BYTES; next <= end; next++) {
      const place = this.#places[placeHash(target, next)]! - 1;
      if (place >= KNOWN_BYTES && sameBefore(target, place, next, KNOWN_BYTES)) return true;
    }
    return false;
  }

  /**
   * A unit of code of variable length, or a byte of anything else; returns its length, at most `most`. References are
   * coded as the places they lead to, bytes in the order in which they tell most of the following ones.
   */
  #unit(at: number, most: number, va: number): number {
    const target = this.#target;
    if (most === 3) most = 2;
    const from = this.#expectedAt(at, most);
    const actual = this.#coder.encoding ? bytesAt(target, at, most) : 0;
    const set = most === 4 ? this.#set : null;
    const coded = set?.absolute(actual, va, 1) ?? actual;
    const seen = from < 0 ? 0 : bytesAt(this.#match, from, most);
    const expected = set?.absolute(seen, va, 1) ?? seen;
    let order = this.#orderOf(most, -1);
    let value = 0;
    let holds = from >= 0;
    for (let i = 0; i < order.length; i++) {
      const shift = 8 * order[i]!;
      const e = holds ? (expected >>> shift) & 255 : -1;
      const phase = most === 1 ? va & 3 : (i + order.length) & 7;
      const byte = this.#byte((coded >>> shift) & 255, phase, e);
      value |= byte << shift;
      if (byte !== e) holds = false;
      if (i === 0) order = this.#orderOf(most, byte);
    }
    const length = order.length;
    const plain = length === 4 ? this.#set!.absolute(value >>> 0, va, -1) : value;
    if (!this.#coder.encoding) for (let i = 0; i < length; i++) target[at + i] = plain >>> (8 * i);
    this.#followed(at, length, from < 0 || holds);
    return length;
  }

  #orderOf(most: number, first: number): readonly number[] {
    return most === 1 ? ONE : this.#units.order(most, first);
  }

  /** One byte, given the coded bytes before; `expected` is what the match says, or -1. */
  #byte(value: number, phase: number, expected: number): number {
    const kind = this.#kind;
    const contexts = this.#coder.contexts;
    const last = this.#last;
    const older = this.#older;
    const tag = 32 + kind;
    contexts[0] = contextHash(LITERAL, tag, phase);
    contexts[1] = contextHash(LITERAL + 1, tag, ((last & 0xff) << 3) | phase);
    contexts[2] = contextHash(LITERAL + 2, tag, last & 0xffffff);
    contexts[3] = contextHash(LITERAL + 3, tag, last, older & 0xffff);
    contexts[4] = contextHash(LITERAL + 4, tag, ((older >>> 24) << 11) | ((last >>> 24) << 3) | phase);
    if (this.#units.by === 'halfwords') {
      contexts[5] = contextHash(HALFWORDS, tag, ((last & 0xff00) << 3) | phase);
      contexts[6] = contextHash(HALFWORDS + 1, tag, ((last & 0xff0000) << 3) | phase);
      contexts[7] = contextHash(HALFWORDS + 2, tag, last & 0xff00ff00, phase);
      contexts[9] = contextHash(HALFWORDS + 3, tag, ((older & 0xffff) << 3) | phase);
    } else {
      contexts[5] = contextHash(BYTES, tag);
      contexts[6] = contextHash(BYTES + 1, tag, last & 0xffff);
      contexts[7] = contextHash(BYTES + 2, tag, ((last >>> 24) << 3) | phase);
      contexts[9] = contextHash(NEAR, tag, ((last & 0xff00) << 3) | phase);
    }
    contexts[8] = this.#matchContext(expected);
    const set = BYTE_SETS_OF.literal + (kind << 5) + (expected < 0 ? 0 : 1 + Math.min(15, this.#matched >> 1));
    this.#coder.work.spent += 8 * 10;
    const coded = this.#coder.byte(value, 10, set, NEAR_SETS_OF.literal + (last & 0xff));
    this.#older = (older << 8) | (last >>> 24);
    this.#last = (last << 8) | coded;
    return coded;
  }

  /** A byte of x86-64, or all four of a distance, as the place that it leads to, its most significant byte first. */
  #part(at: number, va: number): number {
    const target = this.#target;
    const parts = this.#parts;
    const { place, tail } = parts;
    const isWhole = parts.isDistance && parts.part === PART.displacement && parts.left === 4 && at + 4 <= this.#end;
    const count = isWhole ? 4 : 1;
    const absolute = (word: number, sign: 1 | -1): number =>
      isWhole ? this.#set!.absolute(word, va + tail, sign) : word;
    const from = this.#expectedAt(at, count);
    const coded = this.#coder.encoding ? absolute(bytesAt(target, at, count), 1) : 0;
    const expected = from < 0 ? 0 : absolute(bytesAt(this.#match, from, count), 1);
    let value = 0;
    let holds = from >= 0;
    for (let left = count - 1; left >= 0; left--) {
      const e = holds ? (expected >>> (8 * left)) & 255 : -1;
      const field = isWhole ? value : parts.field;
      setPartContexts(this.#coder.contexts, parts, place - (count - 1 - left), field, this.#last, this.#older);
      const byte = this.#partByte((coded >>> (8 * left)) & 255, place - (count - 1 - left), e);
      value = (value << 8) | byte;
      if (byte !== e) holds = false;
    }
    const plain = absolute(value >>> 0, -1);
    for (let i = 0; i < count; i++) {
      if (!this.#coder.encoding) target[at + i] = plain >>> (8 * i);
      parts.next(target[at + i]!);
    }
    this.#followed(at, count, from < 0 || holds);
    return count;
  }

  #partByte(value: number, place: number, expected: number): number {
    const last = this.#last;
    const level = expected < 0 ? 0 : 1 + Math.min(2, this.#matched >> 3);
    this.#coder.contexts[MATCH_CONTEXT] = this.#matchContext(expected);
    this.#coder.work.spent += 8 * PART_CONTEXTS;
    const set = BYTE_SETS_OF.part + (place << 2) + level;
    const coded = this.#coder.byte(value, PART_CONTEXTS, set, NEAR_SETS_OF.literal + (last & 0xff));
    this.#older = (this.#older << 8) | (last >>> 24);
    this.#last = (last << 8) | coded;
    return coded;
  }

  #matchContext(expected: number): number {
    if (expected < 0) return contextHash(MATCH, this.#last & 0xff);
    return contextHash(MATCH + 1, (Math.min(24, this.#matched) << 8) | expected, Math.min(7, this.#trouble >> 2));
  }

  #word(at: number, va: number): void {
    const target = this.#target;
    const kind = this.#kind;
    const contexts = this.#coder.contexts;
    const set = this.#set!;
    const before = wordBefore(target, at);
    const second = wordBefore(target, at - 4);
    const third = wordBefore(target, at - 8);
    const from = this.#expectedAt(at, 4);
    const expected = from < 0 ? 0 : set.absolute(bytesAt(this.#match, from, 4), va, 1);
    const actual = this.#coder.encoding ? set.absolute(bytesAt(target, at, 4), va, 1) : 0;
    let value = 0;
    let holds = from >= 0;
    this.#coder.work.spent += 4 * 8 * 9;
    for (let left = 3; left >= 0; left--) {
      const shift = 8 * left;
      const e = (expected >>> shift) & 255;
      const tag = (kind << 2) | left;
      contexts[0] = contextHash(WORD, tag, value, before);
      contexts[1] = contextHash(WORD + 1, tag, value & 255, (before >>> shift) & 255);
      contexts[2] = contextHash(WORD + 2, tag, value, second);
      contexts[3] = contextHash(WORD + 3, tag, value & 255);
      contexts[4] = contextHash(WORD + 4, tag, value, before ^ Math.imul(third, 0x9e3779b1));
      contexts[5] = contextHash(WORD + 5, tag, value, (before >>> 16) | (second & 0xffff0000));
      contexts[6] = contextHash(
        WORD + 6,
        tag,
        value,
        ((before >>> 24) << 16) | ((second >>> 24) << 8) | (third >>> 24),
      );
      contexts[7] = contextHash(WORD + 7, tag, value & 31, before & 31);
      contexts[8] = holds
        ? contextHash(WORD + 8, tag, (Math.min(16, this.#matched) << 8) | e, Math.min(7, this.#trouble >> 2))
        : contextHash(WORD + 9, tag, value);
      const weights = BYTE_SETS_OF.word + (kind << 6) + left + (holds ? 4 + Math.min(6, this.#matched >> 2) * 4 : 0);
      const near = NEAR_SETS_OF.word + (left << 8) + (left === 3 ? before >>> 24 : value & 255);
      const byte = this.#coder.byte((actual >>> shift) & 255, 9, weights, near);
      if (byte !== e) holds = false;
      value = (value << 8) | byte;
    }
    const plain = set.absolute(value >>> 0, va, -1);
    if (!this.#coder.encoding) for (let i = 0; i < 4; i++) target[at + i] = plain >>> (8 * i);
    this.#followed(at, 4, from < 0 || holds);
    this.#last = history(target, at + 4);
    this.#older = history(target, at);
  }

  /** Where the match has the next `count` bytes, or -1 when there is none. */
  #expectedAt(at: number, count: number): number {
    const target = this.#target;
    if (this.#trouble > TROUBLE_MAX) this.#matchAt = -1;
    if (this.#matchAt < 0 || this.#matched < 8) this.#findMatch(target, at);
    if (this.#looksBack) this.#note(target, at);
    const available = this.#match === target ? at : this.#match.length;
    if (this.#matchAt + count > available) this.#matchAt = -1;
    return this.#matchAt;
  }

  /**
   * Whether a place is noted after it was looked for. Words and data are found again by their contexts, which a match would
   * only dilute: there a place is noted first and finds itself. Code of other lengths, and what was stored, needs the match.
   */
  get #looksBack(): boolean {
    return this.#hasStored || this.#units.by === 'halfwords' || this.#units.by === 'instructions';
  }

  #note(target: Uint8Array, place: number): void {
    if (place >= MATCH_BYTES) this.#places[placeHash(target, place)] = place + 1;
  }

  /** A longer match among the target bytes of this segment, if the last bytes occurred before. */
  #findMatch(target: Uint8Array, at: number): void {
    if (at < MATCH_BYTES) return;
    const place = this.#places[placeHash(target, at)]! - 1;
    if (place < 0) return;
    let length = 0;
    while (length < 32 && place - length > 0 && target[place - 1 - length] === target[at - 1 - length]) length++;
    if (length < MATCH_BYTES_MIN || (this.#matchAt >= 0 && length <= this.#matched)) return;
    this.#match = target;
    this.#matchAt = place;
    this.#matched = length;
    this.#trouble = 0;
  }

  #followed(at: number, count: number, held: boolean): void {
    if (this.#matchAt >= 0) {
      this.#matchAt += count;
      this.#matched = held ? Math.min(60, this.#matched + count) : 0;
      this.#trouble = held ? Math.max(0, this.#trouble - 1) : this.#trouble + TROUBLE;
    }
    if (!this.#looksBack) this.#note(this.#target, at + count);
  }
}

function sameBefore(bytes: Uint8Array, a: number, b: number, count: number): boolean {
  for (let i = 1; i <= count; i++) if (bytes[a - i] !== bytes[b - i]) return false;
  return true;
}

function placeHash(bytes: Uint8Array, at: number): number {
  const low = bytes[at - 1]! | (bytes[at - 2]! << 8) | (bytes[at - 3]! << 16);
  const high = bytes[at - 4]! | (bytes[at - 5]! << 8) | (bytes[at - 6]! << 16);
  return (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b) ^ (low >>> 3)) >>> (32 - MATCH_BITS);
}

/** `count` bytes from `at` as a number, least significant first. */
function bytesAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value |= bytes[at + i]! << (8 * i);
  return value >>> 0;
}

/** The four bytes before `at`, as a word in memory order (little-endian). */
function wordBefore(bytes: Uint8Array, at: number): number {
  return at < 4 ? 0 : loadWord(bytes, at - 4);
}

/** The four bytes before `at`, the nearest one lowest. */
function history(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 4; i >= 1; i--) value = (value << 8) | (at - i >= 0 ? bytes[at - i]! : 0);
  return value >>> 0;
}
