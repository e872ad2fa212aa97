import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { suffixArray } from '../../../native-free/diff/match/suffix-array.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { anyText, everyShortText, periodicText } from '../../support/texts.ts';

function naive(bytes: Uint8Array): number[] {
  return Array.from(bytes.keys()).sort((a, b) => Buffer.compare(bytes.subarray(a), bytes.subarray(b)));
}

function agrees(text: Uint8Array): void {
  expect(Array.from(suffixArray(text)), `text ${text}`).toEqual(naive(text));
}

/** First index at which neighbours are out of order, or -1. Neighbours that share more than `cap` bytes pass. */
function firstDisorder(bytes: Uint8Array, suffixes: Int32Array, cap: number): number {
  for (let i = 1; i < suffixes.length; i++) {
    const a = suffixes[i - 1]!;
    const b = suffixes[i]!;
    if (Buffer.compare(bytes.subarray(a, a + cap), bytes.subarray(b, b + cap)) > 0) return i;
  }
  return -1;
}

function isPermutation(suffixes: Int32Array): boolean {
  const seen = new Uint8Array(suffixes.length);
  for (const p of suffixes) seen[p] = 1;
  return seen.every((flag) => flag === 1);
}

describe('suffixArray', () => {
  it('handles no byte and one byte', () => {
    expect(Array.from(suffixArray(new Uint8Array(0)))).toEqual([]);
    expect(Array.from(suffixArray(Uint8Array.of(7)))).toEqual([0]);
  });

  it('agrees with plain sorting on every text of up to 9 bytes over 2 values and 6 bytes over 3', () => {
    for (const text of everyShortText()) agrees(text);
  });

  it('agrees with plain sorting on random texts over alphabets of any size', () => {
    fc.assert(fc.property(anyText(300), agrees), { numRuns: 1500 });
  });

  it('agrees with plain sorting on periodic texts with a disturbance', () => {
    fc.assert(fc.property(periodicText(12, 40), agrees), { numRuns: 800 });
  });

  it('recurses many levels deep on Fibonacci and Thue-Morse words', () => {
    let before = 'b';
    let fibonacci = 'a';
    while (fibonacci.length < 2500) [before, fibonacci] = [fibonacci, fibonacci + before];
    let morse = 'a';
    while (morse.length < 2048) morse += morse.replace(/[ab]/g, (letter) => (letter === 'a' ? 'b' : 'a'));
    for (const word of [fibonacci, morse]) {
      const bytes = new TextEncoder().encode(word);
      expect(Array.from(suffixArray(bytes))).toEqual(naive(bytes));
    }
  });

  it('sorts all zeros from the end to the front', () => {
    const suffixes = suffixArray(new Uint8Array(200_000));
    expect(suffixes.every((p, i) => p === 199_999 - i)).toBe(true);
  });

  it('sorts a real executable', () => {
    const bytes = readFileSync(process.execPath).subarray(0, 1 << 20);
    const suffixes = suffixArray(bytes);
    expect(isPermutation(suffixes)).toBe(true);
    expect(firstDisorder(bytes, suffixes, 4096)).toBe(-1);
  });

  it('writes into a given shared array, and refuses one of another length', () => {
    const bytes = new TextEncoder().encode('banana');
    const shared = new Int32Array(new SharedArrayBuffer(4 * bytes.length));
    expect(suffixArray(bytes, shared)).toBe(shared);
    expect(Array.from(shared)).toEqual([5, 3, 1, 0, 4, 2]);
    expect(() => suffixArray(bytes, new Int32Array(5))).toThrow(UpdateError);
  });

  it('refuses a text over the limit before it allocates', () => {
    const tooLong = Object.create(Uint8Array.prototype, {
      length: { value: LIMITS.dense_bytes_max + 1 },
    }) as Uint8Array;
    expect(() => suffixArray(tooLong)).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
  });
});
