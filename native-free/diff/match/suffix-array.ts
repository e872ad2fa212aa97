/**
 * Suffix sorting by induction (SA-IS), for bytes, in linear time.
 *
 * Nong, Zhang and Chan, "Linear Suffix Array Construction by Almost Pure Induced-Sorting" (DCC 2009): sort only the
 * leftmost suffixes of every falling slope (LMS suffixes) and induce the order of all others from them. How memory is
 * saved follows the idea of Yuta Mori's sais: the result array is the work space of every level of the recursion, and
 * an entry's sign, not a table of types, tells whether it still has to induce its left neighbour. So the work space
 * beyond the 4 bytes per source byte of the result is two bucket tables: 2 KiB for bytes, and for the reduced strings
 * whatever does not fit into the unused middle of the result.
 *
 * Words used here: suffix p is S-type if it is smaller than suffix p + 1, else L-type; it is LMS if it is S-type and
 * suffix p - 1 is L-type. The end of the text is smaller than every byte.
 * @module
 */
import { LIMITS } from '../../limits.ts';
import { UpdateError } from '../../status.ts';

/** Bytes at the top, names of LMS substrings below. */
type Text = Uint8Array | Int32Array;

const BYTE_VALUES = 256;

/**
 * All suffixes of `bytes` in lexicographic order, as start offsets: `n` entries, none for the empty suffix.
 *
 * `into` (length n) takes the result, so that it can live in shared memory; by default a new array does.
 * @throws UpdateError limit_exceeded for more than LIMITS.dense_bytes_max bytes; usage_invalid if `into` has another length
 */
export function suffixArray(bytes: Uint8Array, into?: Int32Array): Int32Array {
  const count = bytes.length;
  if (count > LIMITS.dense_bytes_max) {
    throw new UpdateError('limit_exceeded', `cannot sort ${count} bytes, at most ${LIMITS.dense_bytes_max}`);
  }
  if (into !== undefined && into.length !== count) {
    throw new UpdateError('usage_invalid', `the result array has ${into.length} entries, ${count} are needed`);
  }
  const suffixes = into ?? new Int32Array(count);
  sortSuffixes(bytes, suffixes, BYTE_VALUES, new Int32Array(2 * BYTE_VALUES));
  return suffixes;
}

/** Sorts `text` (values 0 to values - 1) into `suffixes`; `spare` becomes the bucket tables if it is large enough. */
function sortSuffixes(text: Text, suffixes: Int32Array, values: number, spare: Int32Array): void {
  const n = text.length;
  if (n <= 1) {
    suffixes.fill(0);
    return;
  }
  const tables = spare.length >= 2 * values ? spare : new Int32Array(2 * values);
  const counts = tables.subarray(0, values);
  const buckets = tables.subarray(values, 2 * values);
  countValues(text, counts);

  const lmsCount = placeLms(text, suffixes, counts, buckets);
  if (lmsCount > 1) {
    induceLmsFromL(text, suffixes, counts, buckets);
    induceLmsFromS(text, suffixes, counts, buckets);
    sortLms(text, suffixes, lmsCount);
    spreadLms(text, suffixes, lmsCount, counts, buckets);
  }
  induceL(text, suffixes, counts, buckets);
  induceS(text, suffixes, counts, buckets);
}

function countValues(text: Text, counts: Int32Array): void {
  counts.fill(0);
  for (let i = 0; i < text.length; i++) counts[text[i]!]!++;
}

function bucketStarts(counts: Int32Array, buckets: Int32Array): void {
  let sum = 0;
  for (let value = 0; value < counts.length; value++) {
    buckets[value] = sum;
    sum += counts[value]!;
  }
}

function bucketEnds(counts: Int32Array, buckets: Int32Array): void {
  let sum = 0;
  for (let value = 0; value < counts.length; value++) {
    sum += counts[value]!;
    buckets[value] = sum;
  }
}

/** Puts every LMS suffix at the end of its bucket, in no order within it, and zeros elsewhere. Returns their number. */
function placeLms(text: Text, suffixes: Int32Array, counts: Int32Array, buckets: Int32Array): number {
  suffixes.fill(0);
  bucketEnds(counts, buckets);
  let found = 0;
  let rising = false; // the last suffix is L-type: nothing but the end follows it
  let right = text[text.length - 1]!;
  for (let p = text.length - 2; p >= 0; p--) {
    const here = text[p]!;
    if (here < right) {
      rising = true;
    } else if (here > right && rising) {
      rising = false;
      suffixes[--buckets[right]!] = p + 1;
      found++;
    }
    right = here;
  }
  return found;
}

/**
 * First induction, rightwards: from LMS suffixes in any order to L-type suffixes sorted up to the next LMS position.
 * p > 0 waits to induce p - 1 and is cleared then; ~p is an L-type suffix whose left neighbour is S-type: it is turned
 * back into p for the leftward pass.
 */
function induceLmsFromL(text: Text, suffixes: Int32Array, counts: Int32Array, buckets: Int32Array): void {
  const n = text.length;
  bucketStarts(counts, buckets);
  let bucket = text[n - 1]!;
  let at = buckets[bucket]!;
  suffixes[at++] = text[n - 2]! < bucket ? ~(n - 1) : n - 1;
  for (let i = 0; i < n; i++) {
    const p = suffixes[i]!;
    if (p > 0) {
      suffixes[i] = 0;
      const q = p - 1;
      const value = text[q]!;
      if (value !== bucket) {
        buckets[bucket] = at;
        bucket = value;
        at = buckets[bucket]!;
      }
      suffixes[at++] = q > 0 && text[q - 1]! < value ? ~q : q;
    } else if (p < 0) {
      suffixes[i] = ~p;
    }
  }
}

/** First induction, leftwards: leaves exactly the LMS suffixes, as ~p, sorted by their LMS substrings, and zeros. */
function induceLmsFromS(text: Text, suffixes: Int32Array, counts: Int32Array, buckets: Int32Array): void {
  bucketEnds(counts, buckets);
  let bucket = 0;
  let at = buckets[0]!;
  for (let i = text.length - 1; i >= 0; i--) {
    const p = suffixes[i]!;
    if (p <= 0) continue;
    suffixes[i] = 0;
    const q = p - 1;
    const value = text[q]!;
    if (value !== bucket) {
      buckets[bucket] = at;
      bucket = value;
      at = buckets[bucket]!;
    }
    suffixes[--at] = q > 0 && text[q - 1]! > value ? ~q : q;
  }
}

/**
 * Sorts the LMS suffixes into the front of `suffixes`, given what the first induction left: equal LMS substrings get
 * equal names, and the string of names is sorted by recursion unless all are different.
 */
function sortLms(text: Text, suffixes: Int32Array, lmsCount: number): void {
  const n = text.length;
  let front = 0;
  for (let i = 0; front < lmsCount; i++) {
    const p = suffixes[i]!;
    if (p < 0) suffixes[front++] = ~p;
  }
  suffixes.fill(0, lmsCount);
  const names = nameLms(text, suffixes, lmsCount);
  if (names === lmsCount) return;

  // The names, in text order, go to the very end; they are sparse at lmsCount + p / 2 until now.
  const reduced = suffixes.subarray(n - lmsCount, n);
  for (let i = lmsCount + (n >> 1), end = n; i >= lmsCount; i--) {
    const name = i < n ? suffixes[i]! : 0;
    if (name > 0) suffixes[--end] = name - 1;
  }
  const order = suffixes.subarray(0, lmsCount);
  sortSuffixes(reduced, order, names, suffixes.subarray(lmsCount, n - lmsCount));
  listLms(text, reduced);
  for (let i = 0; i < lmsCount; i++) order[i] = reduced[order[i]!]!;
}

/**
 * Writes the name, from 1, of the LMS substring at p to suffixes[lmsCount + p / 2]: no two LMS positions are
 * neighbours, so that is collision-free, and there are at most n / 2. Returns the number of names.
 */
function nameLms(text: Text, suffixes: Int32Array, lmsCount: number): number {
  const n = text.length;
  lmsLengths(text, suffixes, lmsCount);
  let names = 0;
  let before = 0;
  let beforeLength = -1;
  for (let i = 0; i < lmsCount; i++) {
    const p = suffixes[i]!;
    const slot = lmsCount + (p >> 1);
    const length = suffixes[slot]!;
    // A substring that runs into the end of the text equals no other.
    let same = length === beforeLength && p + length < n && before + length < n;
    for (let k = 0; same && k < length; k++) same = text[p + k] === text[before + k];
    if (!same) {
      names++;
      before = p;
      beforeLength = length;
    }
    suffixes[slot] = names;
  }
  return names;
}

/** Writes the length of each LMS substring, up to and with the next LMS position, to suffixes[lmsCount + p / 2]. */
function lmsLengths(text: Text, suffixes: Int32Array, lmsCount: number): void {
  let rising = false;
  let right = text[text.length - 1]!;
  let next = text.length;
  for (let p = text.length - 2; p >= 0; p--) {
    const here = text[p]!;
    if (here < right) {
      rising = true;
    } else if (here > right && rising) {
      rising = false;
      suffixes[lmsCount + ((p + 1) >> 1)] = next - p;
      next = p + 1;
    }
    right = here;
  }
}

/** Writes all LMS positions, in text order, to `positions`, which has that many entries. */
function listLms(text: Text, positions: Int32Array): void {
  let rising = false;
  let right = text[text.length - 1]!;
  let at = positions.length;
  for (let p = text.length - 2; p >= 0; p--) {
    const here = text[p]!;
    if (here < right) {
      rising = true;
    } else if (here > right && rising) {
      rising = false;
      positions[--at] = p + 1;
    }
    right = here;
  }
}

/** Moves the sorted LMS suffixes from the front to the ends of their buckets, zeros elsewhere. */
function spreadLms(text: Text, suffixes: Int32Array, lmsCount: number, counts: Int32Array, buckets: Int32Array): void {
  suffixes.fill(0, lmsCount);
  bucketEnds(counts, buckets);
  for (let i = lmsCount - 1; i >= 0; i--) {
    const p = suffixes[i]!;
    suffixes[i] = 0;
    suffixes[--buckets[text[p]!]!] = p;
  }
}

/**
 * Final induction, rightwards: L-type suffixes from sorted LMS suffixes. Afterwards p > 0 is an L-type suffix whose
 * left neighbour is S-type; everything else is complemented.
 */
function induceL(text: Text, suffixes: Int32Array, counts: Int32Array, buckets: Int32Array): void {
  const n = text.length;
  bucketStarts(counts, buckets);
  let bucket = text[n - 1]!;
  let at = buckets[bucket]!;
  suffixes[at++] = text[n - 2]! < bucket ? ~(n - 1) : n - 1;
  for (let i = 0; i < n; i++) {
    const p = suffixes[i]!;
    suffixes[i] = ~p;
    if (p <= 0) continue;
    const q = p - 1;
    const value = text[q]!;
    if (value !== bucket) {
      buckets[bucket] = at;
      bucket = value;
      at = buckets[bucket]!;
    }
    suffixes[at++] = q > 0 && text[q - 1]! < value ? ~q : q;
  }
}

/** Final induction, leftwards: S-type suffixes, written over the LMS suffixes; every entry ends as a plain offset. */
function induceS(text: Text, suffixes: Int32Array, counts: Int32Array, buckets: Int32Array): void {
  bucketEnds(counts, buckets);
  let bucket = 0;
  let at = buckets[0]!;
  for (let i = text.length - 1; i >= 0; i--) {
    const p = suffixes[i]!;
    if (p <= 0) {
      suffixes[i] = ~p;
      continue;
    }
    const q = p - 1;
    const value = text[q]!;
    if (value !== bucket) {
      buckets[bucket] = at;
      bucket = value;
      at = buckets[bucket]!;
    }
    suffixes[--at] = q === 0 || text[q - 1]! > value ? ~q : q;
  }
}
