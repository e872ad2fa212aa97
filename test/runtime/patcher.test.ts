/**
 * The patcher in the runtimes it is for: Node, Bun, Deno and QuickJS (which has nothing but the language).
 *
 * The vectors are made here, by the encoder of the checkout, and travel inside the bundle.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Zstd } from '@hpcc-js/wasm-zstd';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS, toHex } from '../../native-free/index.ts';
import { deltaPayload, editedPair, fullPayload, sha256 } from '../support/images.ts';
import { missing, PROGRAMS, runInProgram, runInQuickJs } from '../support/runtimes.ts';
import type { Vectors } from './patcher-suite.ts';

const CHECKS = 12;

let folder: string;
let vectors: Vectors;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-runtime-'));
  const pair = editedPair(9, 8192, 5);
  const zstd = await Zstd.load();
  vectors = {
    source: toHex(pair.source),
    target: toHex(pair.target),
    targetDigest: toHex(sha256(pair.target)),
    delta: toHex(deltaPayload(pair, LIMITS.segment_bytes_min)),
    full: toHex(fullPayload(pair.target, LIMITS.segment_bytes_min, (bytes) => zstd.compress(bytes, 19))),
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const suite = () => ({
  contents: `import { runPatcherSuite } from './patcher-suite.ts';
const result = runPatcherSuite(${JSON.stringify(vectors)});`,
  folder: 'test/runtime',
});

describe('the patcher', () => {
  it.for(PROGRAMS)('passes its suite in %s', async (program, { skip }) => {
    skip(missing(program) !== '', missing(program));
    expect(await runInProgram(program, suite(), folder)).toHaveLength(CHECKS);
    console.log(`${program[0]}: ${CHECKS} checks passed`);
  });

  it('passes its suite in QuickJS', async () => {
    expect(await runInQuickJs(suite())).toHaveLength(CHECKS);
    console.log(`QuickJS: ${CHECKS} checks passed`);
  });

  it('would notice a patcher that gives wrong bytes', async () => {
    const good = vectors;
    vectors = { ...good, target: good.target.replace(/^../, (first) => (first === '00' ? '01' : '00')) };
    try {
      await expect(runInQuickJs(suite())).rejects.toThrow(/expected/);
    } finally {
      vectors = good;
    }
  });
});
