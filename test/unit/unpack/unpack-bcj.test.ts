/**
 * Branch filters: bijections on any bytes, and the ones that xz has.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../../corpus/manifest.ts';
import { bytesEqual } from '../../../native-free/hash.ts';
import {
  BRANCH_FILTERS,
  branchFilterOf,
  filterBranches,
  type BranchFilterName,
} from '../../../native-free/unpack/bcj/filters.ts';
import { unpackLzma2 } from '../../../native-free/unpack/lzma/lzma2.ts';
import { packXz, unpackXz } from '../../../native-free/unpack/xz/xz.ts';
import { sha256Hex } from '../../support/images.ts';
import { FILTER_DIGESTS, FILTER_STARTS, X86_OVERLAPS, X86_OVERLAPS_DIGEST } from '../../support/unpack/xz-fixtures.ts';
import { branchCode, missingTool, xz } from '../../support/unpack/xz.ts';

const NAMES = Object.keys(BRANCH_FILTERS) as BranchFilterName[];
const LIMITS = { contentBytesMax: 2 ** 24 };
const file = (...path: string[]): Uint8Array => new Uint8Array(readFileSync(join(repositoryRoot(), ...path)));
const CONTENTS: readonly (readonly [string, Uint8Array])[] = [
  ['a program', file('corpus', 'small', 'watcher-arm64', 'source')],
  ['a program, out of step', file('corpus', 'small', 'watcher-arm64', 'source').subarray(1, 300_003)],
  ['opcodes in noise', branchCode(11, 200_003)],
  ['a script', file('node_modules', 'typescript', 'lib', 'typescript.js').subarray(0, 100_000)],
];

function filtered(name: BranchFilterName, content: Uint8Array, start: number, encode: boolean): Uint8Array {
  const copy = content.slice();
  filterBranches(BRANCH_FILTERS[name].id, copy, start, encode);
  return copy;
}

describe.each(NAMES)('the branch filter of %s', (name) => {
  it.each(CONTENTS)('is undone by its inverse, in either order, on %s', (_, content) => {
    for (const start of [0, 4096, ...FILTER_STARTS]) {
      const encoded = filtered(name, content, start, true);
      expect(bytesEqual(filtered(name, encoded, start, false), content)).toBe(true);
      expect(bytesEqual(filtered(name, filtered(name, content, start, false), start, true), content)).toBe(true);
    }
  });

  it('makes of strewn opcodes what xz 5.8 makes of them', () => {
    const content = branchCode(4, 200_001);
    const digests = FILTER_STARTS.map((start) => sha256Hex(filtered(name, content, start, true)).slice(0, 16));
    expect(digests).toEqual(FILTER_DIGESTS[name]);
  });

  it('leaves what is too short for an instruction, and all of nothing', () => {
    for (let length = 0; length < 4; length++) {
      const short = branchCode(12, length);
      expect(filtered(name, short, 0, true)).toEqual(short);
    }
  });

  const missing = missingTool('xz', `--${name}`, '--lzma2', '--format=raw', '-c', '/dev/null');
  it.skipIf(missing !== '').each(CONTENTS)(`is that of the xz tool on %s${missing}`, (_, content) => {
    for (const start of [0, 65_536]) {
      const packed = xz(content, '--format=raw', `--${name}=start=${start}`, '--lzma2=preset=0');
      const expected = unpackLzma2(packed, LIMITS).content;
      expect(bytesEqual(filtered(name, content, start, true), expected)).toBe(true);
      const stream = xz(content, `--${name}${start === 0 ? '' : `=start=${start}`}`, '--lzma2=preset=1');
      const unpacked = unpackXz(stream, LIMITS);
      expect(bytesEqual(unpacked.content, content)).toBe(true);
      expect(bytesEqual(packXz(unpacked.content, unpacked.tokens, unpacked.params), stream)).toBe(true);
    }
  });
});

describe('opcodes of x86 that overlap', () => {
  it('are converted as xz 5.8 converts them, and back', () => {
    const content = branchCode(13, 100_000, X86_OVERLAPS);
    const encoded = filtered('x86', content, 4096, true);
    expect(sha256Hex(encoded).slice(0, 16)).toBe(X86_OVERLAPS_DIGEST);
    expect(bytesEqual(filtered('x86', encoded, 4096, false), content)).toBe(true);
  });
});

describe('filters that do not exist', () => {
  it('are refused, as are starts that are not aligned', () => {
    expect(branchFilterOf(3)).toBeUndefined();
    for (const [id, start] of [
      [3, 0],
      [12, 0],
      [7, 2],
      [6, 8],
      [8, 1],
    ] as const) {
      const run = (): void => filterBranches(id, new Uint8Array(16), start, true);
      expect(run).toThrow(expect.objectContaining({ code: 'unit_malformed' }) as Error);
    }
  });
});
