import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corpusPair, repositoryRoot, SMALL_PAIR } from '../../corpus/index.ts';
import { suffixArray } from '../../native-free/diff/suffix-array.ts';
import { suffixArrayWasm } from '../../src/wasm/suffix-sort.ts';
import { random } from '../support/images.ts';

function isEqual(bytes: Uint8Array): boolean {
  return Buffer.compare(Buffer.from(suffixArray(bytes).buffer), Buffer.from(suffixArrayWasm(bytes).buffer)) === 0;
}

/** Fibonacci words are the worst case of naming: every level of the recursion is deep. */
function fibonacci(length: number): Uint8Array {
  let [a, b] = ['a', 'ab'];
  while (b.length < length) [a, b] = [b, b + a];
  return Uint8Array.from(b.slice(0, length), (char) => char.charCodeAt(0));
}

describe('suffix sort in WebAssembly', () => {
  const next = random(5);
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['nothing', new Uint8Array(0)],
    ['one byte', Uint8Array.of(7)],
    ['two bytes', Uint8Array.of(7, 7)],
    ['zeros', new Uint8Array(50_000)],
    ['alternating bytes', Uint8Array.from({ length: 30_001 }, (_, i) => i & 1)],
    ['a Fibonacci word', fibonacci(40_000)],
    ['noise', Uint8Array.from({ length: 60_000 }, () => Math.floor(next() * 256))],
    ['noise of two letters', Uint8Array.from({ length: 60_000 }, () => Math.floor(next() * 2))],
    ['a long period', Uint8Array.from({ length: 60_000 }, (_, i) => (i % 4093) & 255)],
  ];

  it.each(cases)('orders %s like the reference', (_name, bytes) => {
    expect(isEqual(bytes)).toBe(true);
  });

  it('orders a real program like the reference', async () => {
    const paths = await corpusPair(SMALL_PAIR, { fetch: false });
    expect(isEqual(new Uint8Array(readFileSync(paths!.source)))).toBe(true);
  });

  it('orders any bytes like the reference', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.array(fc.nat(2), { maxLength: 600 }).map((list) => Uint8Array.from(list)),
    );
    fc.assert(fc.property(bytes, isEqual), { numRuns: 300 });
  });

  it('sorts into shared memory, and refuses an array of another length', () => {
    const bytes = fibonacci(1000);
    const into = new Int32Array(new SharedArrayBuffer(4000));
    expect(suffixArrayWasm(bytes, into)).toBe(into);
    expect(Array.from(into)).toEqual(Array.from(suffixArray(bytes)));
    expect(() => suffixArrayWasm(bytes, new Int32Array(999))).toThrow(/999 entries, 1000 are needed/);
  });

  it('comes from the sources in assembly/, as all embedded modules do', () => {
    const script = join(repositoryRoot(), 'scripts', 'build-assembly.mjs');
    const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
    expect(`${status} ${stderr}`).toBe('0 ');
  });
});
