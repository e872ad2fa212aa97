/**
 * What the engine tells of compressed units; and images as OpenWrt makes them, whose xz streams have settings that no
 * distribution's mksquashfs offers.
 */
import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { DeltaEngine } from '../../../src/engine/index.ts';
import { countUnits } from '../../../src/engine/unit-counts.ts';
import { applied } from '../../support/engine.ts';
import { missingTool, realContents, settings } from '../../support/unpack/xz.ts';

const noPython = missingTool('python3', '-c', 'import lzma');
const engine = new DeltaEngine({ workers: 1 });
afterAll(() => engine.close());

/** Blocks as `mksquashfs -comp xz -Xpreset 9 -Xe -Xlc 0 -Xlp 2 -Xpb 2 -Xbcj arm` makes them, one behind the other. */
function openWrtBlocks(content: Uint8Array, blockBytes: number): Buffer {
  const filters = `[{"id": lzma.FILTER_ARM}, {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME,
    "lc": 0, "lp": 2, "pb": 2, "dict_size": ${blockBytes}}]`;
  const script = `import lzma, sys
content = sys.stdin.buffer.read()
for at in range(0, len(content), ${blockBytes}):
  block = content[at:at + ${blockBytes}]
  sys.stdout.buffer.write(lzma.compress(block, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=${filters}))`;
  return execFileSync('python3', ['-c', script], { input: content, stdio: 'pipe' });
}

/** Content with a few bytes changed here and there. */
function edited(content: Uint8Array): Uint8Array {
  const changed = content.slice();
  for (let at = 1000; at < changed.length; at += 20_011) changed[at]! ^= 0x15;
  return changed;
}

describe('the report of a delta', () => {
  it('tells which containers there are, how many units are copied, and how often the source is unpacked', async () => {
    const texts = [1, 2, 3].map((seed) => settings(seed, 60_000));
    const image = (contents: readonly Uint8Array[]): Buffer =>
      Buffer.concat(contents.flatMap((content) => [Buffer.alloc(512, 7), gzipSync(content)]));
    const source = image(texts);
    const target = image([texts[0]!, edited(texts[1]!), texts[2]!]);
    const { units, payload } = await engine.delta(source, target);
    expect(units).toMatchObject({
      ...{ source: expect.any(Number), target: expect.any(Number), containers: { target: { gzip: 3 } } },
    });
    expect(units!.needed).toBeGreaterThan(0);
    expect(units!.needed).toBeLessThanOrEqual(units!.source);
    expect(units!.unpacked).toBeGreaterThanOrEqual(units!.neededBySegment);
    expect(Buffer.compare(await applied(payload, source), target)).toBe(0);
    expect((await engine.delta(source, target, { unpack: false })).units).toBeUndefined();
  });

  it('tells what became of each stream, and the bytes of contents, tokens, params and maps', async () => {
    const texts = [1, 2, 3].map((seed) => settings(seed, 30_000));
    const image = (contents: readonly Uint8Array[]): Buffer => Buffer.concat(contents.map((each) => gzipSync(each)));
    const source = image(texts);
    const target = image([texts[0]!, edited(texts[1]!), edited(texts[2]!)]);
    const { units, costs, payload } = await engine.delta(source, target, { metered: true });
    expect(units).toMatchObject({ streams: 3, replayed: 2, copied: 0, unchanged: 1, raw: 0, dear: 0 });
    for (const part of ['maps', 'tokens', 'params', 'flags'] as const) expect(costs![part], part).toBeGreaterThan(0);
    const sum = Object.values(costs!).reduce((bytes: number, each: number) => bytes + each, 0);
    expect(Math.abs(sum - payload.length)).toBeLessThan(8);
  });

  it('counts a unit that two segments need once, and once for each of them', () => {
    const unit = { parent: -1, offset: 0, packedBytes: 40, codec: 1, continues: false, contentBytes: 90, copyOf: -1 };
    const side = (copies: readonly number[]) => ({
      ...{ skips: [], pieces: [] },
      units: copies.map((copyOf) => ({ ...unit, copyOf })),
    });
    const segments = [
      { unitsNeeded: Uint32Array.of(0, 1), unitsUnpacked: 5 },
      { unitsNeeded: Uint32Array.of(1), unitsUnpacked: 1 },
    ];
    expect(countUnits({ source: side([-1, -1, -1]), target: side([-1, 2]) }, segments)).toEqual({
      ...{ source: 3, target: 2, copied: 1, needed: 2, neededBySegment: 3, unpacked: 6 },
    });
  });
});

describe(`images as OpenWrt makes them${noPython}`, () => {
  const [, program] = realContents().find(([name]) => name === 'a program')!;

  it.skipIf(noPython !== '').each([64 * 1024, 256 * 1024])(
    'come back exactly in blocks of %i bytes, and cost a fraction of what they take',
    async (blockBytes) => {
      const image = (content: Uint8Array): Buffer =>
        Buffer.concat([Buffer.alloc(96, 1), openWrtBlocks(content, blockBytes), Buffer.alloc(96, 2)]);
      const source = image(program);
      const target = image(edited(program));
      const { units, payload } = await engine.delta(source, target);
      expect(Buffer.compare(await applied(payload, source), target)).toBe(0);
      const blocks = Math.ceil(program.length / blockBytes);
      expect(units).toMatchObject({ source: blocks, target: blocks, containers: { target: { xz: blocks } } });
      // The packer chooses other matches around each change: that is what a few kilobytes are spent on.
      expect(payload.length).toBeLessThan(target.length / 20);
    },
  );
});
