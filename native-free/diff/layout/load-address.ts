/**
 * The address at which an image of unknown nature is loaded.
 *
 * Calls tell where functions begin, as offsets in the image. Tables hold addresses of functions. Every pair of an
 * address and a start says "the image begins at their difference": the differences of wrong pairs scatter, those of
 * right ones agree. A wrong address makes every pointer of a patch dear, so one that stands out too little is none.
 * @module
 */
import { REGION_KIND, type RegionKind } from '../../format/regions.ts';
import { loadBigInt, loadWord } from '../../format/words.ts';
import { NOWHERE, type InstructionSet } from '../../predict/isa/instruction-set.ts';
import { BLOCK_BYTES, type Census } from './census.ts';
import { NumberList } from './number-list.ts';

interface LoadAddress {
  readonly low: number;
  readonly high: number;
  /** Whether the image's addresses are of 64 bits. */
  readonly isWide: boolean;
}

const POINTERS_MAX = 65536;
const VOTES_MAX = 2 ** 20;
/** Where rests are not spread evenly there are more pairs than expected. */
const PAIRS_MAX = 4 * VOTES_MAX;
const STEP_MIN = 16;
/** Lower numbers are just numbers. */
const ADDRESS_MIN = 0x100;
/** Votes for the address, at least; how far it stands out, in variances, at least, and how much farther than others. */
const VOTES_MIN = 8;
const EXCESS_MIN = 128;
const OVER_OTHERS = 4;
/** Differences that are compared with each other. */
const AROUND = 64;
/** What functions begin with: in so many of them, in one of so many, and at so many places for each that is called. */
const OPENING_MIN = 4;
const OPENING_SHARE = 256;
const OPENING_RARITY = 8;
/** Numbers so close to each other are not addresses of functions. */
const CLOSE_BYTES = 8;
/** High halves of addresses that are tried. */
const HIGHS = 2;

/** Where the image is loaded, or null. */
export function loadAddress(image: Uint8Array, found: Census): LoadAddress | null {
  const census = { ...found, starts: withAlike(image, found) };
  const { widths } = census.set.addresses;
  let best: (LoadAddress & { readonly votes: number }) | null = null;
  if (widths.includes(64)) {
    for (const high of commonHighs(image, census.isCode)) {
      const wide = vote(image, census, pointersOf64(image, census.isCode, high));
      if (wide !== null && wide.votes > (best?.votes ?? 0)) best = { ...wide, high, isWide: true };
    }
  }
  if (best !== null || !widths.includes(32)) return best;
  const narrow = vote(image, census, pointersOf32(image, census));
  return narrow === null ? null : { low: narrow.low, high: 0, isWide: false };
}

/**
 * Starts of functions that nobody calls directly, which is why tables name them: they begin with the same instructions
 * as those that are called.
 */
function withAlike(image: Uint8Array, { starts, isCode, set: { signs } }: Census): Uint32Array {
  const { areCalls, step } = signs;
  if (!areCalls) return starts;
  const read = step === 2 ? load16 : loadWord;
  const called = new Map<number, number>();
  for (const start of starts) called.set(read(image, start), (called.get(read(image, start)) ?? 0) + 1);
  const least = Math.max(OPENING_MIN, starts.length / OPENING_SHARE);
  const places = new Map<number, NumberList>();
  const isLikely = new Uint8Array(65536);
  for (const [opening, count] of called) {
    if (count < least) continue;
    places.set(opening, new NumberList());
    isLikely[(opening ^ (opening >>> 16)) & 0xffff] = 1;
  }
  isCode.forEach((code, block) => {
    const end = code === 0 ? 0 : Math.min((block + 1) * BLOCK_BYTES, image.length - 3);
    for (let at = block * BLOCK_BYTES; at < end; at += step) {
      const opening = read(image, at);
      if (isLikely[(opening ^ (opening >>> 16)) & 0xffff] !== 0) places.get(opening)?.add(at);
    }
  });
  const all = new NumberList();
  for (const start of starts) all.add(start);
  for (const [opening, found] of places) {
    if (found.count <= OPENING_RARITY * called.get(opening)!) for (const start of found.sorted()) all.add(start);
  }
  return all.distinct();
}

/** High halves that most 64-bit words have: 0 for a program at a low address, others for kernels. */
function commonHighs(image: Uint8Array, isCode: Uint8Array): number[] {
  const counts = new Map<number, number>();
  forEachWord(image, isCode, 8, (low, at) => {
    const high = loadWord(image, at + 4);
    if (low >= ADDRESS_MIN && (high === 0 || high >= 0xffff0000 || high === 0xffffffff)) {
      counts.set(high, (counts.get(high) ?? 0) + 1);
    }
  });
  return [...counts]
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, HIGHS)
    .map(([high]) => high);
}

function pointersOf64(image: Uint8Array, isCode: Uint8Array, high: number): Uint32Array {
  const found = new NumberList();
  forEachWord(image, isCode, 8, (low, at) => {
    if (low >= ADDRESS_MIN && loadWord(image, at + 4) === high) found.add(low);
  });
  return lonely(found.distinct());
}

/** Words of tables, and what code loads from its literal pools. */
function pointersOf32(image: Uint8Array, { set, isCode }: Census): Uint32Array {
  const { addresses, bigEndian, hasPools } = set;
  const found = new NumberList();
  const add = (word: number): void => {
    const address = word < ADDRESS_MIN ? NOWHERE : addresses.functionOf(word);
    if (address !== NOWHERE) found.add(address);
  };
  forEachWord(image, isCode, 4, (word, at) => add(bigEndian ? loadBigInt(image, at) >>> 0 : word));
  if (hasPools) forEachLiteral(image, isCode, set, (at) => add(loadWord(image, at)));
  return lonely(found.distinct());
}

function forEachWord(
  image: Uint8Array,
  isCode: Uint8Array,
  step: 4 | 8,
  see: (word: number, at: number) => void,
): void {
  isCode.forEach((code, block) => {
    // The first block may hold a vector table, whatever else it is.
    if (code !== 0 && block > 0) return;
    const end = Math.min((block + 1) * BLOCK_BYTES, image.length) - step;
    for (let at = block * BLOCK_BYTES; at <= end; at += step) see(loadWord(image, at), at);
  });
}

/** Places of the words that code loads from literal pools. */
function forEachLiteral(
  image: Uint8Array,
  isCode: Uint8Array,
  { alignment: step, addresses }: InstructionSet,
  see: (at: number) => void,
): void {
  isCode.forEach((code, block) => {
    if (code === 0) return;
    const end = Math.min((block + 1) * BLOCK_BYTES, image.length) - step;
    for (let at = block * BLOCK_BYTES; at <= end; at += step) {
      const place = addresses.literalOf(image, at);
      if (place >= 0 && place + 4 <= image.length && (place & 3) === 0) see(place);
    }
  });
}

/**
 * Without numbers that have a neighbour close by: functions do not stand that close, but the places that relocations
 * name do, and such rows agree with anything. Of too many, some.
 */
function lonely(sorted: Uint32Array): Uint32Array {
  const far = sorted.filter((number, i) => {
    return !(number - sorted[i - 1]! <= CLOSE_BYTES) && !(sorted[i + 1]! - number <= CLOSE_BYTES);
  });
  const step = Math.ceil(far.length / POINTERS_MAX);
  return step <= 1 ? far : far.filter((_, i) => i % step === 0);
}

interface Winner {
  readonly low: number;
  readonly votes: number;
}

/** The difference on which most pairs agree, if it stands out. */
function vote(image: Uint8Array, { starts, set }: Census, pointers: Uint32Array): Winner | null {
  const pairs = pointers.length * starts.length;
  let step = STEP_MIN;
  while ((pairs / step) * set.signs.step > VOTES_MAX) step *= 2;
  const byRest = startsByRest(starts, step);
  const votes = new NumberList();
  const most = 2 ** 32 - image.length;
  let left = PAIRS_MAX;
  for (const pointer of pointers) {
    const rest = pointer & (step - 1);
    const end = byRest.first[rest + 1]!;
    left -= end - byRest.first[rest]!;
    if (left < 0) break;
    for (let i = byRest.first[rest]!; i < end; i++) {
      const base = pointer - byRest.starts[i]!;
      if (base >= 0 && base <= most) votes.add(base);
    }
  }
  return winner(votes.sorted(), step * AROUND);
}

/** Starts in groups of equal rest modulo `step`, which a base that is a multiple of `step` keeps. */
function startsByRest(starts: Uint32Array, step: number): { starts: Uint32Array; first: Uint32Array } {
  const first = new Uint32Array(step + 1);
  for (const start of starts) first[(start & (step - 1)) + 1]!++;
  for (let rest = 0; rest < step; rest++) first[rest + 1]! += first[rest]!;
  const next = first.slice();
  const grouped = new Uint32Array(starts.length);
  for (const start of starts) grouped[next[start & (step - 1)]!++] = start;
  return { starts: grouped, first };
}

/**
 * The base that got most of the sorted votes. Where many addresses are and many functions, any difference between the
 * two gets some: a base has to stand out of those within the same `span` by many standard deviations (of a Poisson
 * distribution, whose variance is its mean).
 */
function winner(votes: Uint32Array, span: number): Winner | null {
  let best: Winner = { low: 0, votes: 0 };
  let second = 0;
  for (let first = 0; first < votes.length;) {
    const end = endOfRun(votes, first, span);
    for (let at = first; at < end;) {
      const next = endOfRun(votes, at, 1);
      const mean = (end - first - (next - at)) / AROUND;
      const over = next - at < VOTES_MIN ? 0 : Math.max(0, next - at - mean);
      const excess = (over * over) / (mean + 1);
      if (excess > best.votes) {
        second = best.votes;
        best = { low: votes[at]!, votes: excess };
      } else if (excess > second) second = excess;
      at = next;
    }
    first = end;
  }
  return best.votes >= EXCESS_MIN && best.votes >= OVER_OTHERS * second ? best : null;
}

/** Index of the first number after `at` that lies in another span than the one there. */
function endOfRun(sorted: Uint32Array, at: number, span: number): number {
  const place = Math.floor(sorted[at]! / span);
  let end = at + 1;
  while (end < sorted.length && Math.floor(sorted[end]! / span) === place) end++;
  return end;
}

/** Bytes of data words. */
export function dataKindOf({ bigEndian }: InstructionSet, isWide: boolean): RegionKind {
  if (bigEndian) return REGION_KIND.raw;
  return isWide ? REGION_KIND.data64 : REGION_KIND.data32;
}

function load16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}
