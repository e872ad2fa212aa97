/**
 * BSDIFF40 as C's bspatch reads it: what it applies, we apply, to the same bytes.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../native-free/apply/bytes-source.ts';
import { applyBsdiff40 } from '../../native-free/compat/index.ts';
import { UpdateError } from '../../native-free/status.ts';
import { bsdiff40, bzip2, controlBytes, FROM_THE_FIELD, hasProgram, type Control } from '../support/bsdiff40.ts';
import { imageBytes } from '../support/images.ts';

const folder = mkdtempSync(join(tmpdir(), 'engraft-bspatch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const source = imageBytes(300, 5);

/** What bspatch makes, or null where it refuses. */
function byBspatch(patch: Uint8Array): Buffer | null {
  const [old, target, path] = ['old', 'target', 'patch'].map((name) => join(folder, name)) as [string, string, string];
  writeFileSync(old, source);
  writeFileSync(path, patch);
  try {
    execFileSync('bspatch', [old, target, path], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return readFileSync(target);
}

async function byUs(patch: Uint8Array): Promise<Buffer | string> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of applyBsdiff40({ patch, source: memorySource(source) })) pieces.push(piece.slice());
  } catch (error) {
    if (UpdateError.is(error)) return error.code;
    throw error;
  }
  return Buffer.concat(pieces);
}

const missing = ['bspatch', 'bzip2'].filter((name) => !hasProgram(name));

describe.skipIf(missing.length > 0)(`beside bspatch (skipped without: ${missing.join(', ') || 'nothing'})`, () => {
  it.each(Object.entries(FROM_THE_FIELD))('applies a patch with %s', async (_, base64) => {
    const patch = new Uint8Array(Buffer.from(base64, 'base64'));
    const theirs = byBspatch(patch);
    expect(theirs?.length).toBe(150);
    expect(await byUs(patch)).toEqual(theirs);
  });

  it('gives the same target, and refuses what it refuses: entries, seeks, surplus and missing streams at random', async () => {
    const control = fc.tuple(
      fc.integer({ min: -1, max: 60 }),
      fc.integer({ min: -1, max: 60 }),
      fc.integer({ min: -500, max: 500 }),
    );
    const stream = fc.constantFrom('exact', 'surplus', 'short', 'none', 'tail');
    const shape = fc.record({
      controls: fc.array(control, { minLength: 1, maxLength: 6 }),
      missing: fc.integer({ min: -30, max: 30 }),
      more: fc.array(control, { maxLength: 2 }),
      diff: stream,
      extra: stream,
      seed: fc.nat(1000),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ controls, missing: less, more, diff, extra, seed }) => {
        fc.pre(!readsBeforeSource(controls));
        const sum = (of: 0 | 1): number => controls.reduce((total, each: Control) => total + Math.max(0, each[of]), 0);
        // bspatch does not stop at the end of a stream's room: it would read the next one instead.
        fc.pre(diff !== 'none' || sum(0) === 0);
        const patch = bsdiff40({
          targetBytes: Math.max(0, sum(0) + sum(1) - Math.max(0, less)),
          control: bzip2(controlBytes([...controls, ...more])),
          diff: streamOf(diff, sum(0), seed),
          extra: streamOf(extra, sum(1), seed + 1),
        });
        const theirs = byBspatch(patch);
        const ours = await byUs(patch);
        if (theirs === null) expect(ours).toBe('foreign_malformed');
        else expect(Buffer.compare(ours as Buffer, theirs)).toBe(0);
      }),
      { numRuns: 20, seed: 41 },
    );
  });
});

/**
 * Upstream's bspatch takes what lies before the source as 0, and so do we. Debian's build adds the bytes of its heap that lie
 * there, so nothing can be compared.
 */
function readsBeforeSource(controls: readonly Control[]): boolean {
  let position = 0;
  return controls.some(([add, , seek]) => {
    const reads = add > 0 && position < 0;
    position += Math.max(0, add) + seek;
    return reads;
  });
}

function streamOf(kind: string, length: number, seed: number): Uint8Array {
  if (kind === 'none') return new Uint8Array(0);
  const wanted = kind === 'surplus' ? length + 1000 : kind === 'short' ? Math.max(0, length - 7) : length;
  const coded = bzip2(imageBytes(wanted, seed));
  return kind === 'tail' ? new Uint8Array(Buffer.concat([coded, Buffer.from('something else')])) : coded;
}
