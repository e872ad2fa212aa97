/**
 * Finite state entropy (RFC 8878, 4.1): tables by the frequencies of their symbols, their descriptions, and what decoding
 * and encoding need of them.
 *
 * A table has 2^log states, shared out by frequency; a frequency of -1 is less than one and has one state. Encoding goes
 * backwards, and begins in the state that the reference implementation takes: the one that says most of its symbol.
 * @module
 */
import type { BitWriter } from '../deflate/bit-writer.ts';
import { malformed } from '../tokens.ts';

export const LOG_MIN = 5;
/** Zeros behind a zero come in such numbers, while more follow. */
const ZEROS_MORE = 3;

export class FseTable {
  readonly log: number;
  /** By symbol, -1 for less than one. They share the states exactly. */
  readonly frequencies: Int16Array;
  #decoding: Uint32Array | null = null;
  #encoding: FseEncoding | null = null;

  constructor(log: number, frequencies: Int16Array) {
    this.log = log;
    this.frequencies = frequencies;
  }

  /** By state: the symbol, bits to read (from bit 8), and what to add to them for the next state (from bit 16). */
  get decoding(): Uint32Array {
    this.#decoding ??= decodingOf(this);
    return this.#decoding;
  }

  get encoding(): FseEncoding {
    this.#encoding ??= encodingOf(this);
    return this.#encoding;
  }

  isSame(other: FseTable): boolean {
    if (this.log !== other.log || this.frequencies.length !== other.frequencies.length) return false;
    return this.frequencies.every((frequency, symbol) => frequency === other.frequencies[symbol]);
  }
}

/** All states have the one symbol, and nothing is written. */
export function singleTable(symbol: number): FseTable {
  const frequencies = new Int16Array(symbol + 1);
  frequencies[symbol] = 1;
  return new FseTable(0, frequencies);
}

/** Which symbol each state has. */
function spread({ log, frequencies }: FseTable): Uint8Array {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  let high = size - 1;
  frequencies.forEach((frequency, symbol) => {
    if (frequency === -1) symbols[high--] = symbol;
  });
  const step = (size >> 1) + (size >> 3) + 3;
  let state = 0;
  for (let symbol = 0; symbol < frequencies.length; symbol++) {
    for (let left = frequencies[symbol]!; left > 0; left--) {
      symbols[state] = symbol;
      do state = (state + step) & (size - 1);
      while (state > high);
    }
  }
  return symbols;
}

function decodingOf(table: FseTable): Uint32Array {
  const { log, frequencies } = table;
  const symbols = spread(table);
  const next = Uint16Array.from(frequencies, Math.abs);
  const decoding = new Uint32Array(symbols.length);
  for (let state = 0; state < symbols.length; state++) {
    const symbol = symbols[state]!;
    const place = next[symbol]!++;
    const bits = log - (31 - Math.clz32(place));
    decoding[state] = symbol | (bits << 8) | (((place << bits) - symbols.length) << 16);
  }
  return decoding;
}

/**
 * States are kept with the table's size added. Bits that a symbol takes from a state: (state + deltaBits) >> 16; the state
 * behind it: states[(state >> bits) + deltaState].
 */
export interface FseEncoding {
  readonly states: Uint16Array;
  readonly deltaBits: Int32Array;
  readonly deltaState: Int32Array;
}

function encodingOf(table: FseTable): FseEncoding {
  const { log, frequencies } = table;
  const size = 1 << log;
  const first = new Uint16Array(frequencies.length);
  const deltaBits = new Int32Array(frequencies.length);
  const deltaState = new Int32Array(frequencies.length);
  let total = 0;
  frequencies.forEach((signed, symbol) => {
    const frequency = Math.abs(signed);
    first[symbol] = total;
    if (frequency === 0) return;
    const bits = frequency === 1 ? log : log - (31 - Math.clz32(frequency - 1));
    deltaBits[symbol] = (bits << 16) - (frequency << bits);
    deltaState[symbol] = total - frequency;
    total += frequency;
  });
  const states = new Uint16Array(size);
  spread(table).forEach((symbol, state) => {
    states[first[symbol]!++] = size + state;
  });
  return { states, deltaBits, deltaState };
}

/** The state to begin with, which makes its symbol the last to be decoded. */
export function firstState({ states, deltaBits, deltaState }: FseEncoding, symbol: number): number {
  const bits = (deltaBits[symbol]! + 0x8000) >> 16;
  return states[(((bits << 16) - deltaBits[symbol]!) >> bits) + deltaState[symbol]!]!;
}

/** @throws UpdateError unit_malformed where the table has no state for it */
export function checkSymbol({ frequencies }: FseTable, symbol: number): void {
  if (symbol >= frequencies.length || frequencies[symbol] === 0) malformed('zstd', `a table has no symbol ${symbol}`);
}

/**
 * A table's description in `[at, end)` of `bytes`, and where it ends.
 * @throws UpdateError unit_malformed
 */
export function readTable(
  bytes: Uint8Array,
  at: number,
  end: number,
  logMax: number,
  symbolMax: number,
): { readonly table: FseTable; readonly end: number } {
  let position = at * 8;
  const peek = (count: number): number => {
    const byte = position >> 3;
    const word = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8) | ((bytes[byte + 2] ?? 0) << 16);
    return (word >> (position & 7)) & ((1 << count) - 1);
  };
  const take = (count: number): number => {
    const value = peek(count);
    position += count;
    if (position > end * 8) malformed('zstd', `the table at byte ${at} is cut off`);
    return value;
  };
  const log = take(4) + LOG_MIN;
  if (log > logMax) malformed('zstd', `a table has 2^${log} states`);
  const frequencies: number[] = [];
  for (let left = 1 << log; left > 0;) {
    const [frequency, bits] = frequencyOf(peek(log + 2), left);
    take(bits);
    frequencies.push(frequency);
    left -= Math.abs(frequency);
    for (let zeros = frequency === 0 ? ZEROS_MORE : 0; zeros === ZEROS_MORE;) {
      zeros = take(2);
      for (let i = 0; i < zeros; i++) frequencies.push(0);
      if (frequencies.length > symbolMax + 1) break;
    }
    if (frequencies.length > symbolMax + 1) malformed('zstd', `a table has more than ${symbolMax + 1} symbols`);
  }
  return { table: new FseTable(log, Int16Array.from(frequencies)), end: (position + 7) >> 3 };
}

/**
 * Values from 0 to left + 1 (a frequency and one): the small ones in a bit less than the large ones. How many are small,
 * how many bits the large ones have.
 */
function widths(left: number): { readonly bits: number; readonly spare: number } {
  const bits = 32 - Math.clz32(left + 1);
  return { bits, spare: (1 << bits) - 1 - (left + 1) };
}

/** A frequency and its bits, in the bits that follow. */
function frequencyOf(word: number, left: number): readonly [number, number] {
  const { bits, spare } = widths(left);
  const half = 1 << (bits - 1);
  const low = word & (half - 1);
  if (low < spare) return [low - 1, bits - 1];
  const value = word & (2 * half - 1);
  return [(value >= half ? value - spare : value) - 1, bits];
}

/** Writes what `readTable` reads. */
export function writeTable(writer: BitWriter, { log, frequencies }: FseTable): void {
  writer.bits(log - LOG_MIN, 4);
  let left = 1 << log;
  for (let symbol = 0; symbol < frequencies.length && left > 0;) {
    const frequency = frequencies[symbol++]!;
    const { bits, spare } = widths(left);
    const half = 1 << (bits - 1);
    const value = frequency + 1;
    if (value < spare) writer.bits(value, bits - 1);
    else writer.bits(value >= half ? value + spare : value, bits);
    left -= Math.abs(frequency);
    if (frequency !== 0) continue;
    let zeros = 0;
    while (frequencies[symbol] === 0) {
      zeros++;
      symbol++;
    }
    for (; zeros >= ZEROS_MORE; zeros -= ZEROS_MORE) writer.bits(ZEROS_MORE, 2);
    writer.bits(zeros, 2);
  }
  writer.align(0);
}
