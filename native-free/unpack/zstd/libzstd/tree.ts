/**
 * The Huffman codes that the reference implementation makes of literals (huf_compress.c of zstd 1.5), as predictors.
 *
 * Symbols are sorted by frequency, joined two by two, and lengths over the limit are paid for by lengthening the cheapest
 * of the shorter ones. Ties decide, so the order in which equal frequencies are sorted is part of it.
 * @module
 */
import { FseTable } from '../fse.ts';
import { CODE_BITS_MAX } from '../huffman.ts';
import { compressedWeights, type HuffmanTree } from '../tree.ts';
import { isWhole, lastOf, usualLog, usualShares } from './tables.ts';

const WEIGHTS_LOG_MAX = 6;
const DIRECT_MAX = 128;
/** Frequencies from here on are sorted within powers of two; so is the one before, whose order of equals changes too. */
const SORTED_FROM = 165;
const INSERTION_MAX = 8;

/** Symbols by falling frequency, and those frequencies. */
interface Sorted {
  readonly symbols: Uint8Array;
  readonly counts: Uint32Array;
}

function sorted(counts: Uint32Array): Sorted {
  const present: number[] = [];
  const bucketOf = (symbol: number): number => {
    const count = counts[symbol]!;
    return count < SORTED_FROM ? count : SORTED_FROM + 31 - Math.clz32(count);
  };
  counts.forEach((count, symbol) => {
    if (count > 0) present.push(symbol);
  });
  present.sort((a, b) => bucketOf(b) - bucketOf(a) || a - b);
  const symbols = Uint8Array.from(present);
  for (let from = 0, to = 0; from < symbols.length; from = to) {
    const bucket = bucketOf(symbols[from]!);
    while (to < symbols.length && bucketOf(symbols[to]!) === bucket) to++;
    if (bucket >= SORTED_FROM - 1) sortRange(symbols, counts, from, to - 1);
  }
  return { symbols, counts: Uint32Array.from(symbols, (symbol) => counts[symbol]!) };
}

/** Quicksort with the last for a pivot, the smaller part first; short ranges by insertion. */
function sortRange(symbols: Uint8Array, counts: Uint32Array, first: number, last: number): void {
  if (last - first < INSERTION_MAX) {
    for (let i = first + 1; i <= last; i++) {
      const symbol = symbols[i]!;
      let place = i;
      for (; place > first && counts[symbols[place - 1]!]! < counts[symbol]!; place--)
        symbols[place] = symbols[place - 1]!;
      symbols[place] = symbol;
    }
    return;
  }
  let [low, high] = [first, last];
  while (low < high) {
    const middle = partition(symbols, counts, low, high);
    if (middle - low < high - middle) {
      sortRange(symbols, counts, low, middle - 1);
      low = middle + 1;
    } else {
      sortRange(symbols, counts, middle + 1, high);
      high = middle - 1;
    }
  }
}

function partition(symbols: Uint8Array, counts: Uint32Array, low: number, high: number): number {
  const pivot = counts[symbols[high]!]!;
  let place = low;
  const swap = (a: number, b: number): void => {
    const symbol = symbols[a]!;
    symbols[a] = symbols[b]!;
    symbols[b] = symbol;
  };
  for (let i = low; i < high; i++) if (counts[symbols[i]!]! > pivot) swap(place++, i);
  swap(place, high);
  return place;
}

/** Lengths of an unlimited code, by place in the order: the two rarest nodes are joined until one is left. */
function joinedLengths(counts: Uint32Array): Uint8Array {
  const leaves = counts.length;
  const inner = new Float64Array(leaves);
  const parents = new Uint16Array(2 * leaves);
  let leaf = leaves - 1;
  let joined = 0;
  let made = 0;
  const take = (): number => {
    const isLeaf = leaf >= 0 && (joined === made || counts[leaf]! < inner[joined]!);
    return isLeaf ? leaf-- : leaves + joined++;
  };
  const weightOf = (node: number): number => (node < leaves ? counts[node]! : inner[node - leaves]!);
  while (made < leaves - 1) {
    const [a, b] = [take(), take()];
    inner[made] = weightOf(a) + weightOf(b);
    parents[a] = leaves + made;
    parents[b] = leaves + made;
    made++;
  }
  const depths = new Uint8Array(2 * leaves);
  for (let node = leaves + made - 2; node >= leaves; node--) depths[node] = depths[parents[node]!]! + 1;
  return Uint8Array.from({ length: leaves }, (_, i) => depths[parents[i]!]! + 1);
}

/** Lengths of at most `limit`, in place. Lengths rise along the order. */
function limitLengths(lengths: Uint8Array, counts: Uint32Array, limit: number): void {
  const last = lengths.length - 1;
  const longest = lengths[last]!;
  if (longest <= limit) return;
  let debt = 0;
  let place = last;
  for (; lengths[place]! > limit; place--) {
    debt += (1 << (longest - limit)) - (1 << (longest - lengths[place]!));
    lengths[place] = limit;
  }
  while (lengths[place] === limit) place--;
  debt >>= longest - limit;
  // By how much shorter than the limit: the place of the rarest symbol of that length.
  const rarest = new Int16Array(34).fill(-1);
  for (let i = place, bits = limit; i >= 0; i--) {
    if (lengths[i]! >= bits) continue;
    bits = lengths[i]!;
    rarest[limit - bits] = i;
  }
  while (debt > 0) debt -= lengthenOne(lengths, counts, limit, rarest, debt);
  for (; debt < 0; debt++) {
    if (rarest[1] === -1) {
      while (place >= 0 && lengths[place] === limit) place--;
      rarest[1] = place;
    }
    rarest[1]!++;
    lengths[rarest[1]!]!--;
  }
}

/** Makes the symbol longer that costs least for what it gives; what it gives. */
function lengthenOne(
  lengths: Uint8Array,
  counts: Uint32Array,
  limit: number,
  rarest: Int16Array,
  debt: number,
): number {
  let shorter = 32 - Math.clz32(debt);
  for (; shorter > 1; shorter--) {
    const [high, low] = [rarest[shorter]!, rarest[shorter - 1]!];
    if (high === -1) continue;
    if (low === -1 || counts[high]! <= 2 * counts[low]!) break;
  }
  while (shorter <= CODE_BITS_MAX + 1 && rarest[shorter] === -1) shorter++;
  const place = rarest[shorter]!;
  lengths[place]!++;
  if (rarest[shorter - 1] === -1) rarest[shorter - 1] = place;
  const isLeft = place > 0 && lengths[place - 1] === limit - shorter;
  rarest[shorter] = isLeft ? place - 1 : -1;
  return 1 << (shorter - 1);
}

/** Weights of the code for literals with these counts, none longer than `limit`; null where there is none. */
export function usualWeights(counts: Uint32Array, limit: number): Uint8Array | null {
  const order = sorted(counts);
  if (order.symbols.length < 2 || order.symbols.length > 2 ** limit) return null;
  const lengths = joinedLengths(order.counts);
  limitLengths(lengths, order.counts, limit);
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const weights = new Uint8Array(lastOf(counts) + 1);
  order.symbols.forEach((symbol, i) => {
    weights[symbol] = longest + 1 - lengths[i]!;
  });
  return weights;
}

/** The table that weights are coded with; null where they would stand there plainly. */
export function usualWeightsTable(weights: Uint8Array): FseTable | null {
  const listed = weights.subarray(0, weights.length - 1);
  if (listed.length < 3) return null;
  const counts = new Uint32Array(CODE_BITS_MAX + 2);
  for (const weight of listed) counts[weight]!++;
  const most = Math.max(...counts);
  if (most === listed.length || most === 1) return null;
  const symbolMax = lastOf(counts);
  const log = usualLog(WEIGHTS_LOG_MAX, listed.length, symbolMax, 2);
  const shares = usualShares(counts, listed.length, log, symbolMax, 1);
  if (shares === null || !isWhole(shares, log)) return null;
  const table = new FseTable(log, shares);
  const bytes = compressedWeights(listed, table).length;
  const isShorter = bytes > 1 && bytes < listed.length >> 1;
  return isShorter || listed.length > DIRECT_MAX ? table : null;
}

/** How long the codes of `size` literals may get. */
export function usualLimit(size: number, counts: Uint32Array): number {
  return usualLog(CODE_BITS_MAX, size, lastOf(counts), 1);
}

/** The description for literals with these counts. */
export function usualTree(counts: Uint32Array, limit: number): HuffmanTree | null {
  const weights = usualWeights(counts, limit);
  return weights === null ? null : { weights, table: usualWeightsTable(weights) };
}
