/**
 * BSDIFF40 patches that bsdiff-node makes: the same target, bounded pieces, and damage that is always noticed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../../native-free/apply/bytes-source.ts';
import { applyBsdiff40, bsdiffCovers, isBsdiff40, parseBsdiff40 } from '../../../native-free/compat/index.ts';
import { coverAt } from '../../../native-free/format/cover.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { bsdiffMissing } from '../../support/engine.ts';
import { editedPair, imageBytes, random } from '../../support/images.ts';

interface BsdiffNode {
  diff(source: string, target: string, patch: string): Promise<void>;
}

const folder = mkdtempSync(join(tmpdir(), 'engraft-bsdiff40-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function patchOf(source: Uint8Array, target: Uint8Array): Promise<Uint8Array> {
  const [a, b, patch] = ['source', 'target', 'patch'].map((name) => join(folder, name)) as [string, string, string];
  writeFileSync(a, source);
  writeFileSync(b, target);
  const bsdiff = createRequire(import.meta.url)('bsdiff-node') as BsdiffNode;
  await bsdiff.diff(a, b, patch);
  return new Uint8Array(readFileSync(patch));
}

async function targetOf(patch: Uint8Array, source: Uint8Array): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of applyBsdiff40({ patch, source: memorySource(source) })) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

/** Null if the patch makes this target, else the code of the UpdateError; anything else is thrown. */
async function outcome(patch: Uint8Array, source: Uint8Array, target: Uint8Array): Promise<string | null> {
  try {
    const made = await targetOf(patch, source);
    if (Buffer.compare(made, target) !== 0) throw new Error('a wrong target without an error');
    return null;
  } catch (error) {
    if (error instanceof UpdateError) return error.code;
    throw error;
  }
}

function withNumber(patch: Uint8Array, at: number, value: number): Uint8Array {
  const changed = patch.slice();
  for (let i = 0, rest = Math.abs(value); i < 8; i++, rest = Math.floor(rest / 256)) changed[at + i] = rest % 256;
  if (value < 0) changed[at + 7]! |= 128;
  return changed;
}

const missing = bsdiffMissing();

describe.skipIf(missing !== null)(`a BSDIFF40 patch ${missing ?? ''}`, () => {
  const { source, target } = editedPair(4, 1024, 5);
  let patch: Uint8Array;
  beforeAll(async () => {
    patch = await patchOf(source, target);
  });

  it('makes the target it was made for', async () => {
    expect(isBsdiff40(patch)).toBe(true);
    expect(parseBsdiff40(patch).targetBytes).toBe(target.length);
    expect(Buffer.compare(await targetOf(patch, source), target)).toBe(0);
  });

  it('over several bzip2 blocks, with long runs, is made in pieces of at most 1 MiB', async () => {
    const large = imageBytes(1_300_000, 8);
    const changed = Uint8Array.from(large, (byte, i) => byte + (i % 97 === 0 ? 1 : 0));
    const next = random(9);
    const noise = Uint8Array.from({ length: 950_000 }, () => next() * 256);
    const runs = Uint8Array.from({ length: 4000 }, (_, i) => (i % 300 < 270 ? 1 : i));
    const wanted = Buffer.concat([changed, noise, runs]);
    const made = await patchOf(large, wanted);
    for await (const piece of applyBsdiff40({ patch: made, source: memorySource(large) }))
      expect(piece.length).toBeLessThanOrEqual(1 << 20);
    expect(Buffer.compare(await targetOf(made, large), wanted)).toBe(0);
  });

  it('may be made for nothing and from nothing', async () => {
    const none = new Uint8Array(0);
    expect(await outcome(await patchOf(source, none), source, none)).toBe(null);
    expect(await outcome(await patchOf(none, target), none, target)).toBe(null);
  });

  it('names covers inside both images, in order', () => {
    const { covers, targetBytes } = bsdiffCovers(patch, { sourceBytes: source.length });
    expect(targetBytes).toBe(target.length);
    expect(covers.count).toBeGreaterThan(0);
    let end = 0;
    for (let i = 0; i < covers.count; i++) {
      const { sourceOffset, targetOffset, length } = coverAt(covers, i);
      expect(targetOffset).toBeGreaterThanOrEqual(end);
      expect(Math.min(sourceOffset, length - 1)).toBeGreaterThanOrEqual(0);
      expect(sourceOffset + length).toBeLessThanOrEqual(source.length);
      end = targetOffset + length;
    }
    expect(end).toBeLessThanOrEqual(target.length);
  });

  it('reads zeros outside of a source that is too short, as bspatch does', async () => {
    const short = source.subarray(0, 100);
    const padded = new Uint8Array(source.length);
    padded.set(short);
    expect(Buffer.compare(await targetOf(patch, short), await targetOf(patch, padded))).toBe(0);
  });

  it('cut short at any byte is refused', async () => {
    for (let length = 0; length < patch.length; length++)
      expect(await outcome(patch.subarray(0, length), source, target), `at ${length}`).toBe('foreign_malformed');
  });

  it('with any byte changed in one bit is refused or makes the right target', async () => {
    let refused = 0;
    for (let at = 0; at < patch.length; at++) {
      const changed = patch.slice();
      changed[at]! ^= 1 << ((at * 5) % 8);
      if (
        (await outcome(changed, source, target).catch((error: unknown) =>
          Promise.reject(new Error(`byte ${at}`, { cause: error })),
        )) !== null
      )
        refused++;
    }
    expect(refused).toBeGreaterThan(patch.length * 0.9);
  });

  it('whose lengths lie is refused before anything is allocated for them', () => {
    for (const at of [8, 16, 24])
      for (const value of [-1, -(2 ** 40), 2 ** 60])
        expect(() => parseBsdiff40(withNumber(patch, at, value)), `${value} at ${at}`).toThrow(
          expect.objectContaining({ code: 'foreign_malformed' }),
        );
    expect(() => parseBsdiff40(withNumber(patch, 8, patch.length))).toThrow(UpdateError);
    expect(() => parseBsdiff40(withNumber(patch, 24, 2 ** 50))).toThrow(
      expect.objectContaining({ code: 'limit_exceeded' }),
    );
  });

  it('is not begun over the caller’s bound or after a cancel', async () => {
    const bounded = applyBsdiff40({ patch, source: memorySource(source), targetBytesMax: target.length - 1 });
    await expect(bounded.next()).rejects.toMatchObject({ code: 'limit_exceeded' });
    const cancelled = applyBsdiff40({ patch, source: memorySource(source), signal: AbortSignal.abort() });
    await expect(cancelled.next()).rejects.toMatchObject({ code: 'aborted' });
  });
});
