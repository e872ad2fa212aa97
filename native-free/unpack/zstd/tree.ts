/**
 * Descriptions of Huffman codes (RFC 8878, 4.2.1): weights of all symbols but the last, four bits each or as two
 * interleaved FSE streams. The last weight follows from the others.
 * @module
 */
import { BitWriter } from '../deflate/bit-writer.ts';
import { malformed } from '../tokens.ts';
import { checkSymbol, firstState, readTable, writeTable, type FseTable } from './fse.ts';
import { bitsOf, CODE_BITS_MAX, SYMBOLS } from './huffman.ts';
import { ReverseReader } from './reverse-reader.ts';

/** What a description begins with: from here on the number of weights that stand there plainly, below it bytes of FSE. */
const DIRECT = 127;
const WEIGHTS_LOG_MAX = 6;

export interface HuffmanTree {
  /** By symbol, up to the last one that has a code. */
  readonly weights: Uint8Array;
  /** The table that the weights are coded with; null where they stand there plainly. */
  readonly table: FseTable | null;
}

/**
 * The description at `at` of `bytes`, which end at `end`, and where it ends.
 * @throws UpdateError unit_malformed
 */
export function readTree(
  bytes: Uint8Array,
  at: number,
  end: number,
): { readonly tree: HuffmanTree; readonly end: number } {
  const head = at < end ? bytes[at]! : 0;
  const isDirect = head > DIRECT;
  const length = isDirect ? (head - DIRECT + 1) >> 1 : head;
  const treeEnd = at + 1 + length;
  if (length === 0 || treeEnd > end) malformed('zstd', `the tree at byte ${at} is cut off`);
  if (isDirect) {
    const direct = Array.from({ length: head - DIRECT }, (_, i) => (bytes[at + 1 + (i >> 1)]! >> (i & 1 ? 0 : 4)) & 15);
    return { tree: { weights: completed(direct), table: null }, end: treeEnd };
  }
  const { table, end: streamAt } = readTable(bytes, at + 1, treeEnd, WEIGHTS_LOG_MAX, CODE_BITS_MAX + 1);
  const weights = completed(decodeWeights(new ReverseReader(bytes, streamAt, treeEnd), table));
  return { tree: { weights, table }, end: treeEnd };
}

/** Two states take turns until one has no bits left to go on; then the other's symbol is the last. */
function decodeWeights(reader: ReverseReader, { log, decoding }: FseTable): number[] {
  const states = [reader.read(log), reader.read(log)];
  const weights: number[] = [];
  for (let turn = 0; ; turn ^= 1) {
    const entry = decoding[states[turn]!]!;
    weights.push(entry & 255);
    states[turn] = (entry >>> 16) + reader.readOver((entry >> 8) & 255);
    if (weights.length >= SYMBOLS - 1) malformed('zstd', 'a tree has too many weights');
    if (reader.left >= 0) continue;
    weights.push(decoding[states[turn ^ 1]!]! & 255);
    return weights;
  }
}

/** All weights: the last one makes their sum a power of two. */
function completed(weights: readonly number[]): Uint8Array {
  let sum = 0;
  for (const weight of weights) {
    if (weight > CODE_BITS_MAX) malformed('zstd', `a weight is ${weight}`);
    sum += (1 << weight) >> 1;
  }
  const bits = 32 - Math.clz32(sum);
  const rest = (1 << bits) - sum;
  if (sum === 0 || bits > CODE_BITS_MAX || (rest & (rest - 1)) !== 0) malformed('zstd', `weights sum up to ${sum}`);
  return Uint8Array.of(...weights, 32 - Math.clz32(rest));
}

/** @throws UpdateError unit_malformed for weights that are no code */
export function checkWeights(weights: Uint8Array): void {
  const all = completed([...weights.subarray(0, -1)]);
  if (all[all.length - 1] !== weights[weights.length - 1] || bitsOf(weights) > CODE_BITS_MAX)
    malformed('zstd', 'the weights of a tree are no code');
}

/** Writes what `readTree` reads. @throws UpdateError unit_malformed */
export function writeTree(writer: BitWriter, { weights, table }: HuffmanTree): void {
  checkWeights(weights);
  const count = weights.length - 1;
  if (table === null) {
    if (count > SYMBOLS - 1 - DIRECT) malformed('zstd', `${count} weights are too many to stand there plainly`);
    writer.bits(DIRECT + count, 8);
    for (let i = 0; i < count; i += 2) writer.bits((weights[i]! << 4) | (i + 1 < count ? weights[i + 1]! : 0), 8);
    return;
  }
  const stream = compressedWeights(weights.subarray(0, count), table);
  if (stream.length > DIRECT) malformed('zstd', `a tree has ${stream.length} bytes`);
  writer.bits(stream.length, 8);
  writer.append(stream);
}

/** Table and streams: the weight before the last begins the one state, the last the other. */
export function compressedWeights(weights: Uint8Array, table: FseTable): Uint8Array {
  if (weights.length < 2) malformed('zstd', 'a tree has too few weights');
  const writer = new BitWriter(SYMBOLS);
  writeTable(writer, table);
  const { states, deltaBits, deltaState } = table.encoding;
  for (const weight of weights) checkSymbol(table, weight);
  let other = firstState(table.encoding, weights[weights.length - 1]!);
  let state = firstState(table.encoding, weights[weights.length - 2]!);
  for (let i = weights.length - 3; i >= 0; i--) {
    const weight = weights[i]!;
    const bits = (other + deltaBits[weight]!) >> 16;
    writer.bits(other & ((1 << bits) - 1), bits);
    const next = states[(other >> bits) + deltaState[weight]!]!;
    other = state;
    state = next;
  }
  // Of weight 0, in `state`, the bits are read first.
  writer.bits(other - (1 << table.log), table.log);
  writer.bits(state - (1 << table.log), table.log);
  writer.bits(1, 1);
  writer.align(0);
  return writer.finish();
}
