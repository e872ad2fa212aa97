/**
 * Squashfs images made by the real tool with all its options: every file comes out whole, in the order of paths, and
 * damaged images are no container or a sound one.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Container } from '../../../native-free/diff/containers/container.ts';
import { squashfs } from '../../../native-free/diff/containers/squashfs/squashfs.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import { expectNoneWhenCut, soundWhenDamaged, span } from '../../support/containers/damage.ts';
import { digestOf, FIXTURE_FILES, SQUASHFS_GZIP, SQUASHFS_ZSTD } from '../../support/containers/fixtures.ts';
import { expectJoins, expectSound, filesOf, isInstalled, run } from '../../support/containers/tools.ts';
import { filesBelow, noise, plantTree, withoutHoles } from '../../support/containers/tree.ts';

const hasTool = isInstalled('mksquashfs');
if (!hasTool) console.info('squashfs-tools is not installed: only the fixtures are read');

const folder = mkdtempSync(join(tmpdir(), 'engraft-squashfs-'));
const tree = join(folder, 'tree');
let files = new Map<string, Buffer>();

beforeAll(() => {
  run('mkdir', [tree]);
  plantTree(tree);
  files = filesBelow(tree);
});
afterAll(() => rmSync(folder, { recursive: true }));

function imageOf(options: string): Buffer {
  const image = join(folder, 'image');
  run('mksquashfs', [tree, image, '-noappend', '-quiet', '-no-progress', ...options.split(' ').filter(Boolean)]);
  return readFileSync(image);
}

/** All files come out, each content once, in the order of their paths, and tables behind them. */
function expectAllFiles(image: Buffer, options: string, blockBytes: number, offset = 0): Container {
  const container = squashfs.at(image, offset)!;
  expect(container).not.toBeNull();
  expectSound(container, image);
  expectJoins(container);
  const found = filesOf(container, image).map((content) => content.toString('latin1'));
  const hasHoles = !options.includes('-no-sparse');
  // Two files with equal blocks and different ends: the second has its end only, as no byte is named twice.
  const sharesBlocks = options.includes('-always-use-fragments');
  const wanted = new Map<string, string>();
  for (const [path, content] of files) {
    const own = sharesBlocks && path === 'etc/other-end' ? content.subarray(-500) : content;
    const stored = (hasHoles ? withoutHoles(path, own, blockBytes) : own).toString('latin1');
    if (stored.length > 0 && !wanted.has(stored)) wanted.set(stored, path);
  }
  const paths = found.map((content) => wanted.get(content));
  const tables = paths.length - wanted.size;
  expect(paths.slice(0, wanted.size)).toEqual([...wanted.values()]);
  expect(tables).toBeGreaterThanOrEqual(3);
  expect(tables).toBeLessThanOrEqual(7);
  return container;
}

const codecsOf = ({ units }: Container): number[] => [...new Set(units.map(({ codec }) => codec))];

describe.skipIf(!hasTool)('squashfs images', () => {
  it.each([
    ['', 131_072, CODEC_ID.zlib],
    ['-Xcompression-level 1 -processors 4', 131_072, CODEC_ID.zlib],
    ['-comp xz', 131_072, CODEC_ID.xz],
    ['-comp xz -Xbcj arm -b 256K', 262_144, CODEC_ID.xz],
    ['-comp xz -Xdict-size 8K', 131_072, CODEC_ID.xz],
    ['-comp lzma', 131_072, CODEC_ID.lzma],
    ['-comp lz4', 131_072, CODEC_ID.lz4],
    ['-comp lzo -Xalgorithm lzo1x_999', 131_072, CODEC_ID.lzo],
    ['-comp lzo -Xalgorithm lzo1x_1', 131_072, CODEC_ID.lzo],
    ['-comp lz4 -Xhc -b 64K', 65_536, CODEC_ID.lz4],
    ['-comp zstd', 131_072, CODEC_ID.zstd],
    ['-comp zstd -Xcompression-level 3 -b 8K', 8192, CODEC_ID.zstd],
    ['-b 4K', 4096, CODEC_ID.zlib],
    ['-b 1M', 1_048_576, CODEC_ID.zlib],
    ['-processors 4 -b 16K', 16_384, CODEC_ID.zlib],
    ['-always-use-fragments', 131_072, CODEC_ID.zlib],
    ['-always-use-fragments -comp xz -b 32K -processors 4', 32_768, CODEC_ID.xz],
    ['-no-fragments', 131_072, CODEC_ID.zlib],
    ['-noI', 131_072, CODEC_ID.zlib],
    ['-noD', 131_072, CODEC_ID.zlib],
    ['-noF', 131_072, CODEC_ID.zlib],
    ['-noX -noId', 131_072, CODEC_ID.zlib],
    ['-no-exports', 131_072, CODEC_ID.zlib],
    ['-no-xattrs', 131_072, CODEC_ID.zlib],
    ['-no-exports -no-xattrs -no-fragments', 131_072, CODEC_ID.zlib],
    ['-nopad', 131_072, CODEC_ID.zlib],
    ['-no-sparse', 131_072, CODEC_ID.zlib],
    ['-all-root', 131_072, CODEC_ID.zlib],
  ])('made with "%s" give all files whole', (options, blockBytes, codec) => {
    expect(codecsOf(expectAllFiles(imageOf(options), options, blockBytes))).toEqual([codec]);
  });

  it('that nothing was compressed in have no units', () => {
    const options = '-noI -noD -noF -noX';
    expect(expectAllFiles(imageOf(options), options, 131_072).units).toEqual([]);
  });

  it('may have their files in an order that somebody asked for', () => {
    const order = join(folder, 'order');
    writeFileSync(order, [...files.keys()].map((path, i) => `${tree}/${path} ${(i * 7919) % 1000}\n`).join(''));
    const image = imageOf(`-sort ${order}`);
    const container = squashfs.at(image, 0)!;
    expectSound(container, image);
    const found = new Set(filesOf(container, image).map((content) => content.toString('latin1')));
    for (const [path, content] of files) {
      const stored = withoutHoles(path, content, 131_072);
      if (stored.length > 0) expect(found.has(stored.toString('latin1'))).toBe(true);
    }
  });

  it('are found where they are', () => {
    expectAllFiles(imageOf('-offset 12K'), '', 131_072, 12_288);
    const image = Buffer.concat([imageOf('-nopad'), noise(1, 1000)]);
    const { bytes } = expectAllFiles(image, '', 131_072);
    expect(bytes).toBe(image.length - 1000);
    expect(squashfs.at(image, 1)).toBeNull();
    expect(squashfs.at(image, image.length - 2)).toBeNull();
  });

  it('with several contents that are alike name each of their bytes once', () => {
    const options = '-no-duplicates -no-hardlinks';
    const image = imageOf(options);
    const container = squashfs.at(image, 0)!;
    expectSound(container, image);
    const found = filesOf(container, image).map((content) => content.toString('latin1'));
    for (const name of ['etc/conf', 'bin/deep/er/large'])
      expect(found.filter((content) => content === files.get(name)!.toString('latin1')).length).toBeGreaterThan(1);
  });
});

describe.each([
  ['gzip', SQUASHFS_GZIP, CODEC_ID.zlib],
  ['zstd', SQUASHFS_ZSTD, CODEC_ID.zstd],
])('a small squashfs image with %s', (_, image, codec) => {
  it('gives files and tables', () => {
    const container = squashfs.at(image, 0)!;
    expectSound(container, image);
    expectJoins(container);
    expect(codecsOf(container)).toEqual([codec]);
    const found = filesOf(container, image);
    expect(found.slice(0, 6).map(digestOf)).toEqual(FIXTURE_FILES);
    const [, , ...others] = found.slice(6).map(({ length }) => length);
    // One fragment, exports of nine inodes, owners, attributes, their list; before them inodes and directories.
    expect(others).toEqual([16, 9 * 8, 4, 15, 16]);
  });

  it('is none when it is cut, and none or sound when it is damaged', () => {
    expectNoneWhenCut(squashfs, image);
    const began = performance.now();
    const sound = soundWhenDamaged(squashfs, image, span(0, image.length));
    console.info(`${sound} damaged images were containers, ${Math.round(performance.now() - began)} ms`);
  });
});

describe('superblocks of squashfs', () => {
  it.each([
    ['another version', 28, 3],
    ['blocks of 2 KiB', 22, 11],
    ['blocks of another size than their logarithm', 13, 32],
    ['an unknown compressor', 20, 9],
    ['more bytes than there are', 43, 1],
    ['inodes in the superblock', 64, 1],
    ['no owners', 26, 0],
  ])('that say %s are none', (_, at, value) => {
    const bytes = Uint8Array.from(SQUASHFS_GZIP);
    expect(squashfs.at(bytes, 0)).not.toBeNull();
    if (at === 64) bytes[65] = 0;
    bytes[at] = value;
    expect(squashfs.at(bytes, 0)).toBeNull();
  });
});
