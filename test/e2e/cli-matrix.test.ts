/** `engraft diff FOLDER`: every update between the versions in a folder, measured, kept, and applied. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { segmentBytesFor } from '../../native-free/diff/write/encode-segment.ts';
import { byVersion, versionsIn, type VersionMatrix } from '../../src/cli/version-matrix.ts';
import { jobMemoryBytes, WORKER_FLOOR_BYTES } from '../../src/engine/memory-plan.ts';
import { editedPair, random } from '../support/images.ts';
import { engraft } from '../support/program.ts';

let folder: string;
let versions: string;
const images = new Map<string, Uint8Array>();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'engraft-matrix-'));
  versions = join(folder, 'versions');
  mkdirSync(join(versions, 'notes'), { recursive: true });
  writeFileSync(join(versions, '.hidden'), 'no version');
  const first = editedPair(8, 16 * 1024, 91);
  const next = random(7);
  images.set('v1.9.img', first.source);
  images.set('v1.10.img', first.target);
  // A delta to noise gains nothing.
  images.set(
    'v2.0.img',
    Uint8Array.from({ length: 40_000 }, () => next() * 256),
  );
  for (const [name, bytes] of images) writeFileSync(join(versions, name), bytes);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a folder of versions', () => {
  it('becomes a matrix; kept patches lead from each version to each later one', async () => {
    const kept = join(folder, 'kept');
    const ended = await engraft('diff', versions, '-o', kept, '-w', '1', '--json');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const matrix = JSON.parse(ended.stdout) as VersionMatrix;
    expect(matrix.versions.map(({ name }) => name)).toEqual(['v1.9.img', 'v1.10.img', 'v2.0.img']);
    expect(matrix.pairs.map(({ source, target, code }) => [source, target, code])).toEqual([
      ['v1.9.img', 'v1.10.img', null],
      ['v1.9.img', 'v2.0.img', 'delta_not_smaller'],
      ['v1.10.img', 'v2.0.img', 'delta_not_smaller'],
    ]);
    const made = join(folder, 'made');
    for (const [source, patch, target] of [
      ...matrix.pairs.filter(({ output }) => output !== null).map((pair) => [pair.source, pair.output!, pair.target]),
      ...matrix.versions.map(({ name, output }) => [null, output!, name]),
    ] as [string | null, string, string][]) {
      const from = source === null ? '-' : join(versions, source);
      expect((await engraft('apply', from, patch, '-o', made)).code).toBe(0);
      expect(Buffer.compare(readFileSync(made), images.get(target)!)).toBe(0);
    }
    const { bytes, output } = matrix.pairs[0]!;
    expect(readFileSync(output!).length).toBe(bytes);
    expect(bytes).toBeLessThan(matrix.versions[1]!.fullBytes);
    expect(readdirSync(kept).sort()).toEqual(['v1.10.img', 'v1.9.img', 'v2.0.img']);
    expect(readdirSync(join(kept, 'v1.10.img')).sort()).toEqual(['from-v1.9.img.engraft', 'full.engraft']);
    expect(readdirSync(join(kept, 'v2.0.img'))).toEqual(['full.engraft']);
  });

  it('is shown in words with a line a phase, and nothing is written unless asked for', async () => {
    const before = readdirSync(versions);
    const ended = await engraft('diff', versions, '-w', '1');
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/^ +to v1\.10\.img +to v2\.0\.img$/m);
    expect(ended.stdout).toMatch(/^from v1\.9\.img +[\d,]+ +full$/m);
    expect(ended.stdout).toMatch(/^full payload +[\d,]+ +[\d,]+$/m);
    expect(ended.stderr).toMatch(/^v1\.9\.img to v1\.10\.img: match: .* \(\d+ % of all after /m);
    expect(readdirSync(versions)).toEqual(before);
  });

  it('that is not there, or a missing TARGET, is named as what it is', async () => {
    const said = async (...args: string[]) => {
      const { stdout } = await engraft('diff', ...args, '-o', join(folder, 'none'), '--json');
      return (JSON.parse(stdout) as { error: { code: string; message: string } }).error;
    };
    const nowhere = join(folder, 'nowhere');
    expect(await said(nowhere)).toMatchObject({ code: 'input_unreadable', message: expect.stringContaining(nowhere) as unknown }); // prettier-ignore
    const image = join(versions, 'v1.9.img');
    expect(await said(image)).toMatchObject({ code: 'usage_invalid', message: expect.stringContaining('folder') as unknown }); // prettier-ignore
    expect(await said('--full', image)).toMatchObject({ code: 'usage_invalid', message: expect.stringContaining('diff - IMAGE --full') as unknown }); // prettier-ignore
  });

  it('with a pair that cannot be made says which and why, makes the others, and ends with 30', async () => {
    // Enough for full payloads, not for the suffix sort of the larger pair.
    const targetBytes = Math.max(...[...images.values()].map(({ length }) => length));
    const segmentBytes = segmentBytesFor(targetBytes);
    const full = jobMemoryBytes({ sourceBytes: 0, targetBytes, segmentBytes, workers: 1, matcher: 'own' });
    const memory = String(Math.ceil((WORKER_FLOOR_BYTES + full) / 2 ** 20));
    const ended = await engraft('diff', versions, '-w', '1', '--memory', memory, '--json');
    expect(ended.code).toBe(30);
    const matrix = JSON.parse(ended.stdout) as VersionMatrix;
    expect(matrix.versions).toHaveLength(3);
    expect(matrix.pairs.map(({ code }) => code)).toContain('memory_exceeded');
  });

  it('needs two versions, no --full and no standard output', async () => {
    const alone = mkdtempSync(join(folder, 'alone-'));
    writeFileSync(join(alone, 'v1'), 'x');
    for (const args of [[alone], [versions, '--full'], [versions, '-o', '-']]) {
      expect([args, (await engraft('diff', ...args)).code]).toEqual([args, 2]);
    }
    await expect(versionsIn(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'input_unreadable' });
  });

  it('is ordered by numbers as numbers', () => {
    const names = ['v10', 'v2', 'v1.10', 'v1.9', 'b', 'a', 'v1', 'v01', '20240101', '3'];
    expect(names.sort(byVersion)).toEqual(['3', '20240101', 'a', 'b', 'v01', 'v1', 'v1.9', 'v1.10', 'v2', 'v10']);
  });
});
