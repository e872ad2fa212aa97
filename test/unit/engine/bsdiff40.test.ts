import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../../native-free/apply/bytes-source.ts';
import { applyBsdiff40, bsdiffCovers, parseBsdiff40 } from '../../../native-free/compat/index.ts';
import { coverAt } from '../../../native-free/format/cover.ts';
import { UpdateError } from '../../../native-free/status.ts';

const pair = (side: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../../corpus/small/watcher-arm64/${side}`, import.meta.url)));
const source = pair('source').slice(40_000, 60_000);
const target = pair('target').slice(40_000, 60_500);
const folder = mkdtempSync(join(tmpdir(), 'engraft-bsdiff40-'));
const file = (name: string): string => join(folder, name);
let patch: Uint8Array;

function hasDebianBsdiff(): boolean {
  try {
    execFileSync('which', ['bsdiff'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

beforeAll(async () => {
  writeFileSync(file('source'), source);
  writeFileSync(file('target'), target);
  const addon = createRequire(import.meta.url)('bsdiff-node') as {
    diff(source: string, target: string, patch: string): Promise<void>;
  };
  await addon.diff(file('source'), file('target'), file('patch'));
  patch = new Uint8Array(readFileSync(file('patch')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The target, or the UpdateError's code; anything else thrown fails the test. */
async function apply(bytes: Uint8Array): Promise<Buffer | string> {
  const pieces: Uint8Array[] = [];
  try {
    const run = applyBsdiff40({ patch: bytes, source: memorySource(source), targetBytesMax: 1 << 20 });
    for await (const piece of run) pieces.push(piece.slice());
  } catch (error) {
    if (UpdateError.is(error)) return error.code;
    throw error;
  }
  return Buffer.concat(pieces);
}

describe('a BSDIFF40 patch', () => {
  it('by bsdiff-node gives its target', async () => {
    expect(Buffer.compare((await apply(patch)) as Buffer, target)).toBe(0);
  });

  it.skipIf(!hasDebianBsdiff())(
    "by Debian's bsdiff gives its target (skipped where bsdiff is not on PATH)",
    async () => {
      execFileSync('bsdiff', [file('source'), file('target'), file('debian')]);
      const result = await apply(new Uint8Array(readFileSync(file('debian'))));
      expect(Buffer.compare(result as Buffer, target)).toBe(0);
    },
  );

  it('names covers inside both images, in target order', () => {
    const { covers, targetBytes } = bsdiffCovers(patch, { sourceBytes: source.length });
    expect(targetBytes).toBe(target.length);
    expect(covers.count).toBeGreaterThan(0);
    let end = 0;
    for (let i = 0; i < covers.count; i++) {
      const cover = coverAt(covers, i);
      expect(cover.targetOffset).toBeGreaterThanOrEqual(end);
      expect(cover.sourceOffset + cover.length).toBeLessThanOrEqual(source.length);
      end = cover.targetOffset + cover.length;
    }
    expect(end).toBeLessThanOrEqual(target.length);
  });

  it('is refused when cut at any byte', async () => {
    for (let length = 0; length < patch.length; length++) {
      expect(await apply(patch.subarray(0, length))).toBe('foreign_malformed');
    }
  });

  it('gives an error or a target of the size it says when any byte is damaged, and never hangs', async () => {
    for (let at = 0; at < patch.length; at++) {
      const damaged = patch.slice();
      damaged[at]! ^= 1 << (at % 8);
      const result = await apply(damaged);
      if (typeof result === 'string') expect(['foreign_malformed', 'limit_exceeded']).toContain(result);
      else expect(result.length).toBe(parseBsdiff40(damaged).targetBytes);
    }
  });

  it('is refused when its lengths lie, before memory is taken for them', () => {
    for (const [at, value] of [
      [8, 0x7fffffffffffn],
      [16, 0x7fffffffffffn],
      [24, 0x7fffffffffffn],
      [24, (1n << 63n) | 5n],
    ] as const) {
      const lying = patch.slice();
      new DataView(lying.buffer).setBigUint64(at, value, true);
      expect(() => parseBsdiff40(lying)).toThrow(UpdateError);
    }
  });
});
