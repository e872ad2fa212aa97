import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { repositoryRoot } from '../../../corpus/manifest.ts';
import { suffixArray } from '../../../native-free/diff/match/suffix-array.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { suffixArrayWasm } from '../../../src/wasm/suffix-sort.ts';
import { random } from '../../support/images.ts';
import { anyText, everyShortText, periodicText } from '../../support/texts.ts';

// Calls are counted: a module that traps would go unnoticed, as the TypeScript sort takes over.
vi.mock('../../../native-free/diff/match/suffix-array.ts', { spy: true });

function sortInWasm(bytes: Uint8Array, into?: Int32Array): Int32Array {
  vi.mocked(suffixArray).mockClear();
  const suffixes = suffixArrayWasm(bytes, into);
  expect(suffixArray).not.toHaveBeenCalled();
  return suffixes;
}

/** Throws unless both sorts agree. Buffers are compared, as a matcher takes minutes for arrays of this length. */
function compare(bytes: Uint8Array, what: string): void {
  const inWasm = sortInWasm(bytes);
  const expected = suffixArray(bytes);
  expect(inWasm.length, what).toBe(bytes.length);
  const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array) => Buffer.from(buffer, byteOffset, byteLength);
  expect(bytesOf(inWasm).equals(bytesOf(expected)), what).toBe(true);
}

function word(first: string, next: (word: string, before: string) => string, length: number): Uint8Array {
  let before = 'b';
  let text = first;
  while (text.length < length) [before, text] = [text, next(text, before)];
  return new TextEncoder().encode(text);
}

function noise(length: number, values: number, seed: number): Uint8Array {
  const next = random(seed);
  return Uint8Array.from({ length }, () => Math.floor(next() * values));
}

afterEach(() => {
  vi.doUnmock('../../../src/wasm/instance.ts');
  vi.unstubAllGlobals();
  vi.resetModules();
});

describe('suffixArrayWasm gives what suffixArray gives', () => {
  const texts: readonly (readonly [string, Uint8Array])[] = [
    ['no byte', new Uint8Array(0)],
    ['one byte', Uint8Array.of(7)],
    ['two bytes', Uint8Array.of(1, 0)],
    ['two equal bytes', Uint8Array.of(7, 7)],
    ['zeros', new Uint8Array(100_000)],
    ['the highest bytes', new Uint8Array(1000).fill(255)],
    ['two values in turn', Uint8Array.from({ length: 50_001 }, (_, i) => i & 1)],
    ['rising and falling slopes', Uint8Array.from({ length: 70_000 }, (_, i) => Math.abs((i % 510) - 255))],
    ['a long period', Uint8Array.from({ length: 60_000 }, (_, i) => (i % 4093) & 255)],
    ['a Fibonacci word', word('a', (text, before) => text + before, 40_000)],
    ['a Thue-Morse word', word('a', (text) => text + text.replace(/[ab]/g, (c) => (c === 'a' ? 'b' : 'a')), 40_000)],
    ['noise of 2 values', noise(60_000, 2, 1)],
    ['noise of 4 values', noise(60_000, 4, 2)],
    ['noise of 256 values', noise(200_000, 256, 3)],
    ['an image', readFileSync(join(repositoryRoot(), 'corpus', 'small', 'watcher-arm64', 'source'))],
  ];
  it.each(texts)('for %s', (what, bytes) => compare(bytes, what));

  it('for every text of up to 9 bytes over 2 values and 6 bytes over 3', () => {
    for (const text of everyShortText()) compare(text, `text ${text}`);
  });

  it('for random texts over alphabets of any size', () => {
    const agrees = fc.property(anyText(2000), (text) => compare(text, 'random text'));
    fc.assert(agrees, { numRuns: 400 });
  });

  it('for periodic texts with a disturbance', () => {
    const agrees = fc.property(periodicText(40, 200), (text) => compare(text, 'periodic text'));
    fc.assert(agrees, { numRuns: 300 });
  });
});

describe('suffixArrayWasm', () => {
  it('reads and writes shared memory, at any place in it, and refuses a result of another length', () => {
    const memory = new SharedArrayBuffer(64);
    const bytes = new Uint8Array(memory, 1, 6);
    bytes.set(new TextEncoder().encode('banana'));
    const into = new Int32Array(memory, 8, 6);
    expect(sortInWasm(bytes, into)).toBe(into);
    expect(Array.from(into)).toEqual([5, 3, 1, 0, 4, 2]);
    expect(() => suffixArrayWasm(bytes, new Int32Array(5))).toThrow(UpdateError);
  });

  it('gives results that do not change with the next call', () => {
    const first = sortInWasm(new TextEncoder().encode('banana'));
    sortInWasm(noise(6, 256, 4));
    expect(Array.from(first)).toEqual([5, 3, 1, 0, 4, 2]);
  });

  it('leaves a result in the memory where it was sorted', () => {
    const suffixes = sortInWasm(noise(2 ** 20, 256, 5));
    // The text is there as well, and a memory of WebAssembly consists of pages of 64 KiB.
    expect(suffixes.buffer.byteLength).toBeGreaterThan(5 * 2 ** 20);
    expect(suffixes.buffer.byteLength % 65536).toBe(0);
  });

  it('refuses a text over the limit before it allocates', () => {
    const tooLong = Object.create(Uint8Array.prototype, {
      length: { value: LIMITS.dense_bytes_max + 1 },
    }) as Uint8Array;
    expect(() => suffixArrayWasm(tooLong)).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
  });

  it('sorts in TypeScript where there is no WebAssembly', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    vi.resetModules();
    const { suffixArrayWasm: sort } = await import('../../../src/wasm/suffix-sort.ts');
    const { hasWasm } = await import('../../../src/wasm/instance.ts');
    expect(hasWasm).toBe(false);
    expect(Array.from(sort(new TextEncoder().encode('banana')))).toEqual([5, 3, 1, 0, 4, 2]);
  });

  it('sorts in TypeScript, into the same array, where its memory cannot be had', async () => {
    vi.resetModules();
    const create = vi.fn(() => {
      throw new Error('unreachable');
    });
    vi.doMock('../../../src/wasm/instance.ts', () => ({ instantiate: () => ({ create }) }));
    const { suffixArrayWasm: sort } = await import('../../../src/wasm/suffix-sort.ts');
    const into = new Int32Array(6);
    expect(sort(new TextEncoder().encode('banana'), into)).toBe(into);
    expect(create).toHaveBeenCalledOnce();
    expect(Array.from(into)).toEqual([5, 3, 1, 0, 4, 2]);
  });
});

describe('embedded WebAssembly', () => {
  it('is what assembly/ compiles to (npm run assembly writes it)', () => {
    const script = join(repositoryRoot(), 'scripts', 'build-assembly.mjs');
    const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
