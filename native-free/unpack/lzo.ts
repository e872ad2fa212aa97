/**
 * LZO1X blocks to tokens and back, as lzop, squashfs and the kernel have them.
 *
 * After the kernel's Documentation/staging/lzo.rst. A block is a list of matches, each with up to three literals behind
 * it, and of longer runs of literals; it ends in a match of a distance that none can have. What a byte below 16 means
 * depends on the literals before it. Writers have three choices: how the first literals are said, and a match of middle
 * length may be said as a long one in two places. All known writers go by a rule there; params keep what does not.
 * @module
 */
import { BitWriter } from './deflate/bit-writer.ts';
import { ContentBuffer } from './content-buffer.ts';
import { malformed, OP, TokenList, type Unpacked, type UnpackLimits } from './tokens.ts';

/** Lowest bytes of the kinds of instructions. Below the first of them: literals, or a match near by. */
const FAR = 16;
const LONG = 32;
const SHORT = 64;
/** A first byte over this is a number of literals and this. */
const FIRST_RUN = 17;
const FIRST_RUN_MAX = 238;
/** Literals that fit a match's low bits, and what fewer of them do not say. */
const TAIL_MAX = 3;
const RUN_MIN = 4;
const RUN_SHORT_MAX = 18;
/** Behind a long run a match near by has three bytes, and lies behind those of short matches. */
const NEAR_DISTANCE_MAX = 1024;
const SHORT_DISTANCE_MAX = 2048;
const LONG_DISTANCE_MAX = 16_384;
export const LZO_DISTANCE_MAX = 49_151;
const SHORT_LENGTH_MAX = 8;
const LONG_LENGTH_MAX = 33;
const FAR_LENGTH_MAX = 9;
const END = [17, 0, 0] as const;
/** A guess at what a byte unpacks to. */
const CONTENT_FOR_PACKED = 3;

export interface LzoParams {
  /** The first literals are said by the first byte alone, as they may be up to 238. */
  readonly hasFirstRun: boolean;
  /** Short matches behind a long run use the instruction that is for them (LZO1X-999), not a long one (LZO1X-1). */
  readonly usesNear: boolean;
  /** Matches that could go by the rules and do not, counted among those that could. */
  readonly exceptions: readonly number[];
}

/** How many literals the instruction before had, as far as the next one's meaning goes. */
const STATE = { none: 0, long: 4 } as const;

/** Which choice there is for a match: none, short or long, near or long. */
const CHOICE = { none: 0, short: 1, near: 2 } as const;

function choiceOf(length: number, distance: number, state: number): number {
  if (length < 3) return CHOICE.none;
  if (length <= SHORT_LENGTH_MAX && distance <= SHORT_DISTANCE_MAX) return CHOICE.short;
  const isNear = length === 3 && distance <= SHORT_DISTANCE_MAX + NEAR_DISTANCE_MAX && state === STATE.long;
  return isNear ? CHOICE.near : CHOICE.none;
}

class LzoReader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  byte(): number {
    if (this.at >= this.bytes.length) malformed('lzo', `it ends at byte ${this.at}, inside an instruction`);
    return this.bytes[this.at++]!;
  }

  take(count: number): Uint8Array {
    if (count > this.bytes.length - this.at) malformed('lzo', `literals at byte ${this.at} are cut off`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** A length whose field is `field` (0: the largest, `full`, and bytes to add), `least` added. */
  length(field: number, full: number, least: number): number {
    if (field > 0) return least + field;
    let length = least + full;
    for (;;) {
      const byte = this.byte();
      if (byte > 0) return length + byte;
      length += 255;
    }
  }
}

/** What of the choices was taken: of each kind, which ones by the special instruction and which by the long one. */
class Choices {
  #count = 0;
  readonly #shortAsLong: number[] = [];
  readonly #near: number[] = [];
  readonly #nearAsLong: number[] = [];

  note(choice: number, isLong: boolean): void {
    if (choice === CHOICE.none) return;
    const at = this.#count++;
    if (choice === CHOICE.near) (isLong ? this.#nearAsLong : this.#near).push(at);
    else if (isLong) this.#shortAsLong.push(at);
  }

  params(hasFirstRun: boolean): LzoParams {
    const usesNear = this.#near.length > this.#nearAsLong.length;
    const others = usesNear ? this.#nearAsLong : this.#near;
    const exceptions = [...this.#shortAsLong, ...others].sort((a, b) => a - b);
    return { hasFirstRun, usesNear, exceptions };
  }
}

/**
 * The block at the start of `packed`; what follows is not looked at.
 * @throws UpdateError unit_malformed
 */
export function unpackLzo(packed: Uint8Array, limits: UnpackLimits): Unpacked<LzoParams> {
  const reader = new LzoReader(packed);
  const content = new ContentBuffer('lzo', limits.contentBytesMax, packed.length * CONTENT_FOR_PACKED, limits.isExact);
  const tokens = new TokenList(limits.tokensMax ?? limits.contentBytesMax);
  const choices = new Choices();
  const literals = (count: number): void => {
    if (count > content.allowed) malformed('lzo', `${count} literals, where at most ${content.allowed} bytes may come`);
    content.append(reader.take(count));
    tokens.pushLiterals(count);
  };
  const hasFirstRun = packed.length > 0 && packed[0]! > FIRST_RUN;
  let state: number = STATE.none;
  if (hasFirstRun) {
    const count = reader.byte() - FIRST_RUN;
    literals(count);
    state = Math.min(count, STATE.long);
  }
  for (;;) {
    const first = reader.byte();
    if (first < FAR && state === STATE.none) {
      literals(reader.length(first, RUN_SHORT_MAX - TAIL_MAX, TAIL_MAX));
      state = STATE.long;
      continue;
    }
    const { length, distance, tail } = readMatch(reader, first, state);
    if (distance === LONG_DISTANCE_MAX && first >= FAR && first < LONG) {
      if (length !== 3 || tail !== 0) malformed('lzo', 'the end is not said as everyone does');
      return { content: content.finish(), tokens, params: choices.params(hasFirstRun), packedBytes: reader.at };
    }
    if (length > content.allowed) malformed('lzo', `a match of ${length} bytes at byte ${reader.at} is too long`);
    choices.note(choiceOf(length, distance, state), first >= LONG && first < SHORT);
    content.repeat(length, distance);
    tokens.push(OP.match, length, distance);
    literals(tail);
    state = tail;
  }
}

/** A match that begins with `first`; `tail` literals follow it. */
function readMatch(
  reader: LzoReader,
  first: number,
  state: number,
): { readonly length: number; readonly distance: number; readonly tail: number } {
  if (first >= SHORT) {
    const length = first >= 2 * SHORT ? 5 + ((first >> 5) & 3) : 3 + ((first >> 5) & 1);
    return { length, distance: (reader.byte() << 3) + ((first >> 2) & 7) + 1, tail: first & 3 };
  }
  if (first < FAR) {
    const distance = (reader.byte() << 2) + (first >> 2) + 1;
    const isLong = state === STATE.long;
    return { length: isLong ? 3 : 2, distance: distance + (isLong ? SHORT_DISTANCE_MAX : 0), tail: first & 3 };
  }
  const isFar = first < LONG;
  const length = isFar
    ? reader.length(first & 7, FAR_LENGTH_MAX - 2, 2)
    : reader.length(first & 31, LONG_LENGTH_MAX - 2, 2);
  const word = reader.byte() | (reader.byte() << 8);
  const distance = isFar ? LONG_DISTANCE_MAX + ((first & 8) << 11) + (word >> 2) : (word >> 2) + 1;
  return { length, distance, tail: word & 3 };
}

/**
 * Exactly what was unpacked.
 * @throws UpdateError unit_malformed where the tokens do not make the content, or LZO cannot say them
 */
export function packLzo(content: Uint8Array, tokens: TokenList, params: LzoParams): Uint8Array {
  const writer = new LzoWriter(content, params);
  let literalsFrom = 0;
  let at = 0;
  for (let i = 0; i < tokens.count; i++) {
    const length = tokens.lengthAt(i);
    const distance = tokens.distanceAt(i);
    if (length > content.length - at) malformed('lzo', `tokens make more than the content's ${content.length} bytes`);
    if (tokens.opAt(i) !== OP.literal) {
      if (tokens.opAt(i) !== OP.match || distance < 1 || distance > Math.min(at, LZO_DISTANCE_MAX) || length < 2)
        malformed('lzo', `token ${i} is none of LZO's (${tokens.opAt(i)}, ${length}, ${distance})`);
      writer.run(literalsFrom, at);
      writer.match(length, distance);
      literalsFrom = at + length;
    } else if (length !== 1) malformed('lzo', `the literal ${i} has length ${length}`);
    at += length;
  }
  if (at !== content.length) malformed('lzo', `tokens make ${at} of the content's ${content.length} bytes`);
  writer.run(literalsFrom, at);
  return writer.finish();
}

class LzoWriter {
  readonly #content: Uint8Array;
  readonly #params: LzoParams;
  readonly #writer: BitWriter;
  #state: number = STATE.none;
  /** Where the low bits of the last match are; -1 before the first. */
  #tailAt = -1;
  #choices = 0;
  #nextException = 0;

  constructor(content: Uint8Array, params: LzoParams) {
    this.#content = content;
    this.#params = params;
    this.#writer = new BitWriter(content.length >> 1);
  }

  /** Literals before a match or the end. */
  run(from: number, to: number): void {
    const writer = this.#writer;
    const count = to - from;
    const isFirst = writer.at === 0;
    if (isFirst && count > 0 && this.#params.hasFirstRun) {
      if (count > FIRST_RUN_MAX) malformed('lzo', `a first run of ${count} literals is too long`);
      writer.bits(FIRST_RUN + count, 8);
    } else if (count > 0 && count < RUN_MIN) {
      if (this.#tailAt < 0) malformed('lzo', `there is no match for ${count} literals to follow`);
      writer.bytes[this.#tailAt]! |= count;
    } else if (count > 0) {
      writer.bits(count <= RUN_SHORT_MAX ? count - TAIL_MAX : 0, 8);
      this.#more(count, RUN_SHORT_MAX);
    }
    writer.append(this.#content.subarray(from, to));
    this.#state = Math.min(count, STATE.long);
  }

  match(length: number, distance: number): void {
    const writer = this.#writer;
    const choice = choiceOf(length, distance, this.#state);
    if (length === 2) {
      if (distance > NEAR_DISTANCE_MAX || this.#state === STATE.none || this.#state === STATE.long)
        malformed('lzo', `a match of two bytes cannot stand at byte ${writer.at}`);
      this.#near(distance - 1);
    } else if (choice !== CHOICE.none && !this.#isLong(choice)) {
      if (choice === CHOICE.near) return this.#near(distance - 1 - SHORT_DISTANCE_MAX);
      const lengthBits = length <= 4 ? SHORT + ((length - 3) << 5) : 2 * SHORT + ((length - 5) << 5);
      this.#tailAt = writer.at;
      writer.bits(lengthBits | (((distance - 1) & 7) << 2), 8);
      writer.bits((distance - 1) >> 3, 8);
    } else if (distance <= LONG_DISTANCE_MAX) this.#long(LONG, length, LONG_LENGTH_MAX, distance - 1);
    else {
      const rest = distance - LONG_DISTANCE_MAX;
      this.#long(FAR | ((rest >> 11) & 8), length, FAR_LENGTH_MAX, rest & 0x3fff);
    }
  }

  finish(): Uint8Array {
    for (const byte of END) this.#writer.bits(byte, 8);
    return this.#writer.finish();
  }

  /** Whether a match that has a choice is said in the long way. */
  #isLong(choice: number): boolean {
    const { usesNear, exceptions } = this.#params;
    const isException = exceptions[this.#nextException] === this.#choices++;
    if (isException) this.#nextException++;
    return isException !== (choice === CHOICE.near && !usesNear);
  }

  #near(distance: number): void {
    this.#tailAt = this.#writer.at;
    this.#writer.bits((distance & 3) << 2, 8);
    this.#writer.bits(distance >> 2, 8);
  }

  #long(kind: number, length: number, lengthMax: number, distance: number): void {
    this.#writer.bits(kind | (length <= lengthMax ? length - 2 : 0), 8);
    this.#more(length, lengthMax);
    this.#tailAt = this.#writer.at;
    this.#writer.bits(distance << 2, 16);
  }

  /** What of a length is over the largest that its field says. */
  #more(length: number, max: number): void {
    let rest = length - max;
    if (rest <= 0) return;
    for (; rest > 255; rest -= 255) this.#writer.bits(0, 8);
    this.#writer.bits(rest, 8);
  }
}
