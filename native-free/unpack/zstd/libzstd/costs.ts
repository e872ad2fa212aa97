/**
 * Which of several ways to code a block the reference implementation would take, near enough to be a guess: bits are
 * counted as it counts them, but with a logarithm of straight lines, which is the same on every machine.
 * @module
 */
import { BitWriter } from '../../deflate/bit-writer.ts';
import type { CodeKind } from '../codes.ts';
import { writeTable, type FseTable } from '../fse.ts';
import { LITERALS } from '../literals.ts';
import { MODE } from '../sequences.ts';
import { bitsOf } from '../huffman.ts';
import { writeTree, type HuffmanTree } from '../tree.ts';

const HUGE = 2 ** 40;
/** Fewer literals than that are never worth a code; more of them must have a common one. */
const LITERALS_MIN = 16;

/** log2 of a positive integer in 1/256. */
function logOf(value: number): number {
  const whole = 31 - Math.clz32(value);
  return (whole << 8) + Math.floor((value * 256) / 2 ** whole) - 256;
}

/** Bits that a table needs for these codes; huge where it has no state for one. */
function bitsIn({ log, frequencies }: FseTable, counts: Uint32Array): number {
  let cost = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    const count = counts[symbol]!;
    if (count === 0) continue;
    const frequency = Math.abs(frequencies[symbol] ?? 0);
    if (frequency === 0) return HUGE;
    cost += count * ((log << 8) - logOf(frequency));
  }
  return cost / 256;
}

/** The mode for a kind of codes. `own` is the table that they would get, `before` the one in force. */
export function usualMode(
  kind: CodeKind,
  counts: Uint32Array,
  total: number,
  own: FseTable | null,
  before: FseTable | null,
): number {
  const isDefault = counts.length <= kind.predefined.frequencies.length;
  if (Math.max(...counts) === total) return isDefault && total <= 2 ? MODE.predefined : MODE.single;
  const plain = bitsIn(kind.predefined, counts);
  const repeated = before === null ? HUGE : bitsIn(before, counts);
  let mine = HUGE;
  if (own !== null) {
    const writer = new BitWriter(0);
    writeTable(writer, own);
    mine = writer.at * 8 + bitsIn(own, counts);
  }
  if (plain <= repeated && plain <= mine) return MODE.predefined;
  return repeated <= mine ? MODE.repeat : MODE.own;
}

function literalBytes(weights: Uint8Array, counts: Uint32Array): number {
  const longest = bitsOf(weights) + 1;
  let bits = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    if (counts[symbol] === 0) continue;
    const weight = weights[symbol] ?? 0;
    if (weight === 0) return HUGE;
    bits += counts[symbol]! * (longest - weight);
  }
  return bits >> 3;
}

/** The mode for literals with these counts. `own` is the code that they would get, `before` the one in force. */
export function usualLiterals(
  counts: Uint32Array,
  size: number,
  own: HuffmanTree | null,
  before: Uint8Array | null,
): number {
  if (size < LITERALS_MIN) return LITERALS.raw;
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  if (most === size) return LITERALS.rle;
  if (own === null || most <= (size >> 7) + 4) return LITERALS.raw;
  const writer = new BitWriter(0);
  writeTree(writer, own);
  const repeated = before === null ? HUGE : literalBytes(before, counts);
  const mine = writer.at + literalBytes(own.weights, counts);
  if (Math.min(repeated, mine) >= size - (size >> 6) - 2) return LITERALS.raw;
  return repeated <= mine ? LITERALS.treeless : LITERALS.compressed;
}

/** How wide the head of so many literals is. */
export function usualSizeFormat(mode: number, size: number, hasCode: boolean): number {
  if (mode < LITERALS.compressed) return size < 32 ? 0 : size < 4096 ? 1 : 3;
  if (size >= 16_384) return 3;
  if (size >= 1024) return 2;
  return size < 256 || (hasCode && mode === LITERALS.treeless) ? 0 : 1;
}
