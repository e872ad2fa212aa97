/**
 * Tables and Huffman codes of a zstd block: a flag where they are the usual ones, else spelled out.
 * @module
 */
import type { NumberCoder } from '../../model/number-coder.ts';
import { malformed } from '../tokens.ts';
import { FseTable, LOG_MIN } from '../zstd/fse.ts';
import { CODE_BITS_MAX, SYMBOLS } from '../zstd/huffman.ts';
import { usualTree, usualWeightsTable } from '../zstd/libzstd/tree.ts';
import { checkWeights, type HuffmanTree } from '../zstd/tree.ts';
import { codeBounded } from './fields.ts';
import { FLAG, NUMBER } from './zstd-kinds.ts';

const WEIGHTS_LOG_MAX = 6;

/** A table whose usual form is `usual`. @throws UpdateError unit_malformed */
export function codeTable(
  numbers: NumberCoder,
  given: FseTable | null,
  usual: FseTable | null,
  logMax: number,
  symbolMax: number,
  flag: number,
): FseTable {
  const isUsual = usual !== null && numbers.flag(given?.isSame(usual) ?? false, flag, logMax);
  if (isUsual) return usual;
  const expected = usual?.log ?? logMax;
  const log = LOG_MIN + codeBounded(numbers, (given?.log ?? 0) - LOG_MIN, logMax - LOG_MIN, NUMBER.log, expected);
  const frequencies: number[] = [];
  for (let left = 1 << log, before = 0; left > 0;) {
    const symbol = frequencies.length;
    if (symbol > symbolMax) malformed('zstd', `a table has more than ${symbol} symbols`);
    const guess = Math.min((usual?.frequencies[symbol] ?? -2) + 2, 255);
    const value = (given?.frequencies[symbol] ?? 0) + 1;
    const frequency = codeBounded(numbers, value, left + 1, NUMBER.share, guess, Math.min(before, 63)) - 1;
    frequencies.push(frequency);
    left -= Math.abs(frequency);
    before = frequency + 1;
  }
  return new FseTable(log, Int16Array.from(frequencies));
}

/**
 * The code of literals with these counts; `usual` has codes of at most `limit` bits.
 * @throws UpdateError unit_malformed
 */
export function codeTree(
  numbers: NumberCoder,
  given: HuffmanTree | null,
  counts: Uint32Array,
  limit: number,
  usual: HuffmanTree | null,
): HuffmanTree {
  const weights = codeWeights(numbers, given?.weights ?? null, counts, limit, usual?.weights ?? null);
  checkWeights(weights);
  const table = weights === usual?.weights ? usual.table : usualWeightsTable(weights);
  const isDirect = numbers.flag(given !== null && given.table === null, FLAG.weights, 0, table === null ? 1 : 0);
  if (isDirect) return { weights, table: null };
  return {
    weights,
    table: codeTable(numbers, given?.table ?? null, table, WEIGHTS_LOG_MAX, CODE_BITS_MAX, FLAG.weights),
  };
}

/** Usual for the usual limit, or for another one (from zstd 1.5.5 on the best is looked for), or one by one. */
function codeWeights(
  numbers: NumberCoder,
  given: Uint8Array | null,
  counts: Uint32Array,
  limit: number,
  usual: Uint8Array | null,
): Uint8Array {
  if (usual !== null && numbers.flag(given !== null && isSame(given, usual), FLAG.tree)) return usual;
  const other = given === null ? 0 : otherLimit(given, counts);
  const coded = codeBounded(numbers, other, CODE_BITS_MAX, NUMBER.limit, limit);
  if (coded > 0) return usualTree(counts, coded)?.weights ?? malformed('zstd', `no code has ${coded} bits at most`);
  const count = 2 + codeBounded(numbers, (given?.length ?? 2) - 2, SYMBOLS - 2, NUMBER.weights);
  const weights = new Uint8Array(count);
  for (let symbol = 0, before = 0; symbol < count; symbol++) {
    const guess = usual === null ? 15 : (usual[symbol] ?? 14);
    before = codeBounded(numbers, given?.[symbol] ?? 0, CODE_BITS_MAX, NUMBER.weight, guess, before);
    weights[symbol] = before;
  }
  return weights;
}

/** The limit whose usual code it is; 0 for none. */
function otherLimit(given: Uint8Array, counts: Uint32Array): number {
  for (let limit = 1; limit <= CODE_BITS_MAX; limit++) {
    const weights = usualTree(counts, limit)?.weights;
    if (weights !== undefined && isSame(given, weights)) return limit;
  }
  return 0;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
