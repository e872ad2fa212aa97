/**
 * The tables that the reference implementation makes of frequencies (fse_compress.c of zstd 1.3 to 1.5), as predictors:
 * where a frame has them, they need not be sent, and a wrong guess costs bytes only.
 * @module
 */
import { FseTable, LOG_MIN } from '../fse.ts';

const LOG_MAX = 12;
const floorLog = (value: number): number => 31 - Math.clz32(value);

/** How many states to take for `total` symbols up to `symbolMax`; Huffman codes ask for `minus` 1, tables for 2. */
export function usualLog(logMax: number, total: number, symbolMax: number, minus: number): number {
  const least = Math.min(floorLog(total) + 1, floorLog(Math.max(symbolMax, 1)) + 2);
  const log = Math.max(Math.min(logMax, floorLog(total - 1) - minus), least);
  return Math.min(Math.max(log, LOG_MIN), LOG_MAX);
}

/** From which remainder on a small share is rounded up, in 1/2^20. */
const ROUND_UP = [0, 473_195, 504_333, 520_860, 550_000, 700_000, 750_000, 830_000];
const SCALE = 62;
/** Sequences from which on rare symbols get less than one state. */
const RARE_FROM = 2048;

/**
 * Shares of 2^log states. All products have 62 bits, and rounding decides: hence the long integers.
 * Null where one symbol is all there is, or the method fails.
 */
export function usualShares(
  counts: Uint32Array,
  total: number,
  log: number,
  symbolMax: number,
  rare: number,
): Int16Array | null {
  const scale = BigInt(SCALE - log);
  const step = (1n << 62n) / BigInt(total);
  const unit = 1n << (scale - 20n);
  const shares = new Int16Array(symbolMax + 1);
  let left = 1 << log;
  let largest = 0;
  for (let symbol = 0; symbol <= symbolMax; symbol++) {
    const count = counts[symbol]!;
    if (count === total) return null;
    if (count === 0) continue;
    if (count <= total >> log) {
      shares[symbol] = rare;
      left--;
      continue;
    }
    const exact = BigInt(count) * step;
    let share = Number(exact >> scale);
    if (share < ROUND_UP.length && exact - (BigInt(share) << scale) > unit * BigInt(ROUND_UP[share]!)) share++;
    if (share > shares[largest]!) largest = symbol;
    shares[symbol] = share;
    left -= share;
  }
  if (-left >= shares[largest]! >> 1) return sharedAgain(counts, total, log, symbolMax, rare);
  shares[largest]! += left;
  return shares;
}

/** The second method, for when the largest share cannot pay for the rounding of the others. */
function sharedAgain(
  counts: Uint32Array,
  total: number,
  log: number,
  symbolMax: number,
  rare: number,
): Int16Array | null {
  const shares = new Int16Array(symbolMax + 1);
  const open = new Uint8Array(symbolMax + 1);
  let [rest, left] = [total, 1 << log];
  const settle = (symbol: number, share: number): void => {
    shares[symbol] = share;
    open[symbol] = 0;
    left--;
    rest -= counts[symbol]!;
  };
  const low = Math.floor((total * 3) / 2 ** (log + 1));
  for (let symbol = 0; symbol <= symbolMax; symbol++) {
    const count = counts[symbol]!;
    open[symbol] = count > 0 ? 1 : 0;
    if (count === 0) continue;
    if (count <= total >> log) settle(symbol, rare);
    else if (count <= low) settle(symbol, 1);
  }
  if (left === 0) return shares;
  if (Math.floor(rest / left) > low) {
    const higher = Math.floor((rest * 3) / (left * 2));
    for (let symbol = 0; symbol <= symbolMax; symbol++)
      if (open[symbol] === 1 && counts[symbol]! <= higher) settle(symbol, 1);
  }
  if (!open.includes(1) || rest <= 0 || left <= 0) return null;
  const scale = BigInt(SCALE - log);
  const middle = (1n << (scale - 1n)) - 1n;
  const step = ((1n << scale) * BigInt(left) + middle) / BigInt(rest);
  let sum = middle;
  for (let symbol = 0; symbol <= symbolMax; symbol++) {
    if (open[symbol] === 0) continue;
    const end = sum + BigInt(counts[symbol]!) * step;
    shares[symbol] = Number((end >> scale) - (sum >> scale));
    if (shares[symbol]! < 1) return null;
    sum = end;
  }
  return shares;
}

/**
 * The table for these codes of sequences, of which the last one is `last`: it says nothing with its first state, so it
 * counts one less.
 */
export function usualTable(counts: Uint32Array, total: number, last: number, logMax: number): FseTable | null {
  const symbolMax = lastOf(counts);
  if (total < 2) return null;
  const log = usualLog(logMax, total, symbolMax, 2);
  const fewer = Uint32Array.from(counts);
  let rest = total;
  if (fewer[last]! > 1) {
    fewer[last]!--;
    rest--;
  }
  const shares = usualShares(fewer, rest, log, symbolMax, rest >= RARE_FROM ? -1 : 1);
  return shares === null || !isWhole(shares, log) ? null : new FseTable(log, shares);
}

/** The last symbol that occurs. */
export function lastOf(counts: Uint32Array): number {
  let last = counts.length - 1;
  while (last > 0 && counts[last] === 0) last--;
  return last;
}

/** All states are shared out, each symbol that has a share at least one. */
export function isWhole(shares: Int16Array, log: number): boolean {
  let sum = 0;
  for (const share of shares) {
    if (share < -1) return false;
    sum += Math.abs(share);
  }
  return sum === 1 << log;
}
